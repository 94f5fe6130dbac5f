"""Scores: which scales forecasts still have, and still get right, by wavenumber and lead."""

from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.records import TRUTH, Records
from triton_earth.evaluation.scales import (
    COHERENT,
    FACTOR,
    coherence,
    decorrelation_wavenumber,
    effective_wavenumber,
    spectral_error,
    spectrum_ratio,
)
from triton_earth.evaluation.spectra import nyquist_wavenumber, wavenumbers

BY_WAVENUMBER = ("forecast", "lead_time", "wavenumber")
BY_LEAD = ("forecast", "lead_time")


def score_scales(records: Records, variables: Variables) -> xr.Dataset:
    """Return scores by wavenumber of the spectra added over initial conditions.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.

    Returns:
        `spectrum_ratio`, `spectral_error`, `coherence` (forecast, lead_time, wavenumber), `effective_wavenumber` and
        `decorrelation_wavenumber` (forecast, lead_time). Empty where the forecast has no vorticity on a doubly
        periodic box.
    """
    flow = records.flow
    if flow is None:
        return xr.Dataset()
    each = list(records.forecasts)
    truth = np.broadcast_to(flow.enstrophy_spectrum[TRUTH], flow.enstrophy_spectrum[each].shape)
    spectrum, cross = flow.enstrophy_spectrum[each], flow.cross_spectrum[each]
    k = wavenumbers(flow.grid)
    ratio, coherent = spectrum_ratio(spectrum, truth), coherence(spectrum, truth, cross)
    resolved = k <= nyquist_wavenumber(flow.grid) * (1 + 1e-9)
    (vorticity,) = variables.select([VORTICITY.name])
    units = "rad m-1" if vorticity.units == VORTICITY.units else "1"
    data: dict[str, tuple] = {
        "spectrum_ratio": (
            BY_WAVENUMBER,
            ratio,
            _attributes(
                "ratio of spectra",
                "enstrophy spectrum of the forecast divided by that of the truth, both averaged over initial "
                "conditions; the same for the energy spectrum but for the width of the bins",
            ),
        ),
        "spectral_error": (
            BY_WAVENUMBER,
            spectral_error(spectrum, truth, cross),
            _attributes(
                "relative spectral error",
                "enstrophy spectrum of (forecast - truth) divided by that of the truth: 0 is perfect, 1 is a forecast "
                "of nothing, 2 is the right spectrum in unrelated waves",
            ),
        ),
        "coherence": (
            BY_WAVENUMBER,
            coherent,
            _attributes(
                "coherence",
                "correlation of forecast and truth at a wavenumber: cross-spectrum divided by the root of the product "
                "of the spectra, over all initial conditions",
            ),
        ),
        "effective_wavenumber": (
            BY_LEAD,
            effective_wavenumber(ratio[..., resolved], k[resolved]),
            _attributes(
                "effective wavenumber",
                f"largest resolved wavenumber up to which the spectrum is within a factor {FACTOR:g} of the truth's; "
                "the effective resolution is 2 pi divided by it",
                units,
            ),
        ),
        "decorrelation_wavenumber": (
            BY_LEAD,
            _finite_or_nan(decorrelation_wavenumber(coherent[..., resolved], k[resolved])),
            _attributes(
                "decorrelation wavenumber",
                f"smallest resolved wavenumber at which the coherence is below {COHERENT}; the decorrelation scale is "
                "2 pi divided by it; missing where all wavenumbers are still correlated or none can be judged",
                units,
            ),
        ),
    }
    return xr.Dataset(data)


def _attributes(long_name: str, definition: str, units: str = "1") -> dict[str, Any]:
    return {"long_name": long_name, "units": units, "definition": definition}


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)
