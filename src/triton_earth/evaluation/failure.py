"""The forecast that left the training climate first: its fields before and after, kept while they pass."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.alignment import Guarded
from triton_earth.evaluation.example import example_dataset

BEFORE, AFTER = 10, 10
"""Steps between the failure and the first and last picture of it."""

MOST_BYTES = 2**26
"""Memory of the fields that have passed; of very large ones fewer steps than `BEFORE` are held."""

Own = TypeVar("Own", bound="FieldsAround")

Field = Float[np.ndarray, "channel y x"]


def steps_around(step: int) -> tuple[int, ...]:
    """Return the steps that a picture of a failure shows: well before, the last before, at it, and after.

    Step 0 is the initial state.
    """
    return tuple(one for one in (step - BEFORE, step - 1, step, step + AFTER) if one >= 0)


@dataclass(frozen=True)
class Failures(Family):
    """The fields around the first failure of each model that a guard watches."""

    def start(self, case: Case) -> Sequence[Aggregator]:
        """Return the aggregators that keep them, one for each model."""
        return [FieldsAround(case, number) for number in range(len(case.models))]


@dataclass(frozen=True)
class _Passed:
    """Fields of one lead that have passed."""

    number: int
    lead: int
    rows: Int[np.ndarray, " batch"]
    fields: Float[np.ndarray, "batch channel y x"]
    truth: Float[np.ndarray, "batch channel y x"]
    initial: Float[np.ndarray, "batch channel y x"]


class FieldsAround(Aggregator):
    """Keeps the fields of the forecast that left the training climate first, at the steps of `steps_around`.

    Of forecasts that are made while they are read a failure is known only when it happens: the fields of the steps
    before are held for a while.

    Attributes:
        model: Which of the models.
        init: Initial condition of that forecast; None where none has left.
        step: Step at which it left.
        initial: The truth at its initial time.
        kept: Position of the lead, forecast and truth at each of those steps that is scored.
    """

    def __init__(self, case: Case, model: int) -> None:
        """Begin without fields."""
        self.model = model
        self.init: int | None = None
        self.step = 0
        self.initial: Field | None = None
        self.kept: dict[int, tuple[int, Field, Field]] = {}
        self._case, self._row = case, -1
        self._passed: deque[_Passed] = deque(maxlen=BEFORE)

    def add(self, batch: Batch) -> None:
        """Keep the fields of the forecast that has left first so far, if they are among those that pass."""
        forecasts = self._case.models[self.model]
        if not isinstance(forecasts, Guarded):
            return
        number = int(self._case.alignment.numbers[batch.lead])
        now = _Passed(
            number, batch.lead, batch.rows, batch.fields[self.model], batch.truth, batch.initial
        )
        first = forecasts.first_trip
        if first is not None and first != (self._row, self.step):
            self._begin(*first)
            for one in self._passed:
                self._take(one)
        self._take(now)
        self._passed.append(now)
        size = 3 * now.fields.nbytes
        while len(self._passed) > 1 and len(self._passed) * size > MOST_BYTES:
            self._passed.popleft()

    def _begin(self, row: int, step: int) -> None:
        numbers = self._case.numbers
        self._row, self.step = row, step
        self.init = row if numbers is None else int(numbers[row])
        self.initial, self.kept = None, {}

    def _take(self, one: _Passed) -> None:
        places = np.flatnonzero(one.rows == self._row)
        if self.init is None or not places.size or one.number not in steps_around(self.step):
            return
        place = int(places[0])
        self.initial = one.initial[place].copy()
        self.kept[one.number] = (one.lead, one.fields[place].copy(), one.truth[place].copy())

    def merge(self: Own, *others: Own) -> Own:
        """Return the part that has the forecast."""
        return next((one for one in (self, *others) if one.kept), self)

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return no scores."""
        return xr.Dataset()

    def dataset(self, finished: Finished) -> xr.Dataset | None:
        """Return truth, forecast and error as `example_dataset` gives them; None where nothing was kept."""
        case = finished.case
        forecasts = case.models[self.model]
        if self.init is None or self.initial is None or not isinstance(forecasts, Guarded):
            return None
        if forecasts.first_trip != (self.init, self.step):  # another left earlier, without a truth
            return None
        in_order = [self.kept[number] for number in sorted(self.kept)]
        leads = np.array([lead for lead, _, _ in in_order])
        fields = np.stack([self.initial, *(field for _, field, _ in in_order)])
        truth = np.stack([self.initial, *(true for _, _, true in in_order)])
        return example_dataset(case, forecasts, self.init, leads, truth, fields)
