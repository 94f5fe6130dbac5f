"""Scores: spherical-harmonic spectra, and which scales on the globe forecasts still have and still get right."""

import numpy as np
import xarray as xr
from jaxtyping import Bool

from triton_earth.core.variables import Variables
from triton_earth.core.velocity import velocity_pairs
from triton_earth.evaluation.metrics import METRICS
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

BY_LEAD = ("forecast", "variable", "degree_lead_time")


def score_degrees(
    records: Records,
    variables: Variables,
    available: Bool[np.ndarray, "init lead"],
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return mean spectra by degree and what follows from them, at a few leads.

    Args:
        records: What was kept of the forecasts.
        variables: Variables of the forecast.
        available: Where an initial condition was scored.
        lead_times: Lead times that were scored.

    Returns:
        `degree_spectrum` (source, variable, degree_lead_time, degree); `degree_ratio`, `degree_error`,
        `degree_coherence` (forecast, …, degree); `effective_degree`, `decorrelation_degree` (forecast, variable,
        degree_lead_time). Empty where no variable is defined on a whole globe.
    """
    kept = records.degrees
    if kept is None:
        return xr.Dataset()
    count = available.sum(axis=0)[kept.leads]
    mean, cross = (values / count[:, None] for values in (kept.spectrum, kept.cross))
    own, cross = mean[list(records.forecasts)], cross[list(records.forecasts)]
    truth = np.broadcast_to(mean[TRUTH], own.shape)
    degrees = np.arange(mean.shape[-1], dtype=np.float64)
    ratio, coherent = spectrum_ratio(own, truth), coherence(own, truth, cross)
    lost = decorrelation_wavenumber(coherent, degrees)
    units = [METRICS["mse"].units(variable.units) for variable in variables]
    entries = {
        "degree_spectrum": (
            ("source", *BY_LEAD[1:], "degree"),
            mean,
            "spherical-harmonic spectrum",
            units[0] if len(set(units)) == 1 else "; ".join(units),
            "mean square at each degree of the spherical harmonics, averaged over initial conditions; all degrees add "
            "up to the mean square over the globe",
        ),
        "degree_ratio": (
            (*BY_LEAD, "degree"),
            ratio,
            "ratio of spherical-harmonic spectra",
            "1",
            "degree_spectrum of the forecast divided by that of the truth",
        ),
        "degree_error": (
            (*BY_LEAD, "degree"),
            spectral_error(own, truth, cross),
            "relative error by degree",
            "1",
            "degree_spectrum of (forecast - truth) divided by that of the truth: 0 is perfect, 1 is a forecast of "
            "nothing, 2 is the right spectrum in unrelated waves",
        ),
        "degree_coherence": (
            (*BY_LEAD, "degree"),
            coherent,
            "coherence by degree",
            "1",
            "correlation of forecast and truth at a degree, over all orders and initial conditions",
        ),
        "effective_degree": (
            BY_LEAD,
            effective_wavenumber(ratio, degrees),
            "effective degree",
            "1",
            f"largest degree up to which degree_ratio is within a factor {FACTOR:g} of 1; the effective resolution is "
            "the Earth's circumference divided by it",
        ),
        "decorrelation_degree": (
            BY_LEAD,
            np.where(np.isfinite(lost), lost, np.nan),
            "decorrelation degree",
            "1",
            f"smallest degree at which degree_coherence is below {COHERENT}; missing where all are still correlated",
        ),
    }
    pairs = velocity_pairs(variables)
    if pairs:
        entries["degree_kinetic_energy"] = (
            ("source", "velocity", *BY_LEAD[2:], "degree"),
            np.stack([0.5 * (mean[:, u] + mean[:, v]) for u, v in pairs], axis=1),
            "kinetic energy spectrum",
            "m2 s-2",
            "half the sum of degree_spectrum of both components of a velocity",
        )
    return xr.Dataset(
        {
            name: (dims, values, {"long_name": words, "units": unit, "definition": definition})
            for name, (dims, values, words, unit, definition) in entries.items()
        },
        coords={
            **({"velocity": [variables.names[east] for east, _ in pairs]} if pairs else {}),
            "degree": ("degree", degrees, {"long_name": "degree", "units": "1"}),
            "degree_lead_time": (
                "degree_lead_time",
                lead_times[kept.leads],
                {"long_name": "lead time of the spectra by degree"},
            ),
        },
    )
