"""The climate of a training split as runs are compared with it, and that of the split without each of its folds."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float64, Int
from scipy.special import stdtr

from triton_earth.core.processes.progress import progress
from triton_earth.core.time import Duration
from triton_earth.data.statistics.climatology import Climatology, ClimatologyFit, harmonic_basis
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.evaluation.climate.measures import (
    MEAN,
    SQUARE,
    Measures,
    RunStatistics,
    row_means,
)
from triton_earth.models.climatology import of_the_grid, training_segments

MOST_FOLDS = 4
"""Parts of the training split that are compared with the rest, at most."""
FEWEST_TRAJECTORIES = 8
"""Trajectories from which on statistics may be those of the same time after the start, as of a flow that decays."""
FEWEST_IN_A_THIRD = 2
"""States in a third of a trajectory from which on it can be told whether its statistics change with time."""
CHANCE = 0.01
"""How often trajectories that do not change are taken for some that do."""
_T = TypeVar("_T")

YEARLY_HARMONICS = 2
"""Harmonics of the year that the statistics of a step are smoothed by."""


@dataclass(frozen=True)
class Expectation:
    """What the numbers of a step are on average at each time: by time of the year, by time since the start, or always.

    Attributes:
        coefficients: Of the harmonics of the year, or a single constant; of each step since the start where `by_step`.
        by_step: Whether the time since the start of a trajectory decides.
        start: Time of the first step where `by_step`.
        step: Time between steps.
    """

    coefficients: Float64[np.ndarray, "basis channel column"]
    by_step: bool
    start: float | np.datetime64
    step: Duration

    def at(self, times: np.ndarray) -> Float64[np.ndarray, "time channel column"]:
        """Return the expected numbers at some times [time]."""
        if self.by_step:
            index = np.rint(np.asarray((times - self.start) / np.asarray(self.step), np.float64))
            return self.coefficients[np.clip(index.astype(np.int64), 0, len(self.coefficients) - 1)]
        basis = harmonic_basis(times, (len(self.coefficients) - 1) // 2)
        return np.tensordot(basis, self.coefficients, axes=1)


@dataclass(frozen=True)
class ClimateReference:
    """The climate that a run is compared with.

    Attributes:
        measures: How states are measured.
        climatology: c, what anomalies are departures from.
        squares: Mean square of the anomaly at each place and time of the year.
        expectation: What the numbers of a step are on average.
        deviation: Standard deviation of the anomaly over time and area.
        annual: Annual wave of the row means of the climatology, [cos + sin, channel, y]; zero without a calendar.
        length: Steps that it is made of.
    """

    measures: Measures
    climatology: Climatology
    squares: Climatology
    expectation: Expectation
    deviation: Float64[np.ndarray, " channel"]
    annual: Float64[np.ndarray, "wave channel y"]
    length: int

    def run(self, batch: int) -> RunStatistics:
        """Return statistics to put runs into."""
        return RunStatistics(self.measures, self.climatology, batch)


@dataclass(frozen=True)
class Fold:
    """A part of the training split, and the climate of all the rest.

    Attributes:
        segments: Which times it has.
        reference: The climate of the rest.
    """

    segments: tuple[Segment, ...]
    reference: ClimateReference


@dataclass(frozen=True)
class TrainingClimate:
    """The climate of a training split, and of that split without each of its folds.

    Attributes:
        reference: The climate of the whole split.
        folds: Years, other stretches of time, or groups of trajectories.
        fold_word: What the folds are, in words.
        names: Names of the variables.
        stride: Steps of the store in one of a run.
    """

    reference: ClimateReference
    folds: tuple[Fold, ...]
    fold_word: str
    names: tuple[str, ...]
    stride: int


def fit_training_climate(
    store: TrainingStore,
    names: Sequence[str],
    *,
    stride: int = 1,
    cell_weights: Float64[np.ndarray, "y x"] | None = None,
) -> TrainingClimate | None:
    """Measure the climate of a training split, and of the split without each of its folds, in two passes.

    Args:
        store: Training store.
        names: Variables wanted.
        stride: Steps of the store in one step of the runs.
        cell_weights: Cell weights; None for those of the cell areas.

    Returns:
        None where the split is too short to be divided: less than four windows of means.

    Raises:
        UserError: if the store has no training split.
    """
    channels = store.variables.indices(list(names))
    mask = None if store.valid_mask is None else store.valid_mask[channels]
    measures = Measures.of(store.grid, len(channels), mask, store.time_step * stride, cell_weights)
    folds, word = divide(training_segments(store), store.times, measures, stride)
    if len(folds) < 2:
        return None
    shape = (len(channels), *store.grid.shape)
    times = np.concatenate(
        [store.times[one.start : one.stop : stride] for fold in folds for one in fold]
    )
    fits = [ClimatologyFit(times, shape) for _ in folds]
    for fold, fit in zip(folds, fits, strict=True):
        for when, fields in _read(store, fold, channels, stride):
            fit.add(when, fields)
    left_out = (None, *range(len(folds)))

    def without(parts: list[ClimatologyFit], number: int | None) -> Climatology:
        return of_the_grid(
            ClimatologyFit.total(_without(parts, number)).climatology(), store, channels
        )

    climatologies = [without(fits, number) for number in left_out]
    squares = [ClimatologyFit(times, shape) for _ in folds]
    runs: list[list[tuple[np.ndarray, np.ndarray]]] = []
    unseen: list[np.ndarray] = []
    with progress("climate of the training split", len(times)) as advance:
        for fold, square, other in zip(folds, squares, climatologies[1:], strict=True):
            found = []
            for segment in fold:
                run, held_out = (
                    RunStatistics(measures, one, 1) for one in (climatologies[0], other)
                )
                for when, fields in _read(store, [segment], channels, stride):
                    run.add(when, fields)
                    held_out.add(when, fields)
                    square.add(when, run.newest**2)
                    advance(1)
                found.append((run.valid_times[0], run.numbers[0]))
                unseen.append(held_out.numbers[0])
            runs.append(found)
    excess = _excess([numbers for found in runs for _, numbers in found], unseen, len(folds))
    by_step = depends_on_step(folds, measures, [numbers for found in runs for _, numbers in found])
    references = [
        _reference(
            measures,
            climatology,
            without(squares, number),
            [run for found in _without(runs, number) for run in found],
            excess * (2.0 if number is None else 1 + len(folds) / (len(folds) - 1)),
            by_step,
        )
        for number, climatology in zip(left_out, climatologies, strict=True)
    ]
    return TrainingClimate(
        references[0],
        tuple(Fold(fold, one) for fold, one in zip(folds, references[1:], strict=True)),
        word,
        tuple(names),
        stride,
    )


def divide(
    segments: Sequence[Segment], times: np.ndarray, measures: Measures, stride: int
) -> tuple[list[tuple[Segment, ...]], str]:
    """Divide the training split into at most `MOST_FOLDS` folds, and say what they are.

    Several trajectories are divided by trajectory. A record of two years or more is divided into whole years (several
    to a fold where there are more than folds, and all of them used), one of a year into alternating stretches of 30
    days, a shorter one into equal stretches of time.

    Args:
        segments: Stretches of the training split.
        times: Times of the store.
        measures: How states are measured, and how long a year is.
        stride: Steps of the store in one step of the runs.

    Returns:
        Folds; a single one where the split cannot be divided.
    """
    trajectories = sorted({segment.trajectory for segment in segments})
    if len(trajectories) > 1:
        groups = np.array_split(trajectories, min(MOST_FOLDS, len(trajectories)))
        found = [tuple(one for one in segments if one.trajectory in group) for group in groups]
        return found, "groups of trajectories"
    total = sum(len(segment) for segment in segments) // stride
    year = measures.year
    if year is not None and total >= 2 * int(year) - 1:
        years, whole = (total + 1) // int(year), int(year) * stride
        groups = np.array_split(range(years), min(MOST_FOLDS, years))
        lengths = sorted({len(group) for group in groups})
        word = "years" if lengths == [1] else f"stretches of {' or '.join(map(str, lengths))} years"
        edges = [(int(group[0]) * whole, (int(group[-1]) + 1) * whole) for group in groups]
        return [_cut(segments, first, stop) for first, stop in edges], word
    if year is not None and total >= int(year):
        # Every fold has all seasons, or the season of the others would be extrapolated to it.
        month = measures.month * stride
        windows = range(total * stride // month)
        folds = [
            tuple(
                part
                for number in windows[first::MOST_FOLDS]
                for part in _cut(segments, number * month, (number + 1) * month)
            )
            for first in range(MOST_FOLDS)
        ]
        return folds, "every fourth stretch of 30 days"
    length = total // MOST_FOLDS * stride
    if length // stride < measures.month:
        return [tuple(segments)], "nothing"
    cuts = [number * length for number in range(MOST_FOLDS)]
    return [_cut(segments, first, first + length) for first in cuts], "stretches of time"


def depends_on_step(
    folds: Sequence[Sequence[Segment]],
    measures: Measures,
    stretches: Sequence[Float64[np.ndarray, "_ ..."]],
) -> bool:
    """Return whether statistics are those of the same time after the start, as of a flow that decays.

    That takes many trajectories without a calendar, and a number of theirs whose mean over the last third of a
    trajectory differs from that over its first third by more than chance: by the t test over trajectories, at 1 % over
    all numbers together. Where it does not, as in a flow that is driven, the mean over all times is known better.

    Args:
        folds: The training split.
        measures: How states are measured.
        stretches: Numbers of each step of each trajectory; NaN is not known.
    """
    if measures.has_calendar or sum(len(fold) for fold in folds) < FEWEST_TRAJECTORIES:
        return False
    third = min(len(one) for one in stretches) // 3
    if third < FEWEST_IN_A_THIRD:
        return True
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # means of numbers that are never known
        changes = np.stack(
            [
                np.nanmean(one[-third:], axis=0) - np.nanmean(one[:third], axis=0)
                for one in stretches
            ]
        ).reshape(len(stretches), -1)
        t = changes.mean(axis=0) / (changes.std(axis=0, ddof=1) / np.sqrt(len(changes)))
    t = np.abs(t[~np.isnan(t)])
    chance = 2 * stdtr(len(changes) - 1, -t)
    return bool((chance * len(t) < CHANCE).any())


def _reference(
    measures: Measures,
    climatology: Climatology,
    squares: Climatology,
    runs: Sequence[tuple[np.ndarray, Float64[np.ndarray, "step channel column"]]],
    excess: Float64[np.ndarray, "channel column"],
    by_step: bool,
) -> ClimateReference:
    """Return the climate of some stretches of the training split.

    Args:
        measures: How states are measured.
        climatology: What their anomalies are departures from.
        squares: Climatology of the squares of these anomalies.
        runs: Times and numbers of each stretch.
        excess: By how much the numbers of states that the climatology has not seen are larger, as `_excess` explains.
        by_step: Whether the time since the start of a trajectory decides what is expected.
    """
    times = np.concatenate([when for when, _ in runs])
    numbers = np.concatenate([found for _, found in runs])
    harmonics = min(YEARLY_HARMONICS, climatology.yearly_harmonics)
    expectation = fit_expectation(times, numbers, harmonics, measures.step, by_step)
    deviation = np.sqrt(numbers[..., SQUARE].mean(axis=0) + excess[:, SQUARE])
    with np.errstate(invalid="ignore", divide="ignore"):
        larger = 1 + excess[:, SQUARE] / numbers[..., SQUARE].mean(axis=0)
    squares = replace(squares, coefficients=squares.coefficients * larger[:, None, None])
    expectation.coefficients[slice(None) if by_step else 0] += excess
    annual = np.zeros((2, len(measures.weights), measures.grid.shape[0]))
    if climatology.yearly_harmonics:
        size = 2 * climatology.daily_harmonics + 1
        waves = np.where(measures.weights > 0, climatology.coefficients[[size, 2 * size]], 0.0)
        annual = np.stack([row_means(wave[None], measures.weights)[0] for wave in waves])
    return ClimateReference(
        measures,
        climatology,
        squares,
        expectation,
        deviation,
        annual,
        len(times),
    )


def fit_expectation(
    times: np.ndarray,
    numbers: Float64[np.ndarray, "time channel column"],
    harmonics: int,
    step: Duration,
    by_step: bool,
) -> Expectation:
    """Return the mean of numbers at each time; NaN among them is not known.

    Args:
        times: Times of the numbers.
        numbers: The numbers; those of a column are known of all channels or of none.
        harmonics: Harmonics of the year; 0 for none.
        step: Time between steps.
        by_step: Whether the time since the first of the times decides, in place of the time of the year.
    """
    start = times.min()
    if by_step:
        steps = np.rint(((times - start) / step).astype(np.float64)).astype(np.int64)
        return Expectation(_mean_by_step(steps, numbers), True, start, step)
    basis = harmonic_basis(times, harmonics)
    coefficients = np.zeros((basis.shape[1], *numbers.shape[1:]))
    for column in range(numbers.shape[2]):
        known = ~np.isnan(numbers[:, 0, column])
        if known.any():
            coefficients[..., column] = np.linalg.lstsq(
                basis[known], numbers[known, :, column], rcond=1e-10
            )[0]
    return Expectation(coefficients, False, start, step)


def _excess(
    seen: Sequence[Float64[np.ndarray, "step channel column"]],
    unseen: Sequence[Float64[np.ndarray, "step channel column"]],
    folds: int,
) -> Float64[np.ndarray, "channel column"]:
    """Return E, how much the error of the climatology adds to the mean square of anomalies.

    With σ² the mean square about the true climatology, states that the fit has seen have σ² − E, states that it has
    not seen σ² + E, and, where the fit has seen n − 1 of n folds, those of the other fold σ² + E n / (n − 1). A run is
    compared with what states that the fit has not seen are expected to have. All other numbers likewise. Folds are
    taken to be about equal.

    Args:
        seen: Numbers of stretches, about the climatology of all.
        unseen: Numbers of the same stretches, about the climatology of the other folds.
        folds: n.
    """
    apart = np.nanmean(np.concatenate(unseen), axis=0) - np.nanmean(np.concatenate(seen), axis=0)
    apart[:, MEAN] = 0
    return apart / (1 + folds / (folds - 1))


def _mean_by_step(
    steps: Int[np.ndarray, " time"], numbers: Float64[np.ndarray, "time channel column"]
) -> Float64[np.ndarray, "step channel column"]:
    """Return the mean of known numbers at each step since the start, interpolated to the steps without any."""
    all_steps = np.arange(steps.max() + 1)
    found = np.zeros((len(all_steps), *numbers.shape[1:]))
    for column in range(numbers.shape[2]):
        known = ~np.isnan(numbers[:, 0, column])
        count = np.bincount(steps[known], minlength=len(all_steps))
        there = np.flatnonzero(count)
        for channel in range(numbers.shape[1] if there.size else 0):
            total = np.bincount(steps[known], numbers[known, channel, column], len(all_steps))
            found[:, channel, column] = np.interp(all_steps, there, total[there] / count[there])
    return found


def _cut(segments: Sequence[Segment], first: int, stop: int) -> tuple[Segment, ...]:
    """Return the times `first` to `stop` of those of the segments joined together."""
    found, seen = [], 0
    for one in segments:
        start, end = max(first - seen, 0), min(stop - seen, len(one))
        if start < end:
            found.append(Segment(one.trajectory, one.start + start, one.start + end))
        seen += len(one)
    return tuple(found)


def _read(
    store: TrainingStore, segments: Sequence[Segment], channels: list[int], stride: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield times [1] and fields [1, channel, y, x] of the segments, one after the other."""
    size = max(1, int(2**26 // (4 * len(store.variables) * np.prod(store.grid.shape)))) * stride
    for segment in segments:
        for start in range(segment.start, segment.stop, size):
            stop = min(start + size, segment.stop)
            fields = store.read(segment.trajectory, slice(start, stop, stride))[:, channels]
            yield from zip(store.times[start:stop:stride, None], fields[:, None], strict=True)


def _without(parts: Sequence[_T], number: int | None) -> list[_T]:
    return [part for place, part in enumerate(parts) if place != number]
