"""Curves over lead time on an axis, their intervals, an axis that no blow-up flattens; heat maps of ratios."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from triton_earth.core.wording import axis_title, shortened
from triton_earth.evaluation.spectra.names import WAVELENGTH
from triton_earth.plots.style import INTERVAL_OPACITY, Look

_ROOM = 1.06
_RATIOS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        values: Values of shape (x,).
        bounds: Lower and upper ends of the interval, shape (x, 2), or None.
    """

    values: Float64[np.ndarray, " x"]
    bounds: Float64[np.ndarray, "x 2"] | None = None

    @property
    def top(self) -> float:
        """The largest finite absolute value, interval included; 0 where there is none."""
        parts = [self.values] if self.bounds is None else [self.values, self.bounds.ravel()]
        values = np.concatenate(parts)
        return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def draw_curve(
    axes: Axes, x: Float64[np.ndarray, " x"], curve: Curve, look: Look, name: str
) -> None:
    """Draw one curve with its interval as shading, a bar where no neighbour has one, and a cross where it ends.

    Args:
        axes: Where to draw.
        x: Lead times or wavenumbers of shape (x,).
        curve: Values and interval; what is not finite is left out.
        look: Colour and line style.
        name: Name in the legend.
    """
    values, bounds = curve.values, curve.bounds
    finite = np.isfinite(values)
    shown = np.where(finite, values, np.nan)
    order = 3.0 if name == "truth" else 2.5
    marker = "o" if finite.sum() == 1 else None
    axes.plot(
        x,
        shown,
        color=look.colour,
        linestyle=look.line,
        label=shortened(name, 24),
        zorder=order,
        marker=marker,
        markersize=4,
    )
    if bounds is not None:
        inside = finite & np.isfinite(bounds).all(axis=-1)
        padded = np.pad(inside, 1)
        beside = inside & (padded[:-2] | padded[2:])
        low, high = bounds.T
        alone = inside & ~beside
        if alone.any():
            axes.vlines(
                x[alone], low[alone], high[alone], color=look.colour, linewidth=1.2, zorder=order
            )
        if beside.any():
            axes.fill_between(
                x,
                np.where(beside, low, np.nan),
                np.where(beside, high, np.nan),
                color=look.colour,
                alpha=INTERVAL_OPACITY,
                linewidth=0,
                zorder=2.0,
            )
    if finite.any() and not finite.all():
        last = int(np.flatnonzero(finite)[-1])
        if last + 1 < len(values):
            axes.plot(
                x[last],
                shown[last],
                color=look.colour,
                marker="X",
                markersize=7,
                linestyle="none",
                zorder=4.0,
                clip_on=True,
            )


def readable_top(curves: dict[str, Curve], reference: Iterable[str], times: float) -> float | None:
    """Return where the axis must end so that a blow-up leaves the other curves readable.

    Args:
        curves: Curves by name.
        reference: Curves that the axis must always show whole (baselines, truth).
        times: How far above those (or, without any, above the lowest curve) another curve is still followed.

    Returns:
        The largest absolute value to show, or None where there is nothing finite and positive.
    """
    tops = {name: curve.top for name, curve in curves.items() if curve.top > 0}
    if not tops:
        return None
    kept = [tops[name] for name in reference if name in tops]
    limit = times * (max(kept) if kept else min(tops.values()))
    return min(max(tops.values()), limit) * _ROOM


def curves_of(dataset: xr.Dataset, name: str, along: str, **where: object) -> dict[str, Curve]:
    """Return a score and its interval of every forecast or source.

    Args:
        dataset: The scores.
        name: Which score, shape (along, lead_time) once `where` is selected.
        along: ``forecast`` or ``source``.
        where: What to select of other dimensions.
    """
    array = dataset[name].sel(where).transpose(along, ...)
    values = np.asarray(array.values, dtype=np.float64)
    bounds = _bounds(dataset, name, along, where)
    return {
        str(key): Curve(values[place], None if bounds is None else bounds[place])
        for place, key in enumerate(dataset[along].values)
    }


def _bounds(
    dataset: xr.Dataset, name: str, along: str, where: dict[str, object]
) -> np.ndarray | None:
    if f"{name}_interval" not in dataset:
        return None
    array = dataset[f"{name}_interval"].sel({**where, "bound": ["lower", "upper"]})
    return np.asarray(array.transpose(along, ..., "bound").values, dtype=np.float64)


def scale_axis(axis: Axis, scale: xr.DataArray) -> None:
    """Label a logarithmic axis of wavenumbers or degrees, by wavelengths in km where waves have one length.

    Args:
        axis: The axis.
        scale: Wavenumbers or degrees, with the attribute `WAVELENGTH` where there is one length to each.
    """
    axis.set_minor_locator(NullLocator())
    one = scale.attrs.get(WAVELENGTH)
    if one is None:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_label_text(axis_title(scale))
        return
    numbers = scale.values[scale.values > 0]
    shortest, longest = one / float(numbers.max()), one / float(numbers.min())
    powers = 10.0 ** np.arange(np.floor(np.log10(shortest)), np.ceil(np.log10(longest)) + 1)
    lengths = np.outer(powers, (1.0, 2.0, 5.0)).ravel()
    lengths = lengths[(lengths >= 0.999 * shortest) & (lengths <= 1.001 * longest)]
    axis.set_major_locator(FixedLocator((one / lengths[::-1]).tolist()))
    axis.set_major_formatter(lambda value, _: f"{one / value:.4g}")
    axis.set_label_text("Wavelength (km)")


def ratio_bar(figure: Figure, heat: ScalarMappable, axes: list[Axes]) -> None:
    """Put a colour bar beside heat maps of log2 of a ratio, from an eighth to eight."""
    bar = figure.colorbar(heat, ax=axes, extend="both")
    bar.set_ticks([float(np.log2(value)) for value in _RATIOS])
    bar.set_ticklabels(["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    bar.outline.set_visible(False)


def edges(centres: np.ndarray) -> np.ndarray:
    """Return the borders half-way between centres."""
    if len(centres) == 1:
        return np.array([0.5, 1.5]) * centres[0]
    inner = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])
