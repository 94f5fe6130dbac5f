"""Error metrics per forecast, variable and lead time, and the paired differences of mse from baselines and rivals."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64

from triton_earth.core.variables import Variables
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.alignment import spread_leads
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.metrics.error_metrics import (
    METRICS,
    both_vary,
    mean_square_error,
    truth_varies,
)
from triton_earth.evaluation.metrics.error_sums import COUNT, ErrorSums, sums_of
from triton_earth.evaluation.results import Results

DIMENSIONS = ("forecast", "lead_time", "variable")

LEADS_OF_STARTS = 4
"""Leads at which the errors of single initial conditions are told."""

Sums = Float64[np.ndarray, "sum source init lead variable"]


def difference_name(rival: str) -> str:
    """Return the name of the score mse minus that of a rival, a baseline or another model."""
    return "mse_minus_" + re.sub(r"\W+", "_", rival).strip("_")


class Errors(Aggregator):
    """Keeps the sums that every error metric follows from.

    Attributes:
        sums: The sums of `ErrorSums` of models and baselines; zero where there is no truth.
        anomaly_sums: The same of the departures from climatology, or None where there is none.
    """

    INIT_AXES: ClassVar = {"sums": 2, "anomaly_sums": 2}

    def __init__(self, case: Case) -> None:
        """Begin without sums."""
        self._weights, self._valid_mask = case.weights, case.valid_mask
        shape = (COUNT, len(case.forecasts), *case.shape, len(case.variables))
        self.sums: Sums = np.zeros(shape)
        self.anomaly_sums: Sums | None = None
        if case.baselines.climatology is not None:
            self.anomaly_sums = np.zeros(shape)

    def add(self, batch: Batch) -> None:
        """Keep the sums over the cells of some initial conditions at one lead."""
        put_sums(batch, self._weights, self._valid_mask, self.sums, self.anomaly_sums)

    def of(self, source: int) -> ErrorSums:
        """Return the sums of one source, [init, lead, variable]."""
        return ErrorSums(*self.sums[:, source])

    def anomalies_of(self, source: int) -> ErrorSums | None:
        """Return the sums of the departures of one source from climatology, [init, lead, variable]."""
        return None if self.anomaly_sums is None else ErrorSums(*self.anomaly_sums[:, source])

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return every metric of `METRICS` and the paired differences of mse, (forecast, variable, lead_time).

        `initial_conditions` (lead_time) is how many were scored.
        """
        case, results = finished.case, Results(finished.bootstrap)
        results.add_plain(
            "initial_conditions",
            ("lead_time",),
            finished.bootstrap.available.sum(axis=0),
            long_name="initial conditions scored",
            units="1",
            definition="number of initial conditions whose truth reaches this lead time",
        )
        results.add_plain(
            "correlated_conditions",
            DIMENSIONS,
            np.stack([self._correlated(finished, one).sum(axis=0) for one in case.forecasts]),
            long_name="initial conditions that have a correlation",
            units="1",
            definition="number of scored initial conditions whose truth and forecast vary over the cells; the "
            "pattern correlation is the mean over these",
        )
        for score in error_scores(case, self.sums, self.anomaly_sums):
            results.add(
                score.name,
                DIMENSIONS,
                score.samples(finished.bootstrap),
                long_name=score.long_name,
                units=score.units(case.variables),
                definition=score.definition,
            )
        shown = spread_leads(case.shape[1], LEADS_OF_STARTS)
        with np.errstate(invalid="ignore"):
            by_start = np.sqrt(
                [mean_square_error(self.of(source))[:, shown] for source in case.forecasts]
            )
        results.add_plain(
            "initial_rmse",
            ("forecast", "init", "initial_lead_time", "variable"),
            by_start,
            long_name="root mean square error of each initial condition",
            units=[variable.units for variable in case.variables],
            definition="rmse of a single initial condition, at some leads; missing where there is no truth",
        )
        title = {"long_name": "lead time of the errors of single initial conditions"}
        return results.dataset(
            {"initial_lead_time": ("initial_lead_time", case.lead_times[shown], title)}
        )

    def remarks(self, finished: Finished) -> list[str]:
        """Return which variables have no correlation of some initial conditions, as rain on a dry day."""
        scored = finished.bootstrap.available
        case, there = finished.case, scored[..., None] & truth_varies(self.of(0))
        found = []
        for number, name in enumerate(case.variables.names):
            without = {"The truth": scored & ~there[..., number]}
            for one in case.forecasts:
                lacks = there & ~self._correlated(finished, one)
                without[f"{case.names[one]}: the forecast"] = lacks[..., number]
            for whose, lacking in without.items():
                leads = np.flatnonzero(lacking.any(axis=0))
                # A forecast that is so always, as a constant climatology, has no correlation and needs no remark.
                if leads.size and (lacking != scored).any():
                    found.append(
                        f"{whose} of {name} is the same in all cells in "
                        f"{int(lacking.sum())} of {int(scored.sum())} pairs of initial condition and lead, first at "
                        f"step {case.alignment.numbers[leads[0]]}: its correlation is the mean over the others."
                    )
        return found

    def _correlated(
        self, finished: Finished, source: int
    ) -> Bool[np.ndarray, "init lead variable"]:
        """Return where truth and forecast have a correlation."""
        return finished.bootstrap.available[..., None] & both_vary(self.of(source))


def put_sums(
    batch: Batch,
    weights: Float64[np.ndarray, "y x"],
    mask: Bool[np.ndarray, "channel y x"] | None,
    sums: Sums,
    anomaly_sums: Sums | None,
) -> None:
    """Put the sums over some cells, of the fields and of their departures from climatology, into arrays."""
    at = (batch.rows, batch.lead)
    mean = None if anomaly_sums is None else batch.climatology
    found, of_anomalies = sums_of(batch.fields, batch.truth, weights, mask, mean)
    sums[:, :, *at] = found
    if anomaly_sums is not None and of_anomalies is not None:
        anomaly_sums[:, :, *at] = of_anomalies


@dataclass(frozen=True)
class ErrorScore:
    """A metric, or the paired difference of mse from an opponent.

    Attributes:
        name: Its name.
        long_name: The score in words.
        definition: What it is.
        metric: Name of the metric that it is, or a difference of.
        sums: Sums of each forecast.
        opponent: Position of the opponent of a difference.
    """

    name: str
    long_name: str
    definition: str
    metric: str
    sums: Sequence[ErrorSums]
    opponent: int | None = None

    def units(self, variables: Variables) -> list[str]:
        """Return its units for each variable."""
        return [METRICS[self.metric].units(variable.units) for variable in variables]

    def samples(
        self, bootstrap: Bootstrap
    ) -> Iterator[Float64[np.ndarray, "sample lead variable"]]:
        """Yield the score of each forecast, of the data and of each resample."""
        metric = METRICS[self.metric]
        if self.opponent is None:
            for sums in self.sums:
                defined = None if metric.defined is None else metric.defined(sums)
                yield metric.finish(bootstrap.means(metric.of_one(sums), defined=defined))
            return
        least = bootstrap.means(mean_square_error(self.sums[self.opponent]))
        for sums in self.sums:
            with np.errstate(invalid="ignore"):
                yield bootstrap.means(mean_square_error(sums)) - least


def error_scores(case: Case, sums: Sums, anomaly_sums: Sums | None) -> list[ErrorScore]:
    """Return the scores that follow from sums: the metrics, and differences of mse from every opponent.

    Args:
        case: What all scores share.
        sums: The sums of `ErrorSums`.
        anomaly_sums: The same of departures from climatology; None: without the metrics that need them.
    """
    errors = [ErrorSums(*one) for one in sums.swapaxes(0, 1)]
    anomalies = (
        [] if anomaly_sums is None else [ErrorSums(*one) for one in anomaly_sums.swapaxes(0, 1)]
    )
    found = [
        ErrorScore(
            metric.name,
            metric.long_name,
            metric.definition,
            metric.name,
            anomalies if metric.anomalies else errors,
        )
        for metric in METRICS.values()
        if anomalies or not metric.anomalies
    ]
    for opponent in case.opponents:
        name = case.names[opponent]
        found.append(
            ErrorScore(
                difference_name(name),
                f"mean square error minus that of {name}",
                f"mse - mse of {name}; the interval is of the difference, both from the same resamples: an upper bound "
                f"below zero says that the forecast is better than {name}",
                "mse",
                errors,
                opponent,
            )
        )
    return found
