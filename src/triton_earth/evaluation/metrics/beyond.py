"""Scores of leads beyond the end of the truth: what can be said of a long run against its climate alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, Int

from triton_earth.core.progress import progress
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import (
    Alignment,
    Forecasts,
    Truth,
    describe_numbers,
    lead_numbers,
)
from triton_earth.evaluation.intervals import joined, over_leads, overall
from triton_earth.evaluation.metrics.error_metrics import METRICS, forecast_variance
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.metrics.extremes import QUANTILES, Extremes, weighted_quantiles
from triton_earth.evaluation.metrics.trend import trend
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights
from triton_earth.evaluation.resampling import Resampling
from triton_earth.models.climatology import TRAIN, Climatology
from triton_earth.rollout.climate import STATES, training_pairs

BY_LEAD = ("model", "variable", "beyond_lead_time")


def beyond_truth(forecast: Forecasts, alignment: Alignment) -> Int[np.ndarray, " lead"]:
    """Return which stored leads come after the last one that has a truth."""
    return np.arange(int(alignment.leads[-1]) + 1, len(forecast.lead_times))


def describe_beyond(forecast: Forecasts, alignment: Alignment) -> list[str]:
    """Return in a sentence what is scored beyond the truth; none where there are no such leads."""
    leads = beyond_truth(forecast, alignment)
    if not leads.size:
        return []
    return [
        f"Steps {describe_numbers(lead_numbers(forecast)[leads])} have no truth: area mean, variance, departure from "
        "the seasonal cycle, its drift and extremes are scored there against the training climate alone (beyond_*)."
    ]


def score_beyond(
    models: Sequence[Forecasts],
    names: Sequence[str],
    truth: Truth,
    alignment: Alignment,
    climatology: Climatology | None,
    source: Truth,
    *,
    resamples: int,
    seed: int,
    region: Place | None = None,
    weights_name: WeightsName = "cell_area",
) -> xr.Dataset:
    """Score the leads of long runs for which there is no truth.

    Args:
        models: Stored forecasts of the same initial conditions, variables and leads.
        names: Their names.
        truth: The truth that ends before; its valid mask is used.
        alignment: Which leads have a truth.
        climatology: Climatology of the training split, or None.
        source: The store with the training split, whose extremes stand beside those of the forecasts.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.
        region: Where scores are taken; None: everywhere.
        weights_name: Which cell weights.

    Returns:
        `beyond_area_mean`, `beyond_variance` and, with a climatology, `beyond_seasonal_departure` (model, variable,
        beyond_lead_time) and `beyond_drift_rate` (model, variable); `beyond_extreme` (model, variable,
        beyond_extreme_lead_time, quantile), each with NAME_interval (…, bound); with a training split also
        `training_extreme` (variable, quantile). Empty where every lead is within the truth.
    """
    first = models[0]
    leads = beyond_truth(first, alignment)
    if not leads.size:
        return xr.Dataset()
    weights = cell_weights(first.grid, weights_name)
    mask = TruthReader(first, truth, alignment, region).valid_mask
    inits, variables = len(first.init_times), first.variables
    shape = (len(models), inits, len(leads), len(variables))
    mean, variance, departure = (np.full(shape, np.nan) for _ in range(3))
    extremes = Extremes.empty(
        sources=len(models), inits=inits, leads=len(leads), variables=len(variables)
    )
    with progress("beyond the truth", len(models) * inits) as advance:
        for number, model in enumerate(models):
            for start in range(0, inits, model.chunk_inits):
                rows = np.arange(start, min(start + model.chunk_inits, inits))
                for place, lead in enumerate(leads.tolist()):
                    fields = model.read(slice(start, int(rows[-1]) + 1), lead)
                    at = (number, rows, place)
                    sums = error_sums(fields, fields, weights, mask)
                    mean[at] = sums.forecast / sums.weight
                    variance[at] = forecast_variance(sums)
                    extremes.put(number, rows, place, fields, weights, mask)
                    if climatology is not None:
                        times = first.init_times[rows] + first.lead_times[lead]
                        anomaly = fields - climatology.at(times).astype(np.float32)
                        sums = error_sums(anomaly, anomaly, weights, mask)
                        departure[at] = sums.forecast / sums.weight
                advance(len(rows))
    units = [variable.units for variable in variables]
    squares = [METRICS["mse"].units(unit) for unit in units]
    lead_times = np.asarray(first.lead_times)[leads]
    resampling = Resampling.draw(
        np.asarray(first.trajectories),
        np.asarray(first.init_times),
        lead_times,
        np.ones((inits, len(leads)), bool),
        resamples=resamples,
        seed=seed,
    )
    means = [
        ("beyond_area_mean", mean, "area mean beyond the truth", units),
        ("beyond_variance", variance, "variance over the cells beyond the truth", squares),
    ]
    data: dict[str, Any] = {}
    if climatology is not None:
        title = "departure of the area mean from the seasonal cycle beyond the truth"
        means.append(("beyond_seasonal_departure", departure, title, units))
        numbers = lead_numbers(first)[leads].astype(np.float64)
        samples = [resampling.means(one, joined=True) for one in departure]
        data |= overall(
            "beyond_drift_rate",
            ("model", "variable"),
            [trend(np.swapaxes(sample, 1, 2), numbers) for sample in samples],
            resampling,
            "drift from the seasonal cycle beyond the truth per time step",
            "least-squares slope over lead of beyond_seasonal_departure, per time step",
            units,
        )
    for name, values, title, unit in means:
        data |= over_leads(
            name,
            BY_LEAD,
            list(values),
            resampling,
            title,
            f"{title}, of the valid cells, averaged over all initial conditions; missing where one is not finite",
            unit,
        )
    data |= over_leads(
        "beyond_extreme",
        ("model", "variable", "beyond_extreme_lead_time", "quantile"),
        list(extremes.quantiles),
        resampling.at(extremes.leads),
        "quantile of the field beyond the truth",
        "value below which the given part of the valid area lies, averaged over initial conditions; training_extreme "
        "is what it is in the training split",
        units,
    )
    if isinstance(source, TrainingStore) and TRAIN in source.split_names:
        data["training_extreme"] = (
            ("variable", "quantile"),
            _training(source, variables.names, weights, mask),
            {
                "long_name": "quantile of the field in the training split",
                "units": joined(units),
                "definition": f"value below which the given part of the valid area lies, averaged over up to {STATES} "
                "states of the training split",
            },
        )
    return xr.Dataset(
        data,
        coords={
            "model": ("model", list(names), {"long_name": "model"}),
            "beyond_lead_time": (
                "beyond_lead_time",
                lead_times,
                {"long_name": "lead time beyond the truth"},
            ),
            "beyond_extreme_lead_time": (
                "beyond_extreme_lead_time",
                lead_times[extremes.leads],
                {"long_name": "lead time of the quantiles beyond the truth"},
            ),
            "quantile": (
                "quantile",
                list(QUANTILES),
                {"long_name": "part of the area below", "units": "1"},
            ),
        },
    )


def _training(
    store: TrainingStore,
    names: list[str],
    weights: Float64[np.ndarray, "y x"],
    mask: Bool[np.ndarray, "channel y x"] | None,
) -> Float64[np.ndarray, "variable quantile"]:
    states = [pair.select(names).data[:, 0].numpy() for pair in training_pairs(store, STATES)]
    found = np.full((len(names), len(QUANTILES)), np.nan)
    for channel in range(len(names)):
        valid = np.ones(weights.shape, bool) if mask is None else mask[channel]
        if valid.any():
            cells = np.concatenate([state[:, channel][:, valid] for state in states])
            found[channel] = weighted_quantiles(cells, weights[valid]).mean(axis=0)
    return found
