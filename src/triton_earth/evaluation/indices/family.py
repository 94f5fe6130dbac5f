"""Indices of forecasts, baselines and truth while fields pass, and every reason why they cannot be scored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.errors import UserError
from triton_earth.core.processes.tasks import Tasks
from triton_earth.core.time import describe_time
from triton_earth.data.statistics.climatology import ClimatologyFit
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.indices.catalogue import ALL, DEFINITIONS, parse_names
from triton_earth.evaluation.indices.fitting import fit_index
from triton_earth.evaluation.indices.measures import Index
from triton_earth.evaluation.indices.places import Place, find_index
from triton_earth.evaluation.indices.scores import index_scores
from triton_earth.models.climatology import TRAIN, training_times


@dataclass(frozen=True)
class Indices(Family):
    """Scores of climate indices.

    Attributes:
        asked: Their names; ``all`` stands for all that fit.
        fitted: The indices, once they can be measured.
    """

    asked: tuple[str, ...]
    fitted: tuple[Index, ...] = ()

    def check(self, case: Case) -> list[str]:
        """Refuse forecasts without any index, and say which indices cannot be scored."""
        _require_seasons(case)
        _, without = self._places(case)
        return [f"Indices that are not scored: {'; '.join(without)}"] if without else []

    def fit(self, case: Case, tasks: Tasks) -> "Indices":
        """Return the family with its indices fitted to the training split."""
        store, climatology = case.training, case.baselines.climatology
        if climatology is None or not isinstance(store, TrainingStore):
            raise UserError(
                "--indices: expected a climatology, which anomalies are departures from, found none. Name a store with "
                "a training split with --climatology STORE."
            )
        names = case.variables.names
        places, _ = self._places(case)
        fitted = tuple(fit_index(place, store, names, climatology) for place in places)
        return replace(self, fitted=fitted)

    def start(self, case: Case) -> Sequence[Aggregator]:
        """Return the aggregator that measures the indices."""
        return [IndexSeries(case, self.fitted)]

    def _places(self, case: Case) -> tuple[list[Place], list[str]]:
        """Return where each index is taken, and why others of ``all`` are not."""
        places, without = [], []
        for name in parse_names(self.asked):
            try:
                found = find_index(DEFINITIONS[name], case.variables, case.grid, case.defined)
            except UserError as error:
                if ALL not in self.asked:
                    raise
                without.append(str(error).removeprefix("--indices "))
                continue
            places.append(found)
        if not places:
            raise UserError(f"--indices {ALL}: no index fits this forecast. {without[0]}")
        return places, without


def _require_seasons(case: Case) -> None:
    """Refuse a case without a calendar or without a year of training data.

    Raises:
        UserError: saying which.
    """
    if np.asarray(case.forecast.init_times).dtype.kind != "M":
        raise UserError(
            "--indices: an index is a departure from the season, which needs a calendar; found times without dates. "
            "Leave it out."
        )
    store = case.training
    if not isinstance(store, TrainingStore) or TRAIN not in store.split_names:
        raise UserError(
            "--indices: expected a training split, from which the climatology is taken that anomalies are departures "
            "from; found none. Name a store that has with --climatology STORE."
        )
    missing = [name for name in case.variables.names if name not in store.variables]
    if missing:
        raise UserError(
            f"--indices: expected the variables of the forecast in {store.path}, found that {', '.join(missing)} "
            "is not there. Name another store with --climatology STORE."
        )
    times = training_times(store)
    if not ClimatologyFit(times, (1, 1, 1)).harmonics:
        raise UserError(
            "--indices: expected a year of training data or more, so that the season can be taken out; found "
            f"{describe_time(times.min())} to {describe_time(times.max())}. Name a store with a longer training split "
            f"with --climatology STORE."
        )


class IndexSeries(Aggregator):
    """Measures the indices of every source at every lead.

    Attributes:
        indices: The indices.
        values: Their values; NaN where there is no truth.
        initial: Their values at the initial times; NaN where the truth does not have these.
    """

    INIT_AXES: ClassVar = {"values": 1, "initial": 0}

    def __init__(self, case: Case, indices: tuple[Index, ...]) -> None:
        """Begin without values."""
        (inits, leads), count = case.shape, len(indices)
        self.indices = indices
        self._climatology = case.baselines.climatology
        self._init_times: np.ndarray = np.asarray(case.forecast.init_times)
        self.values: Float64[np.ndarray, "source init lead index"] = np.full(
            (case.sources, inits, leads, count), np.nan
        )
        self.initial: Float64[np.ndarray, "init index"] = np.full((inits, count), np.nan)

    def add(self, batch: Batch) -> None:
        """Keep the values of some initial conditions at one lead."""
        assert batch.climatology is not None
        assert self._climatology is not None
        rows = batch.rows
        for source, field in enumerate(batch.sources):
            for number, index in enumerate(self.indices):
                self.values[source, rows, batch.lead, number] = index.measure(
                    field, batch.climatology
                )
        if np.isnan(self.initial[rows]).any():
            before = self._climatology.at(self._init_times[rows]).astype(np.float32)
            for number, index in enumerate(self.indices):
                self.initial[rows, number] = index.measure(batch.initial, before)

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return the scores of the indices, as `index_scores` describes them."""
        return index_scores(self.indices, self.values, self.initial, finished)
