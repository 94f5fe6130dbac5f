"""What is kept of marine heat waves: areas under them, and sums of their errors, of each initial condition."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.metrics.growing_events import GrowingEvents
from triton_earth.evaluation.metrics.heat_wave_errors import (
    NAMES,
    HeatWaveFeatures,
    heat_wave_errors,
)
from triton_earth.evaluation.metrics.heat_wave_events import REACH, HeatWaveClimate
from triton_earth.evaluation.passing import Passing
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights


@dataclass(frozen=True)
class HeatWaveRecords:
    """Heat waves of every source (forecasts, references, truth); zero where there is no truth.

    Attributes:
        area: Part of the valid area under a heat wave.
        hits: Part that is under one in forecast and truth.
        shared: Weight of the cells in which both have one.
        errors: Errors of onset, duration and intensity, added over those cells by weight.
    """

    area: Float64[np.ndarray, "source init lead"]
    hits: Float64[np.ndarray, "forecast init lead"]
    shared: Float64[np.ndarray, "forecast init"]
    errors: Float64[np.ndarray, "forecast init name"]

    @classmethod
    def empty(cls, *, sources: int, inits: int, leads: int) -> "HeatWaveRecords":
        """Return records to put days into."""
        forecasts = sources - 1
        return cls(
            np.zeros((sources, inits, leads)),
            np.zeros((forecasts, inits, leads)),
            np.zeros((forecasts, inits)),
            np.zeros((forecasts, inits, len(NAMES))),
        )

    @classmethod
    def join(cls, parts: Sequence["HeatWaveRecords"]) -> "HeatWaveRecords":
        """Return the records of consecutive initial conditions."""
        return cls(
            np.concatenate([part.area for part in parts], axis=1),
            np.concatenate([part.hits for part in parts], axis=1),
            np.concatenate([part.shared for part in parts], axis=1),
            np.concatenate([part.errors for part in parts], axis=1),
        )


@dataclass
class _Growing:
    """One initial condition whose leads pass: what is not decided yet, and what is known of the days before."""

    events: GrowingEvents
    features: HeatWaveFeatures
    undecided: deque[tuple[int, Float[np.ndarray, "source y x"]]]
    days: int = 0


class HeatWaveRecorder:
    """Finds heat waves day by day.

    The events of a forecast are those of the series of the last days of truth and its own leads; the truth is cut in
    the same way, so that neither knows how an event goes on after the last lead.

    Of each initial condition that passes it has the temperatures of the days that are not decided, fourteen at most, in
    memory, however many leads there are: about 100 bytes for each cell and source.

    Attributes:
        records: What it has kept.
    """

    def __init__(
        self,
        forecast: Forecasts,
        truth: Truth,
        alignment: Alignment,
        variable: str,
        climate: HeatWaveClimate,
        *,
        sources: int,
        region: Place | None = None,
        weights_name: WeightsName = "cell_area",
    ) -> None:
        """Say what to keep.

        Args:
            forecast: Stored daily forecasts.
            truth: The truth, daily.
            alignment: Which belong together.
            variable: Name of the temperature.
            climate: Its climatology and thresholds.
            sources: Number of forecasts, references and truth.
            region: Where scores are taken; None: everywhere.
            weights_name: Which cell weights.
        """
        self._forecast, self._truth, self._alignment = forecast, truth, alignment
        self._variable, self._climate = variable, climate
        (self._channel,) = forecast.variables.indices([variable])
        self._weights = cell_weights(forecast.grid, weights_name)
        mask = TruthReader(forecast, truth, alignment, region).valid_mask
        if mask is not None:
            self._weights = self._weights * mask[self._channel]
        inits, leads = alignment.available.shape
        self._last = leads - 1 - alignment.available[:, ::-1].argmax(axis=1)
        self.records = HeatWaveRecords.empty(sources=sources, inits=inits, leads=leads)
        self._growing: dict[int, _Growing] = {}

    def put(self, passing: Passing) -> None:
        """Go on by a day of some initial conditions."""
        for place, row in enumerate(passing.rows.tolist()):
            fields = [field[place, self._channel] for field in (*passing.fields, passing.truth)]
            self._put(row, passing.lead, np.stack(fields))

    def _put(self, row: int, lead: int, fields: Float[np.ndarray, "source y x"]) -> None:
        if row not in self._growing:
            past = np.repeat(self._past(row)[:, None], len(fields), axis=1)
            empty = HeatWaveFeatures.empty(*fields.shape)
            self._growing[row] = _Growing(GrowingEvents(past), empty, deque())
        series = self._growing[row]
        _, threshold = self._climate.at(self._time(row, lead))
        last = lead == int(self._last[row])
        series.undecided.append((lead, fields))
        with np.errstate(invalid="ignore"):
            decided = series.events.put(fields > threshold, last=last)
        for inside in decided:
            self._decide(row, series, inside)
        if last:
            found = heat_wave_errors(series.features, self._weights)
            self.records.shared[:, row], self.records.errors[:, row] = found
            del self._growing[row]

    def _decide(self, row: int, series: _Growing, inside: Bool[np.ndarray, "source y x"]) -> None:
        lead, fields = series.undecided.popleft()
        seasonal, _ = self._climate.at(self._time(row, lead))
        series.features.put(series.days, inside, fields - seasonal)
        series.days += 1
        self.records.area[:, row, lead] = self._weighted(inside)
        self.records.hits[:, row, lead] = self._weighted(inside[:-1] & inside[-1])

    def _time(self, row: int, lead: int) -> np.ndarray:
        lead_time = np.asarray(self._forecast.lead_times)[self._alignment.leads[lead]]
        return np.asarray(self._forecast.init_times[row : row + 1] + lead_time)

    def _weighted(self, inside: Bool[np.ndarray, "source y x"]) -> Float64[np.ndarray, " source"]:
        return np.asarray((inside * self._weights).sum(axis=(1, 2)) / self._weights.sum())

    def _past(self, row: int) -> Bool[np.ndarray, "day y x"]:
        """Return whether the truth was beyond the threshold on the days up to the initial time that matter."""
        (channel,) = self._truth.variables.indices([self._variable])
        stop = int(self._alignment.starts[row]) + 1
        days = slice(max(0, stop - REACH), stop)
        trajectory = int(np.asarray(self._forecast.trajectories)[row])
        past = self._truth.read(trajectory, days)[:, channel]
        with np.errstate(invalid="ignore"):
            return np.asarray(past > self._climate.at(self._truth.times[days])[1])
