"""What the truth itself scores against the rest of the truth, and what a state that never changes scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from triton_earth.core.processes.progress import progress
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.evaluation.climate.measures import RunStatistics
from triton_earth.evaluation.climate.reference import ClimateReference, TrainingClimate
from triton_earth.evaluation.climate.scores import DEFINITIONS, WINDOWED, climate_scores

WINDOWS = 4
"""Stretches of a fold that are compared with the rest, at most, where a fold is longer than the run."""
FEW = 12
"""Stretches below which shorter ones, half and a quarter as long, are looked at too."""
FROZEN = 3
"""Training states that are held for ever."""
SMALLEST = 0.01
"""Least noise floor. What the truth conserves exactly, as the mean sea level of a basin, departs by rounding alone."""

ByScore = dict[str, Float64[np.ndarray, " channel"]]


@dataclass(frozen=True)
class NoiseFloor:
    """How large climate scores are of a run that is perfect, and of a state that never changes.

    Attributes:
        floor: Root mean square score of stretches of the truth against the rest of it.
        frozen: Root mean square score of training states that are held.
        steps: Steps of the longest of these stretches.
        count: Number of these stretches.
        runs: Statistics of each stretch, with the climate it was compared with.
    """

    floor: ByScore
    frozen: ByScore
    steps: int
    count: int
    runs: tuple[tuple[RunStatistics, ClimateReference], ...]


def measure_floor(
    store: TrainingStore, climate: TrainingClimate, steps: int, starts: Sequence[int] = (0,)
) -> NoiseFloor:
    """Measure how far stretches of the training split are from the climate of the rest.

    A stretch is as long as the run, or as its fold where that is shorter; where there are few of them, those half and a
    quarter as long are looked at too. The noise of a statistic over ℓ steps of a run against a climate of T steps falls
    with both lengths; that of m steps of a stretch against the T − T_fold others is turned into it by

        n(ℓ) = n(m) √[(1/ℓ + 1/T) / (1/m + 1/(T − T_fold))]

    where ℓ = m is the length of a window for scores that look at windows of the run. No floor is below `SMALLEST`.

    Args:
        store: Training store.
        climate: Its climate.
        steps: ℓ.
        starts: Steps since the start of a trajectory at which the runs start, where statistics depend on it.
    """
    channels = store.variables.indices(list(climate.names))
    runs: list[tuple[RunStatistics, ClimateReference]] = []
    stretches = list(_stretches(climate, steps, starts))
    with progress("noise floor of the climate", len(stretches)) as advance:
        for stretch, reference in stretches:
            run = reference.run(1)
            fields = store.read(
                stretch.trajectory, slice(stretch.start, stretch.stop, climate.stride)
            )
            times = store.times[stretch.start : stretch.stop : climate.stride]
            for time, field in zip(times, fields[:, channels], strict=True):
                run.add(time[None], field[None])
            runs.append((run, reference))
            advance()
    scores = [climate_scores(run, reference) for run, reference in runs]
    floor = {
        name: np.maximum(
            SMALLEST,
            _root_mean_square(
                [
                    score[name][0] * _factor(name, steps, run, reference, climate.reference)
                    for score, (run, reference) in zip(scores, runs, strict=True)
                ]
            ),
        )
        for name in DEFINITIONS
    }
    frozen = climate_scores(
        _held(store, climate, channels, max(run.steps for run, _ in runs)), climate.reference
    )
    return NoiseFloor(
        floor,
        {name: _root_mean_square(list(values)) for name, values in frozen.items()},
        max(run.steps for run, _ in runs),
        len(runs),
        tuple(runs),
    )


def _factor(
    name: str, steps: int, run: RunStatistics, reference: ClimateReference, whole: ClimateReference
) -> float:
    """Return the factor from the noise of a stretch against the rest to that of the run against the whole."""
    own, other = run.steps, steps
    if name in WINDOWED:
        window: int = getattr(whole.measures, WINDOWED[name])
        own, other = min(window, own), min(window, other)
    return float(np.sqrt((1 / other + 1 / whole.length) / (1 / own + 1 / reference.length)))


def _stretches(
    climate: TrainingClimate, steps: int, starts: Sequence[int]
) -> list[tuple[Segment, ClimateReference]]:
    """Return stretches of every fold as long as the run, and shorter ones where there are few."""
    found: list[tuple[Segment, ClimateReference]] = []
    for part in (1, 2, 4):
        for fold in climate.folds:
            longest = max((len(segment) for segment in fold.segments), default=0) // climate.stride
            length = min(steps, longest) // part
            if part == 1 or length >= climate.reference.measures.quarter:
                found += [
                    (one, fold.reference)
                    for one in _of_fold(fold.segments, length, climate, starts)
                ]
        if len(found) >= FEW:
            break
    return found


def _of_fold(
    segments: Sequence[Segment], steps: int, climate: TrainingClimate, starts: Sequence[int]
) -> Iterator[Segment]:
    """Yield stretches of a fold: at the runs' own times since the start, or evenly spread."""
    stride = climate.stride
    for segment in segments:
        length = min(steps * stride, len(segment) // stride * stride)
        if length < climate.reference.measures.month * stride:
            continue
        spare = len(segment) - length
        if climate.reference.expectation.by_step:
            places: Int[np.ndarray, " start"] = np.unique(
                np.clip(np.array(starts) * stride, 0, spare)
            )
        else:
            count = min(WINDOWS, spare // length + 1) if len(segments) < WINDOWS else 1
            places = np.unique(np.linspace(0, spare, count).round().astype(np.int64))
        for place in places.tolist():
            yield Segment(segment.trajectory, segment.start + place, segment.start + place + length)


def _held(
    store: TrainingStore, climate: TrainingClimate, channels: list[int], steps: int
) -> RunStatistics:
    """Return statistics of training states that are held for so many steps."""
    segments = [segment for fold in climate.folds for segment in fold.segments]
    chosen = [
        segments[place] for place in np.linspace(0, len(segments) - 1, FROZEN).round().astype(int)
    ]
    parts = np.linspace(0, 1, FROZEN)
    found = climate.reference.run(FROZEN)
    starts = [
        one.start + int(part * max(0, len(one) - steps * climate.stride - 1))
        for one, part in zip(chosen, parts, strict=True)
    ]
    states = np.concatenate(
        [
            store.read(one.trajectory, slice(start, start + 1))[:, channels]
            for one, start in zip(chosen, starts, strict=True)
        ]
    )
    first = store.times[starts]
    for step in range(steps):
        found.add(first + step * climate.reference.measures.step, states)
    return found


def _root_mean_square(
    values: list[Float64[np.ndarray, " channel"]],
) -> Float64[np.ndarray, " channel"]:
    """Return the root mean square of the values that are known."""
    stacked = np.stack(values)
    known = np.isfinite(stacked)
    total = np.where(known, stacked**2, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(total / known.sum(axis=0))
