"""What training has to know of its data: of the store, or of what the recipe will become before it is prepared."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.time import Duration, describe_duration
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.preparation.archive import ArchiveData
from triton_earth.data.preparation.gridded import split_of_source
from triton_earth.data.preparation.periods import SPLITS
from triton_earth.data.preparation.trajectories import SimulationData
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.gridded import GriddedSource
from triton_earth.data.sources.named_sources import named_source, stand_in
from triton_earth.data.sources.paths import are_here
from triton_earth.data.sources.shipped import SHIPPED
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment, consecutive
from triton_earth.workflow.recipes.recipe import Recipe


@dataclass(frozen=True)
class DescribedData:
    """Where the splits are, and what is at each time.

    Attributes:
        variables: Channels of the store.
        grid: Its cells.
        time_step: Step between its times.
        splits: Stretches of consecutive times of each split.
        origin: Where all this is known from, in words.
    """

    variables: Variables
    grid: Grid
    time_step: Duration
    splits: dict[str, tuple[Segment, ...]]
    origin: str

    def segments(self, split: str) -> tuple[Segment, ...]:
        """Return the stretches of consecutive times of a split."""
        return self.splits.get(split, ())

    def times(self, split: str) -> int:
        """Return how many times are in a split."""
        return sum(len(segment) for segment in self.segments(split))

    def __str__(self) -> str:
        return (
            f"{len(self.variables)} variables on {self.grid}, steps of {describe_duration(self.time_step)}; "
            f"{self.origin}"
        )


def expected_data(recipe: Recipe, store: str | Path | None) -> DescribedData:
    """Return grid, variables and times of a recipe's store, present or future.

    Files in the package or on this machine are opened; of public archives far away the grid, period and step are
    known; nothing is downloaded.

    Args:
        recipe: The recipe.
        store: Its training store, where it is prepared.

    Raises:
        UserError: if the recipe does not tell what its data will be.
    """
    if store is not None:
        return of_store(recipe, TrainingStore.open(store))
    data = recipe.data
    if isinstance(data, GriddedData):
        return _of_files(data, recipe.window)
    if isinstance(data, ArchiveData):
        return _of_archive(data)
    return _of_simulation(data)


def of_store(recipe: Recipe, store: TrainingStore) -> DescribedData:
    """Return grid, variables and times of a store.

    Raises:
        UserError: if two splits are closer to each other than a window of the recipe.
    """
    store.require_gap(recipe.window)
    splits = {split: store.segments(split) for split in store.split_names}
    origin = f"as prepared in {store.path}"
    return DescribedData(store.variables, store.grid, store.time_step, splits, origin)


def _of_files(data: GriddedData, window: int) -> DescribedData:
    paths = [data.path] if isinstance(data.path, str) else list(data.path)
    if all(path.startswith(SHIPPED) or are_here(path) for path in paths):
        source, origin = GriddedSource(data), "as in the files"
    else:
        named = named_source(data)
        source = GriddedSource(data, [(paths[0], stand_in(data, named))])
        origin = f"assumed: {named.title}; no file was opened, add --store STORE to be exact"
    split = split_of_source(source, data, window)
    step = source.times[1] - source.times[0]
    splits = {
        name: tuple(Segment(0, start, stop) for start, stop in consecutive(split == name))
        for name in SPLITS
    }
    return DescribedData(source.variables, source.grid, step, splits, origin)


def _of_archive(data: ArchiveData) -> DescribedData:
    """Return the facts in the name of an archive, such as ``…128x128_N1280_…_T100.pt``."""
    size = re.search(r"(\d+)x(\d+)", data.path)
    length = re.search(r"_T(\d+)", data.path)
    if size is None or length is None:
        raise UserError(
            f"{data.path}: the name does not tell the size of the fields and how many there are (128x128, T100). "
            "Prepare the store and add --store STORE."
        )
    grid = PeriodicGrid(int(size[1]), int(size[2]), data.length, data.length)
    variables = Variables((Variable(data.variable, data.units, data.long_name),))
    counts = (data.splits.train, data.splits.valid, data.splits.test)
    origin = "assumed from the name of the archive; add --store STORE to be exact"
    return DescribedData(variables, grid, data.interval, _whole(counts, int(length[1])), origin)


def _of_simulation(data: SimulationData) -> DescribedData:
    source, counts = data.source, data.splits
    splits = _whole((counts.train, counts.valid, counts.test), source.snapshots)
    origin = "as the recipe simulates it"
    return DescribedData(source.variables, source.stored_grid, source.interval, splits, origin)


def _whole(counts: tuple[int, int, int], times: int) -> dict[str, tuple[Segment, ...]]:
    """Return splits of whole trajectories."""
    return {
        name: tuple(Segment(int(number), 0, times) for number in np.arange(count))
        for name, count in zip(SPLITS, counts, strict=True)
    }


def require_agreement(recipe: Recipe, store: TrainingStore) -> None:
    """Refuse a store whose variables are not those that the recipe names.

    Args:
        recipe: What is to be trained.
        store: With which data.

    Raises:
        UserError: naming both sides.
    """
    data = recipe.data
    if isinstance(data, GriddedData):
        expected = [
            choice.name if level is None else f"{choice.name}_{level:g}"
            for choice in data.variables
            if choice.keep
            for level in choice.levels or (None,)
        ]
    elif isinstance(data, ArchiveData):
        expected = [data.variable]
    else:
        expected = data.source.variables.names
    missing = [name for name in expected if name not in store.variables]
    if missing:
        raise UserError(
            f"{store.path}: recipe and store do not agree: '{recipe.title}' names {len(expected)} variables, of which "
            f"the store lacks {_some(missing)}; it has {_some(store.variables.names)}. Prepare a store of this recipe, "
            "or choose the recipe of the store."
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
