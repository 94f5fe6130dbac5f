"""What a family of scores is made of: the case it belongs to, the fields that pass, and what it keeps of them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float32, Float64, Int

from triton_earth.core.grid import Grid
from triton_earth.core.processes.tasks import Tasks
from triton_earth.core.variables import Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth, TruthReader
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.matching import Selected
from triton_earth.evaluation.regions.places import Place
from triton_earth.evaluation.regions.weights import WeightsName, cell_weights

TRUTH = -1
"""Position of the truth among the sources."""

TRUTH_NAME = "truth"
"""Its name among them."""

Kind = TypeVar("Kind", bound="Aggregator")


@dataclass(frozen=True, eq=False)
class Case:
    """What all scores of an evaluation share.

    The *sources* of fields are the forecasts, then the baselines, then the truth.

    Attributes:
        models: Forecasts of the same initial conditions, variables and leads.
        truth: The truth.
        alignment: Which times of the truth belong to which forecast.
        baselines: The reference forecasts.
        names: Names of the models and the baselines.
        region: Where scores are taken; None: everywhere.
        weights_name: Which cell weights.
        seed: Seed of everything random.
        climatology: Store whose training split climatology and thresholds are of; None: the truth.
        numbers: Position of each initial condition in the whole evaluation, of which this may be a part.
    """

    models: tuple[Forecasts, ...]
    truth: Truth
    alignment: Alignment
    baselines: Baselines
    names: tuple[str, ...]
    region: Place | None = None
    weights_name: WeightsName = "cell_area"
    seed: int = 0
    climatology: TrainingStore | None = None
    numbers: Int[np.ndarray, " init"] | None = None

    @property
    def forecast(self) -> Forecasts:
        """The first of the models, which all have the same initial conditions, variables and leads as."""
        return self.models[0]

    @property
    def training(self) -> Truth:
        """The store whose training split climatology and thresholds are of, if it has one."""
        return self.climatology or self.truth

    @property
    def variables(self) -> Variables:
        """What is scored."""
        return self.forecast.variables

    @property
    def grid(self) -> Grid:
        """Where the cells are."""
        return self.forecast.grid

    @property
    def shape(self) -> tuple[int, int]:
        """Number of initial conditions and of scored leads."""
        inits, leads = self.alignment.available.shape
        return inits, leads

    @property
    def forecasts(self) -> range:
        """Positions of the models and the baselines among the sources."""
        return range(len(self.models) + len(self.baselines.references))

    @property
    def opponents(self) -> range:
        """Positions of the forecasts that others are compared with: baselines and, of several models, models."""
        return self.forecasts if len(self.models) > 1 else self.forecasts[1:]

    @property
    def sources(self) -> int:
        """Number of models, baselines and the truth, which is the last."""
        return len(self.forecasts) + 1

    @property
    def lead_times(self) -> np.ndarray:
        """Lead times that are scored."""
        return np.asarray(self.forecast.lead_times)[self.alignment.leads]

    @cached_property
    def weights(self) -> Float64[np.ndarray, "y x"]:
        """Weights of the cells in all means."""
        return cell_weights(self.grid, self.weights_name)

    @cached_property
    def defined(self) -> Bool[np.ndarray, "channel y x"] | None:
        """Cells in which each variable is defined; None: all of them."""
        mask = self.truth.valid_mask
        return None if mask is None else mask[self.alignment.channels]

    @cached_property
    def valid_mask(self) -> Bool[np.ndarray, "channel y x"] | None:
        """Cells that are scored: defined, and in the region; None: all of them."""
        if self.region is None:
            return self.defined
        inside = np.broadcast_to(
            self.region.cells(self.truth.grid), (len(self.variables), *self.grid.shape)
        )
        return inside if self.defined is None else self.defined & inside

    def reader(self) -> TruthReader:
        """Return the reader of the truth, which refuses values that are not finite where scores are taken."""
        forecast = self.forecast
        return TruthReader(
            self.truth,
            self.alignment,
            forecast.variables.names,
            forecast.trajectories,
            self.valid_mask,
        )

    def select(self, rows: Int[np.ndarray, " chosen"]) -> "Case":
        """Return the case of some of the initial conditions."""
        return replace(
            self,
            models=tuple(
                Selected(model, rows, np.arange(len(model.lead_times)), model.variables)
                for model in self.models
            ),
            alignment=self.alignment.select(rows),
            numbers=rows if self.numbers is None else self.numbers[rows],
        )


@dataclass(frozen=True)
class ModelFields:
    """Fields of the models at one stored lead. Leads of an initial condition pass in ascending order.

    Attributes:
        rows: Which initial conditions.
        step: Position of the lead among those stored.
        valid_times: Times of the fields.
        members: Members of each model; a single forecast has one.
        fields: Each model (of ensembles the mean).
    """

    rows: Int[np.ndarray, " batch"]
    step: int
    valid_times: np.ndarray
    members: list[Float32[np.ndarray, "batch _ channel y x"]]
    fields: list[Float[np.ndarray, "batch channel y x"]]


@dataclass(frozen=True)
class Batch(ModelFields):
    """Fields of the models, the baselines and the truth at one scored lead.

    Attributes:
        fields: Each model (of ensembles the mean), then each baseline.
        lead: Position of the lead among those that are scored.
        initial: Truth at the initial times.
        truth: The truth.
        climatology: What anomalies are departures from, or None where there is none.
    """

    lead: int
    initial: Float32[np.ndarray, "batch channel y x"]
    truth: Float32[np.ndarray, "batch channel y x"]
    climatology: Float32[np.ndarray, "batch channel y x"] | None = None

    @property
    def sources(self) -> list[Float[np.ndarray, "batch channel y x"]]:
        """Fields of every source: the models, the baselines, the truth."""
        return [*self.fields, self.truth]


class Aggregator(ABC):
    """Keeps what some scores are made of while fields pass, and makes the scores; it keeps no field.

    What it keeps are arrays in public attributes, which `INIT_AXES` names. Attributes that begin with an underscore
    are needed only while fields pass: they stay behind when an aggregator goes from one process to another.
    """

    INIT_AXES: ClassVar[Mapping[str, int | None]] = {}
    """Axis of the initial conditions of every array that is kept; None: it is a sum over initial conditions."""

    steps_without_truth: Sequence[int] = ()
    """Stored leads at which fields are wanted that have no truth, for `add_without_truth`."""

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Keep the numbers of some initial conditions at one scored lead that `scores` needs."""

    def add_without_truth(self, fields: ModelFields) -> None:
        """Keep the numbers of fields without a truth that `scores` needs, at the leads of `steps_without_truth`."""
        raise NotImplementedError

    def merge(self: Kind, *others: Kind) -> Kind:
        """Return one aggregator of the initial conditions of this one and then of the others."""
        merged = copy.copy(self)
        for name, axis in self.INIT_AXES.items():
            parts = [getattr(one, name) for one in (self, *others)]
            if parts[0] is not None:
                whole = np.sum(parts, axis=0) if axis is None else np.concatenate(parts, axis=axis)
                setattr(merged, name, whole)
        return merged

    @abstractmethod
    def scores(self, finished: "Finished") -> xr.Dataset:
        """Return the scores with their intervals; none where there are none."""

    def remarks(self, finished: "Finished") -> list[str]:
        """Return in sentences what a reader of the scores must know."""
        return []

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}


@dataclass(frozen=True)
class Finished:
    """Everything that was kept, when all fields have passed.

    Attributes:
        case: What all scores share.
        bootstrap: Resamples of the initial conditions.
        aggregators: What each family has kept, in the order of the families.
    """

    case: Case
    bootstrap: Bootstrap
    aggregators: tuple[Aggregator, ...]

    def find(self, kind: type[Kind]) -> Kind | None:
        """Return the aggregator of some kind; None where there is none."""
        return next((one for one in self.aggregators if isinstance(one, kind)), None)

    def get(self, kind: type[Kind]) -> Kind:
        """Return the aggregator of a kind that is part of every evaluation."""
        found = self.find(kind)
        assert found is not None, f"{kind.__name__} is not among the families"
        return found


class Family(ABC):
    """A family of scores: whether it can be scored, and what keeps what it is made of.

    To add one, write it in a file of its own and name it in `triton_earth.evaluation.evaluate`.
    """

    def check(self, case: Case) -> list[str]:
        """Refuse forecasts that cannot be scored, before a field is read, and return remarks for readers as sentences.

        Raises:
            UserError: if it cannot be scored.
        """
        return []

    def fit(self, case: Case, tasks: Tasks) -> "Family":
        """Return the family with what it needs to know in advance, such as thresholds."""
        return self

    @abstractmethod
    def start(self, case: Case) -> Sequence[Aggregator]:
        """Return the aggregators of a case or a part of it; none where there are no scores."""


@dataclass(frozen=True)
class Always(Family):
    """A family without options.

    Attributes:
        begin: Makes its aggregators.
    """

    begin: Callable[[Case], Aggregator | Sequence[Aggregator]]

    def start(self, case: Case) -> Sequence[Aggregator]:
        """Return its aggregators."""
        begun = self.begin(case)
        return [begun] if isinstance(begun, Aggregator) else begun
