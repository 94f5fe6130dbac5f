"""The family of climate scores: long runs against the training climate, put together while fields pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from triton_earth.core.processes.tasks import Tasks
from triton_earth.evaluation.aggregator import (
    Aggregator,
    Batch,
    Case,
    Family,
    Finished,
    ModelFields,
)
from triton_earth.evaluation.climate.measures import RunStatistics
from triton_earth.evaluation.climate.records import (
    STATISTICS,
    ClimateRecords,
    climate_skill,
)
from triton_earth.evaluation.climate.scores import DEFINITIONS
from triton_earth.evaluation.climate.setting import ClimateSetting, climate_setting
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.evaluation.metrics.drift import trend
from triton_earth.evaluation.results import Results


@dataclass(frozen=True)
class Climate(Family):
    """Climate scores of runs that are long enough, where there is a training split.

    Attributes:
        setting: What runs are compared with; None before `fit`, or where there are no climate scores.
    """

    setting: ClimateSetting | None = None

    def fit(self, case: Case, tasks: Tasks) -> "Climate":
        """Return the family with the climate, its noise floor and the bands of the truth's own runs."""
        inside = None if case.region is None else case.region.cells(case.grid)
        found = climate_setting(
            case.forecast, case.training, cell_weights=case.weights, inside=inside
        )
        return replace(self, setting=found)

    def start(self, case: Case) -> Sequence[Aggregator]:
        """Return the aggregator of runs; none where there are no climate scores."""
        return [] if self.setting is None else [ClimateRuns(case, self.setting)]


class ClimateRuns(Aggregator):
    """Puts the runs of each model together, lead after lead, and keeps what is scored of them.

    Of an ensemble the first member counts: a mean over members has no weather of its own.

    Attributes:
        steps_without_truth: All leads: the training climate is there at each.
        setting: What runs are compared with.
    """

    INIT_AXES: ClassVar = dict.fromkeys(ClimateRecords.__annotations__, 1)

    def __init__(self, case: Case, setting: ClimateSetting) -> None:
        """Begin without fields."""
        self.setting = setting
        self.steps_without_truth = setting.leads.tolist()
        empty = ClimateRecords.empty(len(case.models), case.shape[0], setting)
        for name in self.INIT_AXES:
            setattr(self, name, getattr(empty, name))
        self._parts: list[ModelFields] = []
        self._rows: Int[np.ndarray, " run"] = np.empty(0, np.int64)
        self._runs: list[RunStatistics] = []

    @property
    def records(self) -> ClimateRecords:
        """What is kept of every run."""
        return ClimateRecords(*(getattr(self, name) for name in self.INIT_AXES))

    def add(self, batch: Batch) -> None:
        """Keep the statistics of some initial conditions at one scored lead."""
        self.add_without_truth(batch)

    def add_without_truth(self, fields: ModelFields) -> None:
        """Keep the statistics of some initial conditions at one lead, with or without a truth."""
        if self._parts and self._parts[0].step != fields.step:
            self._put()
        self._parts.append(fields)
        # The last lead of the runs has no lead after it.
        if fields.step == self.steps_without_truth[-1]:
            seen = sum(len(part.rows) for part in self._parts)
            if seen == len(self._rows):
                self._put()

    def _put(self) -> None:
        """Add one lead of all runs that advance together, in the order of the initial conditions."""
        parts, self._parts = self._parts, []
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows)
        times = np.concatenate([part.valid_times for part in parts])[order]
        if parts[0].step == self.steps_without_truth[0]:
            self._rows = rows[order]
            reference = self.setting.reference
            self._runs = [reference.run(len(rows)) for _ in parts[0].members]
        for model, run in enumerate(self._runs):
            first: Float[np.ndarray, "run channel y x"] = np.concatenate(
                [part.members[model][:, 0] for part in parts]
            )
            run.add(times, first[order])
            if parts[0].step == self.steps_without_truth[-1]:
                self.records.put(model, self._rows, run, self.setting)

    def remarks(self, finished: Finished) -> list[str]:
        """Return in a sentence what the noise floor is."""
        return [self.setting.remark]

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return the climate scores of every run, their ratio to the noise floor, climate skill and failures.

        Returns:
            `climate_score`, `climate_ratio` (model, init, climate_statistic, variable), `climate_floor`
            (climate_statistic, variable); `climate_skill` and `climate_stable` (model) with their intervals,
            `climate_skill_worst` (model), `climate_skill_by_run`, `climate_horizon` (model, init), `climate_failure`
            (model, init, failure); `climate_departure`, `climate_variance_ratio` by window; `climate_departure_trend`,
            `seasonal_amplitude`, `seasonal_delay` (model, init, variable).
        """
        setting, records = self.setting, self.records
        results = Results(finished.bootstrap)
        _add_means(results, records, setting)
        for name, dimensions, values, long_name, units, definition in _by_run(
            records, setting, [variable.units for variable in finished.case.variables]
        ):
            results.add_plain(
                name, dimensions, values, long_name=long_name, units=units, definition=definition
            )
        return results.dataset(_coordinates(finished.case, records, setting))


def _add_means(results: Results, records: ClimateRecords, setting: ClimateSetting) -> None:
    """Add what is averaged over runs, with intervals."""
    weights = results.bootstrap.samples
    stable = ~records.failures.any(axis=-1)
    for name, values, long_name, definition in (
        (
            "climate_skill",
            climate_skill(records.statistics, setting),
            "climate skill",
            "mean over scores and variables of 1 - sqrt(max(0, s2 - n2) / (r2 - n2)), within 0 to 1, averaged over "
            "runs; s the climate score, n its noise floor, r that of a state that never changes",
        ),
        (
            "climate_stable",
            stable.astype(np.float64),
            "part of the runs that stay in the training climate",
            "part of the runs without any climate_failure",
        ),
    ):
        with np.errstate(invalid="ignore", divide="ignore"):
            samples = [weights @ one / weights.sum(axis=1) for one in np.asarray(values)]
        results.add(
            name,
            ("model",),
            samples,
            joined=True,
            long_name=long_name,
            units="1",
            definition=definition,
        )


def _by_run(
    records: ClimateRecords, setting: ClimateSetting, units: list[str]
) -> Iterator[tuple[str, tuple[str, ...], np.ndarray, str, str | list[str], str]]:
    """Yield name, dimensions, values, title, units and definition of the scores without an interval."""
    floor = np.stack([setting.floor[name] for name in STATISTICS])
    run, of_variable = ("model", "init"), ("model", "init", "variable")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = records.statistics / floor
    yield (
        "climate_definition",
        ("climate_statistic",),
        np.array([DEFINITIONS[name] for name in STATISTICS]),
        "definition of the climate score",
        "",
        "in words",
    )
    yield (
        "climate_score",
        (*run, "climate_statistic", "variable"),
        records.statistics,
        "climate score",
        "1",
        "departure of a run from the training climate; climate_definition defines the scores",
    )
    yield (
        "climate_floor",
        ("climate_statistic", "variable"),
        floor,
        "noise floor of the climate score",
        "1",
        setting.remark,
    )
    yield (
        "climate_ratio",
        (*run, "climate_statistic", "variable"),
        ratio,
        "climate score over its noise floor",
        "1",
        "about 1 where a run is as close to the climate as the truth is to itself",
    )
    skill = climate_skill(records.statistics, setting)
    yield (
        "climate_skill_by_run",
        run,
        skill,
        "climate skill of a run",
        "1",
        "climate_skill of one run",
    )
    yield (
        "climate_skill_worst",
        ("model",),
        skill.min(axis=1),
        "climate skill of the worst run",
        "1",
        "smallest climate_skill_by_run of a model",
    )
    month, quarter = _windows(setting)
    yield (
        "climate_horizon",
        run,
        records.horizon,
        "step at which a run has left the training climate",
        "1",
        f"last step of the first window of {month} steps outside the bands that 95 of 100 runs of the truth of the "
        "same length stay within; infinite where a run stays inside",
    )
    yield (
        "climate_failure",
        (*run, "failure"),
        records.failures,
        "way in which a run leaves the training climate",
        "1",
        "; ".join(f"{name}: {words}" for name, words in FAILURES.items()),
    )
    yield (
        "climate_departure",
        (*run, "climate_window", "variable"),
        records.departure,
        "departure of the area mean from the season",
        units,
        f"area-mean anomaly, averaged over windows of {month} steps",
    )
    ends = month * np.arange(1.0, records.departure.shape[2] + 1)
    yield (
        "climate_departure_trend",
        of_variable,
        trend(np.moveaxis(records.departure, 2, -1), ends),
        "trend of the departure from the season per step",
        units,
        "least-squares slope of climate_departure over the run, per step",
    )
    yield (
        "climate_variance_ratio",
        (*run, "climate_quarter", "variable"),
        records.variance,
        "mean square anomaly over that expected",
        "1",
        f"of windows of {quarter} steps",
    )
    if np.isfinite(records.amplitude).any():
        yield (
            "seasonal_amplitude",
            of_variable,
            records.amplitude,
            "amplitude of the annual wave over that of the climate",
            "1",
            "modulus of the regression of the annual waves of the rows' means on those of the climate",
        )
        yield (
            "seasonal_delay",
            of_variable,
            records.late,
            "delay of the annual wave",
            "days",
            "argument of the regression of the annual waves of the rows' means on those of the climate",
        )


def _windows(setting: ClimateSetting) -> tuple[int, int]:
    """Return the steps of the windows of means and of variances."""
    measures, steps = setting.reference.measures, len(setting.leads)
    return min(measures.month, steps), min(measures.quarter, steps)


def _coordinates(case: Case, records: ClimateRecords, setting: ClimateSetting) -> dict[str, tuple]:
    month, quarter = _windows(setting)
    last_step = {"long_name": "last step of the window", "units": "1"}
    ends = month * np.arange(1, records.departure.shape[2] + 1)
    quarters = quarter * np.arange(1, records.variance.shape[2] + 1)
    names = list(case.names[: len(case.models)])
    return {
        "model": ("model", names, {"long_name": "model"}),
        "climate_statistic": (
            "climate_statistic",
            list(STATISTICS),
            {"long_name": "climate score"},
        ),
        "failure": (
            "failure",
            list(FAILURES),
            {"long_name": "way of leaving the training climate"},
        ),
        "climate_window": ("climate_window", ends, last_step),
        "climate_quarter": ("climate_quarter", quarters, last_step),
    }
