"""What the climate scores of an evaluation need before the first field passes: climate, noise floor and bands."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import Forecasts
from triton_earth.evaluation.climate.floor import ByScore, measure_floor
from triton_earth.evaluation.climate.measures import Measures
from triton_earth.evaluation.climate.reference import (
    ClimateReference,
    TrainingClimate,
    fit_training_climate,
)
from triton_earth.evaluation.climate.stability import ClimateBands, calibrate
from triton_earth.models.climatology import TRAIN

FEWEST_MONTHS = 2
"""Windows of means (30 days, or 10 steps) that a run has at least, to have climate scores."""

UNKNOWN_YEARS = (
    " The training split has less than two years, so that floor and bands do not know how one year differs from "
    "another: the truth of another year may be outside of them too."
)
"""What is to be known of the scores of a run that is judged by so short a record."""


@dataclass(frozen=True)
class ClimateSetting:
    """What the runs of an evaluation are compared with.

    Attributes:
        reference: The climate of the training split.
        floor: Score of a perfect run, for each score and variable.
        frozen: Score of a state that never changes.
        bands: What the truth's own runs stay within.
        names: Names of the variables.
        leads: Which stored leads make a run in equal steps from the initial time on.
        remark: What the floor is made of, in a sentence.
    """

    reference: ClimateReference
    floor: ByScore
    frozen: ByScore
    bands: ClimateBands
    names: tuple[str, ...]
    leads: Int[np.ndarray, " lead"]
    remark: str

    @classmethod
    def measured(
        cls, store: TrainingStore, climate: TrainingClimate, steps: int, starts: Sequence[int]
    ) -> "ClimateSetting":
        """Return the setting of runs of so many steps: floor and bands, measured on the training split.

        Args:
            store: Training store.
            climate: Its climate.
            steps: Steps of a run.
            starts: Times of the first steps, in steps of the runs since the first time of the store.
        """
        floor = measure_floor(store, climate, steps, starts)
        remark = (
            "Climate scores compare each run with the training climate at the same times. Their noise floor is the "
            f"score of {floor.count} stretches of the training split, up to {floor.steps} steps long, against the rest "
            f"of it ({climate.fold_word} held out)."
        )
        year = climate.reference.measures.year
        if year is not None and climate.reference.length < 2 * int(year) - 1:
            remark += UNKNOWN_YEARS
        return cls(
            climate.reference,
            floor.floor,
            floor.frozen,
            calibrate(floor, steps),
            climate.names,
            np.arange(steps),
            remark,
        )


def climate_setting(
    forecast: Forecasts,
    source: object,
    *,
    cell_weights: Float64[np.ndarray, "y x"] | None = None,
    inside: Bool[np.ndarray, "y x"] | None = None,
) -> ClimateSetting | None:
    """Measure the climate of a training split, how far the truth is from itself, and what its runs stay within.

    Args:
        forecast: Stored forecasts.
        source: Where the climate is from.
        cell_weights: Cell weights; None for those of the cell areas.
        inside: Cells that are scored; None for all.

    Returns:
        None where the runs are too short, their leads not in equal steps from the first on, or there is no training
        split that can be divided.
    """
    stride = _stride(forecast, source)
    if stride is None or not isinstance(source, TrainingStore):
        return None
    steps = len(forecast.lead_times)
    weights = source.grid.cell_area_weights if cell_weights is None else cell_weights
    month = Measures(source.grid, weights[None], source.time_step * stride).month
    if steps < FEWEST_MONTHS * month:
        return None
    if inside is not None:
        weights = np.where(inside, weights, 0.0)
    starts = tuple(int(start) for start in _starts(forecast, source, stride))
    wanted = _Wanted(
        str(source.path),
        source.content_hash,
        tuple(forecast.variables.names),
        stride,
        steps,
        starts,
        weights.tobytes(),
        source,
    )
    return _measured(wanted)


@dataclass(frozen=True)
class _Wanted:
    """What a setting depends on; forecasts of the same runs from the same store share theirs."""

    path: str
    content_hash: str
    names: tuple[str, ...]
    stride: int
    steps: int
    starts: tuple[int, ...]
    weights: bytes
    store: TrainingStore = field(compare=False)


@functools.lru_cache(maxsize=1)
def _measured(wanted: _Wanted) -> ClimateSetting | None:
    """Return the newest setting again, or measure it: a bench judges many models on one store, one after the other."""
    store = wanted.store
    weights = np.frombuffer(wanted.weights).reshape(store.grid.shape)
    climate = fit_training_climate(store, wanted.names, stride=wanted.stride, cell_weights=weights)
    if climate is None:
        return None
    return ClimateSetting.measured(store, climate, wanted.steps, wanted.starts)


def _stride(forecast: Forecasts, source: object) -> int | None:
    """Return the steps of the store between stored leads; None where there is no such number."""
    if not isinstance(source, TrainingStore) or TRAIN not in source.split_names:
        return None
    if source.times.dtype.kind != np.asarray(forecast.init_times).dtype.kind:
        return None
    numbers = np.asarray(forecast.lead_times) / source.time_step
    spacing = float(numbers[0])
    stride = round(spacing)
    even = np.abs(
        numbers.astype(np.float64) - spacing * np.arange(1, len(numbers) + 1)
    ) < 1e-3 * len(numbers)
    return stride if stride >= 1 and abs(spacing - stride) < 1e-3 and bool(even.all()) else None


def _starts(forecast: Forecasts, source: TrainingStore, stride: int) -> Sequence[int]:
    """Return the times of the first leads, in steps of the runs since the first time of the store."""
    first = np.unique(np.asarray(forecast.init_times)) + forecast.lead_times[0]
    steps = ((first - source.times[0]) / source.time_step).astype(np.float64)
    return [round(float(step) / stride) for step in steps]
