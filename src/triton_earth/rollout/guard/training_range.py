"""The climate that a rollout is held against: the range of each statistic over training states, with a margin."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.state import State
from triton_earth.core.variables import Role, Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.rollout.guard.state_statistics import (
    BULK,
    CHANGE,
    ENERGY,
    LARGEST,
    MEAN,
    NOT_FINITE,
    SMALLEST,
    VARIANCE,
    StateStatistics,
)

logger = logging.getLogger("triton_earth.guard")

TRAINING_STATES = "training states"
"""What a climate is taken from, in words."""

STATES = 64
"""Most training states that the climate is taken from."""

FROZEN = 0.01
"""Part of the median change per step of the training states below which a state counts as frozen at most."""

YEAR_DAYS, MOST_WIDENED = 365, 10
"""Days of a whole year, and how many times margins are widened at most where the training split is shorter."""

NEGLIGIBLE = 1e-6
"""Part of a variable's variance below which a wavenumber band counts as empty."""

_GOLDEN = 0.6180339887498949


class Margins(StrictConfig):
    """How far beyond its range over the training states a statistic may go.

    The defaults let every state of the experiments' own test data pass and leave room for a new year or a rarer event.

    Attributes:
        value: Of the smallest and largest value, in widths of the range of values.
        mean: Of the area mean, in standard deviations of the field.
        variance: Factor, up and down; also of the kinetic energy.
        change: Factor, up and down, of the change per step.
        band: Factor, up and down, of the variance in a wavenumber band.
    """

    value: float = Field(default=0.5, gt=0)
    mean: float = Field(default=0.2, gt=0)
    variance: float = Field(default=2.0, gt=1)
    change: float = Field(default=5.0, gt=1)
    band: float = Field(default=5.0, gt=1)


@dataclass(frozen=True)
class Climate:
    """Bounds of each statistic of each variable; NaN where there is none.

    Attributes:
        statistics: How states are measured.
        lower: Smallest value that is still within the climate.
        upper: Largest one.
        states: Number of states that it was taken from.
        source: Which states these are.
    """

    statistics: StateStatistics
    lower: Float64[np.ndarray, "channel statistic"]
    upper: Float64[np.ndarray, "channel statistic"]
    states: int
    source: str = TRAINING_STATES


def training_climate(
    store: TrainingStore, variables: Variables, margins: Margins | None = None
) -> Climate:
    """Measure the climate of the training split (of the whole store where there is none).

    At most `STATES` states are read, spread evenly over trajectories and times: a mean or a variance of the whole
    training period alone could not tell a season from a drift.

    Args:
        store: Training store.
        variables: What is forecast.
        margins: How far beyond the range over those states is still climate; None for the defaults.

    Returns:
        The bounds.
    """
    mask = None
    if store.valid_mask is not None:
        mask = torch.from_numpy(store.valid_mask[store.variables.indices(variables.names)])
    statistics = StateStatistics(variables, store.grid, mask)
    found = []
    for window in training_pairs(store, STATES):
        pair = window.select(variables.names)
        found.append(statistics.measure(pair.at(slice(1, 2)), pair.at(slice(0, 1))))
    values = torch.cat(found).double().numpy()
    margins = margins or Margins()
    days = _days_of_less_than_a_year(store)
    if days is not None:
        widened = min(MOST_WIDENED, YEAR_DAYS / days)
        margins = margins.model_copy(
            update={"value": margins.value * widened, "mean": margins.mean * widened}
        )
    lower, upper = _bounds(values, statistics.names, margins)
    # What is not fed back is not there in the initial state: it has no change at the first step.
    diagnostic = [variable.role == Role.DIAGNOSTIC for variable in variables]
    for bound in (lower, upper):
        bound[diagnostic, statistics.names.index(CHANGE)] = np.nan
    source = TRAINING_STATES
    if days is not None:
        source = f"training states of {days:.0f} days, no whole year"
        logger.warning(
            "%s: the training split has %.0f days, no whole year; the guard lets values and means go %.1f times as far "
            "as it would with one, as it does not know the other seasons.",
            store.path,
            days,
            widened,
        )
    if "train" not in store.split_names:
        source = "states of the whole store, which has no training split"
        logger.warning(
            "%s has no training split: the guard takes its climate from the whole store, the truth of the forecasts "
            "included.",
            store.path,
        )
    return Climate(statistics, lower, upper, len(values), source)


def _days_of_less_than_a_year(store: TrainingStore) -> float | None:
    """Return how many days the training split reaches over; None without a calendar, and for a year or more."""
    if not isinstance(store.time_step, np.timedelta64):
        return None
    segments = training_segments(store)
    first, last = min(one.start for one in segments), max(one.stop for one in segments)
    days = float((last - first) * store.time_step / np.timedelta64(1, "D"))
    return days if days < YEAR_DAYS else None


def training_pairs(store: TrainingStore, most: int) -> Iterator[State]:
    """Yield pairs of successive training states, at most so many, spread evenly over trajectories and times.

    Args:
        store: Training store; where it has no training split, all of it is used.
        most: Largest number of pairs.

    Yields:
        States of shape [1, 2, channel, y, x].
    """
    segments = training_segments(store)
    count = min(most, sum(len(segment) - 1 for segment in segments))
    ends = np.cumsum([len(segment) - 1 for segment in segments])
    for number in range(count):
        # Evenly over all pairs, and within a segment by multiples of the golden ratio, which meet all phases of it
        # however many segments there are.
        where = int(np.searchsorted(ends, number * ends[-1] // count, side="right"))
        segment = segments[where]
        offset = number * _GOLDEN % 1.0
        yield store.windows(
            [segment.trajectory], [segment.start + int(offset * (len(segment) - 1))], 2
        )


def training_segments(store: TrainingStore) -> list[Segment]:
    """Return the stretches of at least two training times; where there is no training split, of all times."""
    whole = [Segment(int(number), 0, len(store.times)) for number in store.trajectories]
    segments = store.segments("train") if "train" in store.split_names else whole
    return [segment for segment in segments if len(segment) > 1]


def _bounds(
    values: Float64[np.ndarray, "state channel statistic"], names: list[str], margins: Margins
) -> tuple[Float64[np.ndarray, "channel statistic"], Float64[np.ndarray, "channel statistic"]]:
    low, high = values.min(axis=0), values.max(axis=0)
    lower, upper = np.full_like(low, np.nan), np.full_like(high, np.nan)
    at = {name: names.index(name) for name in BULK}
    width = high[:, at[LARGEST]] - low[:, at[SMALLEST]]
    deviation = np.sqrt(high[:, at[VARIANCE]])
    lower[:, at[NOT_FINITE]] = upper[:, at[NOT_FINITE]] = 0
    lower[:, at[SMALLEST]] = low[:, at[SMALLEST]] - margins.value * width
    upper[:, at[LARGEST]] = high[:, at[LARGEST]] + margins.value * width
    lower[:, at[MEAN]] = low[:, at[MEAN]] - margins.mean * deviation
    upper[:, at[MEAN]] = high[:, at[MEAN]] + margins.mean * deviation
    factors = {VARIANCE: margins.variance, ENERGY: margins.variance, CHANGE: margins.change}
    for index, name in enumerate(names):
        if name in BULK and name not in factors:
            continue
        factor = factors.get(name, margins.band)
        floor = 0.0 if name in BULK else NEGLIGIBLE * high[:, at[VARIANCE]]
        lower[:, index] = np.where(low[:, index] > floor, low[:, index] / factor, -np.inf)
        upper[:, index] = np.maximum(high[:, index], floor) * factor
    change = at[CHANGE]
    with np.errstate(invalid="ignore"):
        typical = FROZEN * np.median(values[..., change], axis=0)
        lower[:, change] = np.fmin(lower[:, change], typical)
    return lower, upper
