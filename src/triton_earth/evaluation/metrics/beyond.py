"""Scores of leads beyond the end of the truth: long runs against the training climate alone."""

from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, Int

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.aggregator import (
    Aggregator,
    Batch,
    Case,
    Finished,
    ModelFields,
)
from triton_earth.evaluation.alignment import (
    Alignment,
    Forecasts,
    describe_numbers,
    lead_numbers,
    spread_leads,
)
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.metrics.drift import trend
from triton_earth.evaluation.metrics.error_metrics import forecast_variance
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.metrics.extremes import (
    QUANTILE_AXIS,
    QUANTILES,
    field_quantiles,
    no_quantiles,
    weighted_quantiles,
)
from triton_earth.evaluation.results import Results, squared_units
from triton_earth.models.climatology import TRAIN
from triton_earth.rollout.guard.training_range import STATES, training_pairs

BY_LEAD = ("model", "beyond_lead_time", "variable")

Means = Float64[np.ndarray, "model init lead variable"]


def beyond(case: Case) -> list[Aggregator]:
    """Return the aggregator of the leads beyond the truth; none where the truth reaches every lead."""
    steps = beyond_truth(case.forecast, case.alignment)
    return [BeyondMeans(case, steps)] if steps.size else []


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


class BeyondMeans(Aggregator):
    """Keeps area means, variances and quantiles of the models at leads beyond the truth.

    Attributes:
        steps_without_truth: Those leads.
        mean: Area means.
        variance: Variances over the cells.
        departure: Area means of the departures from climatology, or None where there is none.
        leads: Positions of the leads that quantiles are kept of.
        quantiles: Values of `weighted_quantiles`.
    """

    INIT_AXES: ClassVar = {"mean": 1, "variance": 1, "departure": 1, "quantiles": 1}

    def __init__(self, case: Case, steps: Int[np.ndarray, " lead"]) -> None:
        """Begin without fields."""
        self._case = case
        models, variables, inits = len(case.models), len(case.variables), case.shape[0]
        self.steps_without_truth: list[int] = steps.tolist()
        shape = (models, inits, len(steps), variables)
        self.mean: Means = np.full(shape, np.nan)
        self.variance: Means = np.full(shape, np.nan)
        self.departure: Means | None = None
        if case.baselines.climatology is not None:
            self.departure = np.full(shape, np.nan)
        self.leads = spread_leads(len(steps))
        self.quantiles = no_quantiles(models, inits, len(self.leads), variables)

    def add(self, batch: Batch) -> None:
        """Keep nothing of leads that have a truth."""

    def add_without_truth(self, fields: ModelFields) -> None:
        """Keep mean, variance and extremes of some initial conditions at one lead."""
        case, place = self._case, self.steps_without_truth.index(fields.step)
        weights, mask, climatology = case.weights, case.valid_mask, case.baselines.climatology
        for model, field in enumerate(fields.fields):
            at = (model, fields.rows, place)
            sums = error_sums(field, field, weights, mask)
            self.mean[at] = sums.forecast / sums.weight
            self.variance[at] = forecast_variance(sums)
            for position in np.flatnonzero(self.leads == place).tolist():
                found = field_quantiles(field, weights, mask)
                self.quantiles[model, fields.rows, position] = found
            if climatology is not None and self.departure is not None:
                anomaly = field - climatology.at(fields.valid_times).astype(np.float32)
                sums = error_sums(anomaly, anomaly, weights, mask)
                self.departure[at] = sums.forecast / sums.weight

    def scores(self, finished: Finished) -> xr.Dataset:
        """Score the leads of long runs for which there is no truth.

        Returns:
            `beyond_area_mean`, `beyond_variance` and, with a climatology, `beyond_seasonal_departure` (model, variable,
            beyond_lead_time) and `beyond_drift_rate` (model, variable); `beyond_extreme` (model, variable,
            beyond_extreme_lead_time, quantile), each with NAME_interval (…, bound); with a training split also
            `training_extreme` (variable, quantile).
        """
        case, steps = finished.case, np.array(self.steps_without_truth)
        lead_times = np.asarray(case.forecast.lead_times)[steps]
        bootstrap = Bootstrap.draw(
            np.asarray(case.forecast.trajectories),
            np.asarray(case.forecast.init_times),
            lead_times,
            np.ones((case.shape[0], len(steps)), bool),
            resamples=finished.bootstrap.resamples,
            seed=case.seed,
        )
        results, units = Results(bootstrap), [variable.units for variable in case.variables]
        squares = [squared_units(unit) for unit in units]
        means = [
            ("beyond_area_mean", self.mean, "area mean beyond the truth", units),
            ("beyond_variance", self.variance, "variance over the cells beyond the truth", squares),
        ]
        if self.departure is not None:
            title = "departure of the area mean from the seasonal cycle beyond the truth"
            means.append(("beyond_seasonal_departure", self.departure, title, units))
            numbers = lead_numbers(case.forecast)[steps].astype(np.float64)
            samples = (bootstrap.means(one, joined=True) for one in self.departure)
            results.add(
                "beyond_drift_rate",
                ("model", "variable"),
                (trend(np.swapaxes(one, 1, 2), numbers) for one in samples),
                joined=True,
                long_name="drift from the seasonal cycle beyond the truth per time step",
                units=units,
                definition="least-squares slope over lead of beyond_seasonal_departure, per time step",
            )
        for name, values, title, unit in means:
            results.add(
                name,
                BY_LEAD,
                (bootstrap.means(one) for one in values),
                long_name=title,
                units=unit,
                definition=f"{title}, of the valid cells, averaged over all initial conditions; missing where a field "
                "is not finite",
            )
        some = bootstrap.at(self.leads)
        results.add(
            "beyond_extreme",
            ("model", "beyond_extreme_lead_time", "variable", "quantile"),
            (some.means(one) for one in self.quantiles),
            at=some,
            long_name="quantile of the field beyond the truth",
            units=units,
            definition="value below which the given part of the valid area lies, averaged over initial conditions; "
            "training_extreme is that of the training split",
        )
        if isinstance(case.training, TrainingStore) and TRAIN in case.training.split_names:
            results.add_plain(
                "training_extreme",
                ("variable", "quantile"),
                _training(case.training, case.variables.names, case.weights, case.valid_mask),
                long_name="quantile of the field in the training split",
                units=units,
                definition=f"value below which the given part of the valid area lies, averaged over up to {STATES} "
                "states of the training split",
            )
        names = list(case.names[: len(case.models)])
        titles = [
            {"long_name": f"lead time {words}beyond the truth"}
            for words in ("", "of the quantiles ")
        ]
        return results.dataset(
            {
                "model": ("model", names, {"long_name": "model"}),
                "beyond_lead_time": ("beyond_lead_time", lead_times, titles[0]),
                "beyond_extreme_lead_time": (
                    "beyond_extreme_lead_time",
                    lead_times[self.leads],
                    titles[1],
                ),
                **QUANTILE_AXIS,
            }
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
