"""Scores: how long forecasts stay stable and useful."""

import json
from collections import Counter
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, Int

from triton_earth.core.variables import Variables
from triton_earth.evaluation.metrics.error_metrics import METRICS, correlation
from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.metrics.first_lead import (
    SKILL_ACC,
    SKILL_CORRELATION,
    first_lead,
    loses_correlation,
    loses_to,
    median_horizon,
)
from triton_earth.evaluation.metrics.stability import (
    NO_TRUTH,
    STABLE,
    Stability,
    StabilityBands,
    departures,
    first_departure,
    ratio_to_truth,
)
from triton_earth.evaluation.records import TRUTH, Records
from triton_earth.evaluation.resampling import Resampling

NOT_REACHED = "missing where it is not reached within the evaluated leads"


def score_horizons(
    records: Records,
    names: list[str],
    variables: Variables,
    resampling: Resampling,
    leads: Int[np.ndarray, " lead"],
    bands: StabilityBands,
) -> xr.Dataset:
    """Return stability and skill horizons, in time steps.

    Args:
        records: What was kept of the forecasts.
        names: Names of the forecast and the references.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.
        leads: Number of each scored lead; the first step is 1.
        bands: Reference bands of the stability horizon.

    Returns:
        `stability_horizon`, `stable_fraction`, `skill_horizon`, `acc_horizon`, `persistence_horizon` and the like of
        every other reference (forecast), each with NAME_interval (forecast, bound); each horizon of single variables as
        NAME_by_variable (forecast, variable), and the worst of them as NAME_variable (forecast); `stability_criterion`
        (forecast);
        `initial_stability_horizon`, `initial_stable` and `initial_stability_criterion` (forecast, init). A horizon
        that is not reached is NaN.
    """
    each = [
        _stability(records, source, variables, resampling, leads, bands)
        for source in records.forecasts
    ]
    data: dict[str, tuple] = {}
    median = [median_horizon(one.horizon, resampling.weights_and_plain) for one in each]
    data |= _horizon(
        "stability_horizon",
        np.stack(median, axis=1),
        resampling,
        "stability horizon",
        "first lead at which the forecast is not finite, or a mean, variance, the energy or the small-scale enstrophy "
        f"is outside the band around the truth {_words(bands)}; median over initial conditions, of which those that "
        f"stay inside count as later than all; {NOT_REACHED} by half of the initial conditions",
    )
    data |= _stability_by_variable(records, variables, resampling, leads, bands)
    data |= _stable_fraction(each, resampling)
    data["stability_criterion"] = (
        "forecast",
        np.array([_commonest(one) for one in each]),
        {
            "long_name": "criterion that trips first",
            "definition": "commonest first criterion among the initial conditions that leave the band; "
            f"'{STABLE}' where none does",
            "counts": json.dumps([Counter(one.criterion) for one in each]),
        },
    )
    data |= _initial_conditions(each)
    data |= _skill(records, variables, resampling, leads)
    data |= _anomaly_skill(records, variables, resampling, leads)
    for source in records.references:
        data |= _beaten(records, source, names[source], variables, resampling, leads)
    return xr.Dataset(data)


def _stability(
    records: Records,
    source: int,
    variables: Variables,
    resampling: Resampling,
    leads: np.ndarray,
    bands: StabilityBands,
) -> Stability:
    ratios = {}
    if records.totals is not None:
        totals = records.totals
        for name, whole in (("energy", "energy"), ("small_scale_enstrophy", "enstrophy")):
            quantity, total = getattr(totals, name), getattr(totals, whole)
            ratios[name] = ratio_to_truth(quantity[source], quantity[TRUTH], total[TRUTH])
    outside = departures(records.errors(source), variables.names, ratios, bands)
    return first_departure(outside, resampling.available, leads)


def _stability_by_variable(
    records: Records,
    variables: Variables,
    resampling: Resampling,
    leads: np.ndarray,
    bands: StabilityBands,
) -> dict[str, tuple]:
    """Return the stability horizon of each variable, judged by what is its own: finite, mean, variance."""
    medians: list[list[np.ndarray]] = []
    for source in records.forecasts:
        medians.append([])
        for index, name in enumerate(variables.names):
            sums = ErrorSums(*records.sums[:, source, ..., index : index + 1])
            outside = departures(sums, [name], {}, bands)
            horizon = first_departure(outside, resampling.available, leads).horizon
            medians[-1].append(median_horizon(horizon, resampling.weights_and_plain))
    return _horizon(
        "stability_horizon_by_variable",
        np.moveaxis(np.array(medians), -1, 0),
        resampling,
        "stability horizon of each variable",
        "first lead at which the variable is not finite, or its mean or variance is outside the band around the truth "
        f"{_words(bands)}; median over initial conditions as stability_horizon; {NOT_REACHED} by half of them",
    )


def _stable_fraction(each: list[Stability], resampling: Resampling) -> dict[str, tuple]:
    stable = np.stack([one.stable for one in each], axis=1).astype(np.float64)
    weights = resampling.weights_and_plain
    samples = weights @ stable / weights.sum(axis=1, keepdims=True)
    attributes = {
        "long_name": "stable fraction",
        "units": "1",
        "definition": "fraction of the initial conditions whose forecast stays inside the stability bands at every "
        "lead that was scored for it",
    }
    return _values("stable_fraction", samples, resampling, attributes)


def _initial_conditions(each: list[Stability]) -> dict[str, tuple]:
    dimensions = ("forecast", "init")
    return {
        "initial_stability_horizon": (
            dimensions,
            _finite_or_nan(np.stack([one.horizon for one in each])),
            {
                "long_name": "stability horizon of each initial condition",
                "units": "1",
                "definition": f"as stability_horizon, of one initial condition; {NOT_REACHED}",
            },
        ),
        "initial_stable": (
            dimensions,
            np.stack([one.stable for one in each]),
            {
                "long_name": "stable at every scored lead",
                "definition": "whether the forecast never leaves the stability bands",
            },
        ),
        "initial_stability_criterion": (
            dimensions,
            np.array([one.criterion for one in each]),
            {
                "long_name": "criterion that trips first",
                "definition": f"criterion outside its band at the stability horizon; '{STABLE}' where stable",
            },
        ),
    }


def _skill(
    records: Records, variables: Variables, resampling: Resampling, leads: np.ndarray
) -> dict[str, tuple]:
    samples = [
        _first(
            loses_correlation(resampling.means(correlation(records.errors(source)), joined=True)),
            resampling,
            leads,
        )
        for source in records.forecasts
    ]
    return _by_variable(
        "skill_horizon",
        samples,
        variables,
        resampling,
        "useful-skill horizon",
        f"first lead at which the correlation (averaged over initial conditions) is below {SKILL_CORRELATION}",
    )


def _anomaly_skill(
    records: Records, variables: Variables, resampling: Resampling, leads: np.ndarray
) -> dict[str, tuple]:
    """Return the lead at which the anomaly correlation is lost; nothing where there is no climatology."""
    samples = []
    for source in records.forecasts:
        sums = records.anomalies(source)
        if sums is None:
            return {}
        lost = loses_correlation(resampling.means(correlation(sums), joined=True), SKILL_ACC)
        samples.append(_first(lost, resampling, leads))
    return _by_variable(
        "acc_horizon",
        samples,
        variables,
        resampling,
        "anomaly-correlation horizon",
        f"first lead at which the anomaly correlation (averaged over initial conditions) is below {SKILL_ACC}",
    )


def _beaten(
    records: Records,
    baseline: int,
    name: str,
    variables: Variables,
    resampling: Resampling,
    leads: np.ndarray,
) -> dict[str, tuple]:
    """Return the lead at which a baseline wins."""
    rmse = METRICS["rmse"]
    means = [
        resampling.means(rmse.of_one(records.errors(source)), rmse.finish, joined=True)
        for source in records.forecasts
    ]
    samples = [
        _first(loses_to(mean, means[baseline]) & (source != baseline), resampling, leads)
        for source, mean in enumerate(means)
    ]
    return _by_variable(
        f"{name.replace(' ', '_')}_horizon",
        samples,
        variables,
        resampling,
        f"lead at which {name} wins",
        f"first lead at which the rmse is not smaller than that of {name}",
    )


def _first(
    happens: Bool[np.ndarray, "sample lead variable"], resampling: Resampling, leads: np.ndarray
) -> Float64[np.ndarray, "sample variable"]:
    """Return the first lead at which something happens, of those that were scored in each sample."""
    there = happens & resampling.scored[..., None]
    return first_lead(np.swapaxes(there, 1, 2), leads)


def _by_variable(
    name: str,
    samples: list[Float64[np.ndarray, "sample variable"]],
    variables: Variables,
    resampling: Resampling,
    long_name: str,
    definition: str,
) -> dict[str, tuple]:
    """Return a horizon of each variable, that of the worst of them, and which that is."""
    each = np.stack(samples, axis=1)
    worst = each.min(axis=-1)
    named = np.where(np.isinf(worst[0]), STABLE, np.array(variables.names)[each[0].argmin(axis=-1)])
    return {
        **_horizon(
            name,
            worst,
            resampling,
            long_name,
            f"{definition} for any variable; {NOT_REACHED}",
        ),
        f"{name}_variable": (
            "forecast",
            named,
            {
                "long_name": f"variable of the {long_name}",
                "definition": f"the variable that reaches {name} first; '{STABLE}' where none does",
            },
        ),
        **_horizon(
            f"{name}_by_variable",
            each,
            resampling,
            f"{long_name} of each variable",
            f"{definition}; {NOT_REACHED}",
        ),
    }


def _horizon(
    name: str,
    samples: Float64[np.ndarray, "sample forecast *variable"],
    resampling: Resampling,
    long_name: str,
    definition: str,
) -> dict[str, tuple]:
    attributes = {"long_name": f"{long_name} in time steps", "units": "1", "definition": definition}
    return _values(name, samples, resampling, attributes)


def _values(
    name: str,
    samples: Float64[np.ndarray, "sample forecast *variable"],
    resampling: Resampling,
    attributes: dict[str, Any],
) -> dict[str, tuple]:
    interval = {
        **attributes,
        "long_name": f"95 % interval of the {attributes['long_name']}",
        "definition": f"95 % bootstrap interval of {name} over initial conditions; of a horizon, a bound that is "
        "missing is not reached within the evaluated leads",
    }
    dimensions = ("forecast", "variable")[: samples.ndim - 1]
    return {
        name: (dimensions, _finite_or_nan(samples[0]), attributes),
        f"{name}_interval": (
            (*dimensions, "bound"),
            _finite_or_nan(resampling.joined_interval(samples)),
            interval,
        ),
    }


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
    """Return horizons with NaN, the missing value of files, in place of +∞."""
    return np.where(np.isfinite(values), values, np.nan)


def _commonest(one: Stability) -> str:
    tripped = Counter(one.criterion)
    del tripped[STABLE], tripped[NO_TRUTH]
    return tripped.most_common(1)[0][0] if tripped else STABLE


def _words(bands: StabilityBands) -> str:
    ratios = ", ".join(
        f"{name} ratio {band.lower:.3g} to {band.upper:.3g}"
        for name, band in (
            ("variance", bands.variance),
            ("energy", bands.energy),
            ("small-scale enstrophy", bands.small_scale_enstrophy),
        )
    )
    return f"(mean within {bands.mean_drift:g} standard deviations, {ratios})"
