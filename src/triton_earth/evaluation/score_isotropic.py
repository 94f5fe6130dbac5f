"""Scores: isotropic spectra of every variable, and which scales forecasts still have and still get right."""

from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variables
from triton_earth.core.velocity import velocity_pairs
from triton_earth.evaluation.metrics import METRICS
from triton_earth.evaluation.records import TRUTH, Records
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.scales import (
    COHERENT,
    FACTOR,
    coherence,
    decorrelation_wavenumber,
    effective_wavenumber,
    spectral_error,
    spectrum_ratio,
)

LEAD, SCALE = "isotropic_lead_time", "isotropic_wavenumber"
BY_LEAD = ("forecast", "variable", LEAD)


def score_isotropic(
    records: Records, variables: Variables, resampling: Resampling, lead_times: np.ndarray
) -> xr.Dataset:
    """Return mean isotropic spectra and what follows from them, with intervals, at a few leads.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.
        lead_times: Lead times that were scored.

    Returns:
        `isotropic_spectrum` (source, variable, lead, wavenumber), `isotropic_ratio`, `isotropic_error`,
        `isotropic_coherence` (forecast, …, wavenumber), `effective_isotropic_wavenumber`,
        `decorrelation_isotropic_wavenumber` (forecast, variable, lead), all but ratio and coherence with
        NAME_interval (…, bound); `isotropic_kinetic_energy` (source, velocity, lead, wavenumber) where there are
        velocities. Empty on a globe, and where no variable is defined everywhere.
    """
    kept = records.isotropic
    if kept is None:
        return xr.Dataset()
    here = resampling.at(kept.leads)
    k = kept.box.wavenumbers
    resolved = k <= kept.box.nyquist * (1 + 1e-9)
    sources, channels = kept.spectrum.shape[:2]
    found: dict[str, np.ndarray] = {}

    def put(name: str, at: tuple[int, int], samples: np.ndarray, *, bounds: bool = True) -> None:
        count = sources if name == "isotropic_spectrum" else sources - 1
        parts = {name: samples[0]}
        if bounds:
            parts[f"{name}_interval"] = here.interval(samples)
        for key, values in parts.items():
            found.setdefault(key, np.full((count, channels, *values.shape), np.nan))[at] = values

    for channel in kept.channels.tolist():
        truth = here.means(kept.spectrum[TRUTH, channel])
        put("isotropic_spectrum", (sources - 1, channel), truth)
        for source in records.forecasts:
            at = (source, channel)
            own, cross = here.means(kept.spectrum[at]), here.means(kept.cross[at])
            ratio, coherent = spectrum_ratio(own, truth), coherence(own, truth, cross)
            lost = decorrelation_wavenumber(coherent[..., resolved], k[resolved])
            put("isotropic_spectrum", at, own)
            put("isotropic_ratio", at, ratio, bounds=False)
            put("isotropic_error", at, spectral_error(own, truth, cross))
            put("isotropic_coherence", at, coherent, bounds=False)
            put(
                "effective_isotropic_wavenumber",
                at,
                effective_wavenumber(ratio[..., resolved], k[resolved]),
            )
            put(
                "decorrelation_isotropic_wavenumber",
                at,
                np.where(np.isfinite(lost), lost, np.nan),
            )
    return _dataset(found, variables, records, lead_times)


def _dataset(
    found: dict[str, np.ndarray], variables: Variables, records: Records, lead_times: np.ndarray
) -> xr.Dataset:
    assert records.isotropic is not None
    box, leads = records.isotropic.box, records.isotropic.leads
    each = [METRICS["mse"].units(variable.units) for variable in variables]
    squared = each[0] if len(set(each)) == 1 else "; ".join(each)
    per_length = "rad km-1" if isinstance(box.grid, LatLonGrid) else "rad m-1"
    how = (
        "linear trend and mean taken out, Hann window"
        if "zero" in box.grid.padding
        else "of the field as it is"
    )
    words = {
        "isotropic_spectrum": (
            "isotropic spectrum",
            squared,
            f"mean square of the waves in the bin around each wavenumber ({how}), averaged over initial conditions; "
            "all bins add up to the mean square",
        ),
        "isotropic_ratio": (
            "ratio of isotropic spectra",
            "1",
            "isotropic_spectrum of the forecast divided by that of the truth",
        ),
        "isotropic_error": (
            "relative spectral error",
            "1",
            "isotropic_spectrum of (forecast - truth) divided by that of the truth: 0 is perfect, 1 is a forecast of "
            "nothing, 2 is the right spectrum in unrelated waves",
        ),
        "isotropic_coherence": (
            "coherence",
            "1",
            "correlation of forecast and truth at a wavenumber, over all waves and initial conditions",
        ),
        "effective_isotropic_wavenumber": (
            "effective wavenumber",
            per_length,
            f"largest resolved wavenumber up to which isotropic_ratio is within a factor {FACTOR:g} of 1",
        ),
        "decorrelation_isotropic_wavenumber": (
            "decorrelation wavenumber",
            per_length,
            f"smallest resolved wavenumber at which isotropic_coherence is below {COHERENT}; missing where all are "
            "still correlated",
        ),
    }
    data: dict[str, tuple] = {}
    for key, values in found.items():
        name = key.removesuffix("_interval")
        long_name, units, definition = words[name]
        first = "source" if name == "isotropic_spectrum" else "forecast"
        dims = (first, *BY_LEAD[1:], *([] if "wavenumber" in name else [SCALE]))
        if key != name:
            dims = (*dims, "bound")
            long_name = f"95 % interval of the {long_name}"
        data[key] = (
            dims,
            values,
            {"long_name": long_name, "units": units, "definition": definition},
        )
    coordinates: dict[str, Any] = {
        SCALE: (
            SCALE,
            box.wavenumbers,
            {"long_name": "wavenumber", "units": per_length, "resolved_wavenumber": box.nyquist},
        ),
        LEAD: (LEAD, lead_times[leads], {"long_name": "lead time of the isotropic spectra"}),
    }
    pairs = velocity_pairs(variables)
    if pairs:
        spectrum = found["isotropic_spectrum"]
        data["isotropic_kinetic_energy"] = (
            ("source", "velocity", LEAD, SCALE),
            np.stack([0.5 * (spectrum[:, u] + spectrum[:, v]) for u, v in pairs], axis=1),
            {
                "long_name": "kinetic energy spectrum",
                "units": "m2 s-2",
                "definition": "half the sum of the isotropic spectra of both components of a velocity",
            },
        )
        coordinates["velocity"] = [variables.names[east] for east, _ in pairs]
    return xr.Dataset(data, coords=coordinates)
