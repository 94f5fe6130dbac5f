"""Which colours stand for which values: one range for truth and forecast, another for the error."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.colors import Colormap, Normalize

from triton_earth.plots.style import error_colours, field_colours, one_signed_colours

_KEPT = 0.999
_WIDEST_ERROR = 2.0


@dataclass(frozen=True)
class ColourRange:
    """Colours from `low` to `high`; what lies outside has the colour of the nearer end."""

    low: float
    high: float
    colours: Colormap

    @property
    def norm(self) -> Normalize:
        """The same as matplotlib wants it."""
        return Normalize(self.low, self.high)

    def extends(self, values: np.ndarray) -> str:
        """Return which ends of the colour bar are arrows, as values lie beyond: neither, min, max or both."""
        finite = values[np.isfinite(values)]
        below, above = bool((finite < self.low).any()), bool((finite > self.high).any())
        return ("neither", "min", "max", "both")[below + 2 * above]


def field_range(truth: xr.DataArray) -> ColourRange:
    """Return the range for truth and forecast, set by the truth alone so that a blow-up cannot hide it.

    Symmetric about zero where the field takes both signs, else from its smallest to its largest value (each but for
    one value in a thousand).
    """
    values = _finite(truth)
    if values.min() < 0 < values.max():
        top = _largest(values)
        return ColourRange(-top, top, field_colours())
    low, high = (float(end) for end in np.quantile(values, [1 - _KEPT, _KEPT]))
    return ColourRange(low, high if high > low else low + 1.0, one_signed_colours())


def error_range(error: xr.DataArray, field: ColourRange) -> ColourRange:
    """Return the range for the error: symmetric, never wider than twice the range of the field."""
    widest = _WIDEST_ERROR * (field.high - field.low) / 2
    top = min(_largest(_finite(error)), widest)
    return ColourRange(-top, top, error_colours())


def _finite(array: xr.DataArray) -> np.ndarray:
    values = np.asarray(array.values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    return finite if finite.size else np.array([0.0])


def _largest(values: np.ndarray) -> float:
    return float(np.quantile(np.abs(values), _KEPT)) or float(np.abs(values).max()) or 1.0
