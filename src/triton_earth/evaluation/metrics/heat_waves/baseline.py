"""Which days heat-wave thresholds come from, and every reason why a forecast's heat waves cannot be scored."""

from dataclasses import dataclass

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.processes.tasks import InThisProcess, Tasks
from triton_earth.core.time import describe_duration, same_duration
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth, describe_numbers
from triton_earth.evaluation.metrics.heat_waves.events import (
    REACH,
    HeatWaveClimate,
    heat_wave_climate,
)
from triton_earth.models.climatology import TRAIN

VALUES_IN_MEMORY = 2**27
"""Values of the baseline period held at a time."""

FEWEST_DAYS = 365
"""Days that a baseline period must have."""

_DAY = np.timedelta64(1, "D")
_FORM = "expected VARIABLE or VARIABLE:START..END, for example sst:1991-01-01..2020-12-31"


@dataclass(frozen=True)
class HeatWaveBaseline:
    """A temperature and the days that its thresholds come from.

    Attributes:
        store: The store that they are in.
        variable: Name of the temperature.
        days: The baseline period: consecutive days of one trajectory.
        remark: The period in a sentence, and whether it overlaps with what is scored.
    """

    store: TrainingStore
    variable: str
    days: Segment
    remark: str

    def climate(self, places: Tasks | None = None) -> HeatWaveClimate:
        """Return climatology and thresholds, made row by row so that the period need not fit into memory.

        Args:
            places: Where rows are worked on; None: in this process.
        """
        places = places or InThisProcess()
        ny, nx = self.store.grid.shape
        rows = max(1, min(VALUES_IN_MEMORY // (len(self.days) * nx), -(-ny // places.processes)))
        some = [slice(first, min(first + rows, ny)) for first in range(0, ny, rows)]
        parts = list(places.map(_climate_of_rows, self, some))
        return HeatWaveClimate(
            np.concatenate([part.seasonal for part in parts], axis=1),
            np.concatenate([part.threshold for part in parts], axis=1),
        )


def _climate_of_rows(baseline: HeatWaveBaseline, rows: slice) -> HeatWaveClimate:
    store, days = baseline.store, baseline.days
    (channel,) = store.variables.indices([baseline.variable])
    fields = np.empty((len(days), rows.stop - rows.start, store.grid.shape[1]), np.float32)
    for first in range(0, len(days), 64):
        some = slice(days.start + first, min(days.start + first + 64, days.stop))
        fields[first : first + 64] = store.read(days.trajectory, some)[:, channel, rows]
    return heat_wave_climate(fields, store.times[days.start : days.stop])


def heat_wave_baseline(
    asked: str,
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    climatology: TrainingStore | None = None,
) -> HeatWaveBaseline:
    """Read ``VARIABLE`` or ``VARIABLE:START..END`` and refuse what cannot be scored; no field is read.

    Args:
        asked: What `--heat-waves` says. Without a period thresholds are from the longest stretch of the training split.
        forecast: Stored daily forecasts.
        truth: Daily training store.
        alignment: Which belong together.
        climatology: Store that thresholds are from; None: the truth.

    Raises:
        UserError: if the variable is not there, steps are not days, leads that are scored are not the days 1, 2, … or
            too few, or the period is not in the store or has less than a year.
    """
    variable, _, period = asked.partition(":")
    if variable not in forecast.variables:
        raise UserError(
            f"--heat-waves {asked}: the forecast has no variable '{variable}'; it has {forecast.variables.names}. Name "
            "the sea surface temperature."
        )
    if not isinstance(truth, TrainingStore):
        raise UserError("--heat-waves: heat waves are scored against a training store.")
    source = climatology or truth
    for step in (truth.time_step, forecast.time_step, source.time_step):
        if not same_duration(step, _DAY):
            raise UserError(
                f"--heat-waves: heat waves are of daily data; found a step of {describe_duration(step)}. Prepare daily "
                "means."
            )
    if not np.array_equal(alignment.numbers, np.arange(1, len(alignment.numbers) + 1)):
        raise UserError(
            "--heat-waves: events of five days need every day; the leads that can be scored are steps "
            f"{describe_numbers(alignment.numbers)}. Store all leads (forecast without --leads), or leave it out."
        )
    if len(alignment.numbers) <= REACH:
        raise UserError(
            f"--heat-waves: whether a day is in a heat wave depends on up to {REACH} days after it, so "
            f"forecasts need {REACH + 1} daily leads at least; {len(alignment.numbers)} can be scored. Forecast "
            "further, or leave it out."
        )
    days = _named_period(asked, period, source) if period else _longest_training(source)
    first, last = source.times[days.start], source.times[days.stop - 1]
    remark = (
        f"Heat-wave thresholds are those of {np.datetime_as_string(first, 'D')} to "
        f"{np.datetime_as_string(last, 'D')} ({len(days)} days; 30 years are usual)"
    )
    starts = alignment.starts[alignment.starts >= 0]
    overlaps = days.stop > starts.min() and days.start <= starts.max() + alignment.offsets[-1]
    same = climatology is None and days.trajectory in np.asarray(forecast.trajectories)
    remark += ", which overlap with the scored times." if overlaps and same else "."
    return HeatWaveBaseline(source, variable, days, remark)


def _longest_training(truth: TrainingStore) -> Segment:
    segments = truth.segments(TRAIN) if TRAIN in truth.split_names else ()
    longest = max(segments, key=len, default=Segment(0, 0, 0))
    if len(longest) < FEWEST_DAYS:
        raise UserError(
            "--heat-waves: heat waves need thresholds from a training split of a year or more, 30 years at best; "
            f"found {len(longest)} days. Evaluate against a store with a longer training split, or name the days with "
            "VARIABLE:START..END."
        )
    return longest


def _named_period(asked: str, period: str, truth: TrainingStore) -> Segment:
    try:
        start, end = (np.datetime64(word, "D") for word in period.split(".."))
    except ValueError as error:
        raise UserError(f"--heat-waves {asked}: {_FORM}.") from error
    days = truth.times.astype("datetime64[D]")
    inside = np.flatnonzero((days >= start) & (days <= end))
    if inside.size < FEWEST_DAYS:
        raise UserError(
            f"--heat-waves {asked}: the store has {inside.size} of those days, from {days[0]} to {days[-1]}; "
            f"a baseline period needs {FEWEST_DAYS} or more. Choose a period inside."
        )
    return Segment(int(truth.trajectories[0]), int(inside[0]), int(inside[-1]) + 1)
