"""Whether forecasts have the marine heat waves of the truth, by lead time, and how they differ in days and strength."""

from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.processes.tasks import Tasks
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.metrics.heat_waves.baseline import HeatWaveBaseline, heat_wave_baseline
from triton_earth.evaluation.metrics.heat_waves.events import (
    MAX_GAP,
    MIN_DURATION,
    REACH,
    GrowingEvents,
    HeatWaveClimate,
)
from triton_earth.evaluation.results import Results

NAMES = ("onset", "duration", "intensity")

UNDECIDED = (
    f"The last {REACH} days of each forecast are left out: whether they belong to an event ({MIN_DURATION} days or "
    f"more, gaps of up to {MAX_GAP} joined) depends on days after its end."
)
"""What readers must know of the last leads."""

_BY_LEAD = {
    "heat_wave_hit_rate": (
        "hit rate of heat waves",
        "part of the area-weighted heat-wave days of the truth that the forecast has too",
    ),
    "heat_wave_false_alarm_ratio": (
        "false alarm ratio of heat waves",
        "part of the area-weighted heat-wave days of the forecast that the truth does not have",
    ),
    "heat_wave_iou": (
        "intersection over union of heat waves",
        "area-weighted heat-wave days of both forecast and truth, divided by those of either",
    ),
}


@dataclass(frozen=True)
class HeatWaveFeatures:
    """What the heat waves of forecasts and truth are like in each cell, as far as days have passed.

    Attributes:
        onset: First heat-wave day, 0 the first that passed; −1 where there is none.
        duration: Number of heat-wave days.
        intensity: Largest departure from the seasonal climatology on them; −∞ where there is none.
    """

    onset: Int[np.ndarray, "source y x"]
    duration: Int[np.ndarray, "source y x"]
    intensity: Float64[np.ndarray, "source y x"]

    @classmethod
    def empty(cls, *shape: int) -> "HeatWaveFeatures":
        """Return those of no day."""
        return cls(np.full(shape, -1, np.int32), np.zeros(shape, np.int32), np.full(shape, -np.inf))

    def put(
        self,
        day: int,
        inside: Bool[np.ndarray, "source y x"],
        anomaly: Float[np.ndarray, "source y x"],
    ) -> None:
        """Go on by a day.

        Args:
            day: Its number.
            inside: Where it is a heat-wave day.
            anomaly: Departure from the seasonal climatology.
        """
        self.onset[inside & (self.onset < 0)] = day
        self.duration[inside] += 1
        self.intensity[inside] = np.maximum(self.intensity[inside], anomaly[inside])


def heat_wave_errors(
    features: HeatWaveFeatures, weights: Float64[np.ndarray, "y x"]
) -> tuple[
    Int[np.ndarray, " forecast"],
    Float64[np.ndarray, " forecast"],
    Float64[np.ndarray, "forecast 3"],
]:
    """Sum the errors of heat waves over the cells in which forecast and truth both have one.

    Args:
        features: Heat waves of forecasts and, last, the truth.
        weights: Cell weights.

    Returns:
        Of each forecast the number and the weight of those cells, and the weighted sums of forecast − truth of onset
        (days), duration (days) and intensity (units of the temperature).
    """
    there = features.duration > 0
    count, weight, errors = [], [], []
    for forecast in range(len(there) - 1):
        both = there[forecast] & there[-1]
        chosen = weights[both]
        difference = [
            values[forecast][both] - values[-1][both]
            for values in (features.onset, features.duration, features.intensity)
        ]
        count.append(np.count_nonzero(chosen))
        weight.append(chosen.sum())
        errors.append([(one * chosen).sum() for one in difference])
    return np.array(count), np.array(weight), np.array(errors, np.float64).reshape(-1, len(NAMES))


@dataclass(frozen=True)
class HeatWaves(Family):
    """Scores of marine heat waves.

    Attributes:
        asked: Temperature, as VARIABLE or with the baseline period as VARIABLE:START..END.
        climate: Climatology and thresholds, once they are known.
    """

    asked: str
    climate: HeatWaveClimate | None = None

    def baseline(self, case: Case) -> HeatWaveBaseline:
        """Return the temperature and the period that thresholds are from, and refuse what cannot be scored."""
        return heat_wave_baseline(
            self.asked, case.forecast, case.truth, case.alignment, case.climatology
        )

    def check(self, case: Case) -> list[str]:
        """Refuse forecasts that cannot be scored, and say which period the thresholds are from."""
        return [self.baseline(case).remark, f"Heat waves: {UNDECIDED[0].lower()}{UNDECIDED[1:]}"]

    def fit(self, case: Case, tasks: Tasks) -> "HeatWaves":
        """Return the family with its thresholds."""
        return replace(self, climate=self.baseline(case).climate(tasks))

    def start(self, case: Case) -> list[Aggregator]:
        """Return the aggregator that finds the heat waves."""
        assert self.climate is not None
        return [HeatWaveSums(case, self.baseline(case), self.climate)]


@dataclass
class _Growing:
    """One initial condition whose leads pass: what is not decided yet, and what is known of the days before."""

    events: GrowingEvents
    features: HeatWaveFeatures
    undecided: deque[tuple[int, np.ndarray, Float[np.ndarray, "source y x"]]]
    days: int = 0


class HeatWaveSums(Aggregator):
    """Finds heat waves day by day.

    The events of a forecast are those of the series of the last days of truth and its own leads. Whether a day is in an
    event depends on up to `REACH` days after it, which are beyond the forecast for its last leads: these are left out,
    of forecasts and truth alike, so that the events of the truth are those of its whole series.

    While an initial condition passes, the temperatures of the days that are not decided are in memory, fourteen at
    most, however many leads there are: about 100 bytes for each cell and source.

    Attributes:
        baseline: Temperature and period of the thresholds, in a sentence.
        units: Units of the temperature.
        decided: Where the forecast reaches far enough to tell.
        area: Part of the valid area under a heat wave; zero, as all that follow, where it is not decided.
        hits: Part that is under one in forecast and truth.
        cells: Number of cells in which both have one.
        shared: Their weight.
        errors: Errors of onset, duration and intensity, added over those cells by weight.
    """

    INIT_AXES: ClassVar = dict(decided=0, area=1, hits=1, cells=1, shared=1, errors=1)

    def __init__(self, case: Case, baseline: HeatWaveBaseline, climate: HeatWaveClimate) -> None:
        """Begin without days.

        Args:
            case: The case; forecasts and truth are daily.
            baseline: The temperature.
            climate: Its climatology and thresholds.
        """
        self._case, self._climate = case, climate
        (self._channel,) = case.variables.indices([baseline.variable])
        self._weights = case.weights
        if case.valid_mask is not None:
            self._weights = self._weights * case.valid_mask[self._channel]
        (inits, leads), forecasts = case.shape, len(case.forecasts)
        self._last = leads - 1 - case.alignment.available[:, ::-1].argmax(axis=1)
        self._growing: dict[int, _Growing] = {}
        self.baseline = baseline.remark
        self.units = list(case.variables)[self._channel].units
        self.decided: Bool[np.ndarray, "init lead"] = (
            np.arange(leads) <= self._last[:, None] - REACH
        ) & case.alignment.available
        self.area: Float64[np.ndarray, "source init lead"] = np.zeros((case.sources, inits, leads))
        self.hits: Float64[np.ndarray, "forecast init lead"] = np.zeros((forecasts, inits, leads))
        self.cells: Int[np.ndarray, "forecast init"] = np.zeros((forecasts, inits), np.int64)
        self.shared: Float64[np.ndarray, "forecast init"] = np.zeros((forecasts, inits))
        self.errors: Float64[np.ndarray, "forecast init name"] = np.zeros(
            (forecasts, inits, len(NAMES))
        )

    def add(self, batch: Batch) -> None:
        """Go on by a day of some initial conditions."""
        for place, row in enumerate(batch.rows.tolist()):
            fields = [field[place, self._channel] for field in batch.sources]
            self._add(row, batch.lead, batch.valid_times[place : place + 1], np.stack(fields))

    def _add(
        self, row: int, lead: int, time: np.ndarray, fields: Float[np.ndarray, "source y x"]
    ) -> None:
        if row not in self._growing:
            past = np.repeat(self._past(row)[:, None], len(fields), axis=1)
            empty = HeatWaveFeatures.empty(*fields.shape)
            self._growing[row] = _Growing(GrowingEvents(past), empty, deque())
        series = self._growing[row]
        _, threshold = self._climate.at(time)
        last = lead == int(self._last[row])
        series.undecided.append((lead, time, fields))
        with np.errstate(invalid="ignore"):
            decided = series.events.put(fields > threshold, last=last)
        for inside in decided:
            self._decide(row, series, inside)
        if last:
            found = heat_wave_errors(series.features, self._weights)
            self.cells[:, row], self.shared[:, row], self.errors[:, row] = found
            del self._growing[row]

    def _decide(self, row: int, series: _Growing, inside: Bool[np.ndarray, "source y x"]) -> None:
        lead, time, fields = series.undecided.popleft()
        seasonal, _ = self._climate.at(time)
        series.features.put(series.days, inside, fields - seasonal)
        series.days += 1
        self.area[:, row, lead] = self._weighted(inside)
        self.hits[:, row, lead] = self._weighted(inside[:-1] & inside[-1])

    def _weighted(self, inside: Bool[np.ndarray, "source y x"]) -> Float64[np.ndarray, " source"]:
        return np.asarray((inside * self._weights).sum(axis=(1, 2)) / self._weights.sum())

    def _past(self, row: int) -> Bool[np.ndarray, "day y x"]:
        """Return whether the truth was beyond the threshold on the days up to the initial time that matter."""
        case = self._case
        stop = int(case.alignment.starts[row]) + 1
        days = slice(max(0, stop - REACH), stop)
        trajectory = int(np.asarray(case.forecast.trajectories)[row])
        channel = case.alignment.channels[self._channel]
        past = case.truth.read(trajectory, days)[:, channel]
        with np.errstate(invalid="ignore"):
            return np.asarray(past > self._climate.at(case.truth.times[days])[1])

    def scores(self, finished: Finished) -> xr.Dataset:
        """Score the marine heat waves of forecasts and baselines against those of the truth.

        Returns:
            `heat_wave_hit_rate`, `heat_wave_false_alarm_ratio`, `heat_wave_iou` (forecast, lead_time), each with
            NAME_interval (…, bound); `heat_wave_area` (source, lead_time), the part of the area under a heat wave; and
            `heat_wave_onset_error`, `heat_wave_duration_error`, `heat_wave_intensity_error` (forecast), with intervals.
        """
        results, bootstrap = Results(finished.bootstrap), finished.bootstrap

        def means(values: Float64[np.ndarray, "init lead"]) -> Float64[np.ndarray, "sample lead"]:
            return bootstrap.means(values, defined=self.decided)

        true = means(self.area[-1])
        samples: dict[str, list[np.ndarray]] = {name: [] for name in _BY_LEAD}
        for own_area, own_hits in zip(self.area, self.hits, strict=False):
            own, shared = means(own_area), means(own_hits)
            with np.errstate(invalid="ignore", divide="ignore"):
                samples["heat_wave_hit_rate"].append(shared / true)
                samples["heat_wave_false_alarm_ratio"].append(1 - shared / own)
                samples["heat_wave_iou"].append(shared / (own + true - shared))
        for name, (long_name, definition) in _BY_LEAD.items():
            results.add(
                name,
                ("forecast", "lead_time"),
                samples[name],
                long_name=long_name,
                units="1",
                definition=f"{definition}; over all initial conditions, missing where there are no such days. "
                f"{UNDECIDED}",
            )
        results.add_plain(
            "heat_wave_area",
            ("source", "lead_time"),
            np.stack([means(one)[0] for one in self.area]),
            long_name="area under heat waves",
            units="1",
            definition="part of the valid area that is in a marine heat wave (Hobday et al. 2016; days above the 90th "
            f"percentile for 5 days or more, gaps of up to 2 days joined). {UNDECIDED} {self.baseline}",
        )
        self._add_errors(results)
        return results.dataset()

    def _add_errors(self, results: Results) -> None:
        weights = results.bootstrap.samples
        with np.errstate(invalid="ignore", divide="ignore"):
            samples = np.einsum("si,fin->sfn", weights, self.errors)
            samples = samples / (weights @ self.shared.T)[..., None]
        words = {
            "onset": ("day", "first heat-wave day"),
            "duration": ("day", "number of heat-wave days"),
            "intensity": (
                self.units,
                "largest departure from the seasonal climatology on heat-wave days",
            ),
        }
        for position, name in enumerate(NAMES):
            units, feature = words[name]
            results.add(
                f"heat_wave_{name}_error",
                ("forecast",),
                samples[:, :, position],
                joined=True,
                long_name=f"error of the {name} of heat waves",
                units=units,
                definition=f"forecast minus truth of the {feature}; area-weighted mean over cells in which both have a "
                f"heat wave. {UNDECIDED}",
            )
        for name, values, counted in (
            ("cells", self.cells.sum(axis=1), "pairs of a cell and an initial condition"),
            ("starts", np.count_nonzero(self.cells, axis=1), "initial conditions with such a cell"),
        ):
            results.add_plain(
                f"heat_wave_shared_{name}",
                ("forecast",),
                values,
                long_name=f"{name} with a heat wave in forecast and truth",
                units="1",
                definition=f"number of {counted} in which forecast and truth have a heat wave: the sample of the "
                "errors of onset, duration and intensity",
            )
