"""The one loop over fields: every field is read once, a few at a time, and shown to all aggregators."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from triton_earth.core.processes.progress import progress
from triton_earth.core.processes.tasks import Tasks
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, ModelFields
from triton_earth.evaluation.alignment import Ensembles, Forecasts
from triton_earth.evaluation.matching import read_members
from triton_earth.rollout.ensemble import mean_over_members

VALUES_IN_MEMORY = 2**22
"""Field values of one kind (forecast, truth) held at a time, unless one field or one stored chunk has more."""

PIECES = 4
"""Pieces for each process, so that none waits long for the last."""


def aggregate(case: Case, families: Sequence[Family], tasks: Tasks) -> tuple[Aggregator, ...]:
    """Show every field to the aggregators of all families, piece by piece of the initial conditions.

    The result is the same to rounding, however many pieces there are. The processes must see the stores under the same
    paths.

    Args:
        case: What all scores share.
        families: The families of scores.
        tasks: Where the pieces are done.

    Raises:
        UserError: if the truth is not finite in a valid cell; the message names the place.
    """
    inits, chunk = case.shape[0], case.forecast.chunk_inits
    chunks = -(-inits // chunk)
    count = 1 if tasks.processes == 1 else min(chunks, PIECES * tasks.processes)
    pieces = [
        np.arange(int(part[0]) * chunk, min(inits, (int(part[-1]) + 1) * chunk))
        for part in np.array_split(np.arange(chunks), count)
    ]
    parts = list(tasks.map(_aggregate_rows, (case, tuple(families)), pieces))
    return tuple(first.merge(*rest) if rest else first for first, *rest in zip(*parts, strict=True))


def _aggregate_rows(
    work: tuple[Case, tuple[Family, ...]], rows: Int[np.ndarray, " chosen"]
) -> list[Aggregator]:
    whole, families = work
    case = whole.select(rows)
    aggregators = [one for family in families for one in family.start(case)]
    stream(case, aggregators)
    return aggregators


def stream(case: Case, aggregators: Sequence[Aggregator]) -> None:
    """Read every forecast and its truth once and show them to aggregators; leads ascend.

    Args:
        case: The forecasts and their truth.
        aggregators: What keeps something of them.

    Raises:
        UserError: if the truth is not finite in a valid cell; the message names the place.
    """
    alignment = case.alignment
    lead_of = {int(step): lead for lead, step in enumerate(alignment.leads)}
    alone = {step for one in aggregators for step in one.steps_without_truth}
    batch, block = _portions(case.models, case)
    inits = case.shape[0]
    with progress("evaluating", inits * len(alone | set(lead_of))) as advance:
        for first in range(0, inits, batch):
            rows = slice(first, min(first + batch, inits))
            truths = _Truths(case, rows, block)
            for step in sorted(alone | set(lead_of)):
                lead = lead_of.get(step)
                there = np.zeros(rows.stop - first, bool)
                if lead is not None:
                    there = alignment.available[rows, lead]
                without = ~there if step in alone else np.zeros_like(there)
                if (there | without).any():
                    members = [read_members(model, rows, step) for model in case.models]
                    if without.any():
                        fields = _of_models(case, first, np.flatnonzero(without), step, members)
                        for aggregator in aggregators:
                            if step in aggregator.steps_without_truth:
                                aggregator.add_without_truth(fields)
                    if lead is not None and there.any():
                        here = np.flatnonzero(there)
                        given = _of_models(case, first, here, step, members)
                        whole = _with_truth(
                            case, given, lead, truths.initial[here], truths.at(lead)
                        )
                        for aggregator in aggregators:
                            aggregator.add(whole)
                advance(rows.stop - first)


def _of_models(
    case: Case,
    first: int,
    here: Int[np.ndarray, " chosen"],
    step: int,
    members: Sequence[Float32[np.ndarray, "batch _ channel y x"]],
) -> ModelFields:
    """Return the fields of the models at some of the rows that were read."""
    rows = first + here
    chosen = [one[here] for one in members]
    times = np.asarray(case.forecast.init_times)[rows]
    times = times + np.asarray(case.forecast.lead_times)[step]
    return ModelFields(rows, step, times, chosen, [mean_over_members(one) for one in chosen])


def _with_truth(
    case: Case,
    given: ModelFields,
    lead: int,
    initial: Float32[np.ndarray, "batch channel y x"],
    truth: Float32[np.ndarray, "batch channel y x"],
) -> Batch:
    """Return the fields of the models with those of the baselines and the truth beside them."""
    started = np.asarray(case.forecast.init_times)[given.rows]
    number, climatology = int(case.alignment.numbers[lead]), case.baselines.climatology
    baselines = [reference.at(initial, started, number) for reference in case.baselines.references]
    # In the precision of the forecasts: climatology has no anomaly, not one of rounding.
    mean = None if climatology is None else climatology.at(given.valid_times).astype(np.float32)
    return Batch(
        given.rows,
        given.step,
        given.valid_times,
        given.members,
        [*given.fields, *baselines],
        lead,
        initial,
        truth,
        mean,
    )


class _Truths:
    """The truth of some initial conditions, of which a block of leads is held at a time.

    Attributes:
        initial: The truth at the initial times; NaN where it is not there.
    """

    def __init__(self, case: Case, rows: slice, block: int) -> None:
        self._available, self._rows, self._block = case.alignment.available, rows, block
        self._reader = case.reader()
        self._columns, self._fields = slice(0, 0), [np.empty(0, np.float32)]
        each = [self._reader.read_initial(row) for row in range(rows.start, rows.stop)]
        self.initial: Float32[np.ndarray, "batch channel y x"] = np.concatenate(each)

    def at(self, lead: int) -> Float32[np.ndarray, "there channel y x"]:
        """Return the truth of those initial conditions that have one at a lead; leads ascend."""
        rows = range(self._rows.start, self._rows.stop)
        if lead >= self._columns.stop:
            stop = min((lead // self._block + 1) * self._block, self._available.shape[1])
            self._columns = slice(lead, stop)
            self._fields = [self._reader.read_available(row, self._columns) for row in rows]
        # Where the record has a gap a truth begins again after it.
        before = self._available[self._rows, self._columns.start : lead].sum(axis=1)
        there = np.flatnonzero(self._available[self._rows, lead])
        return np.stack([self._fields[row][before[row]] for row in there])


def _portions(models: Sequence[Forecasts], case: Case) -> tuple[int, int]:
    """Return how many forecasts, with all their members, and how many leads of the truth are in memory together."""
    forecast, inits = models[0], case.shape[0]
    per_field = len(forecast.variables) * forecast.grid.shape[0] * forecast.grid.shape[1]
    members = max(model.members if isinstance(model, Ensembles) else 1 for model in models)
    chunk = max(1, forecast.chunk_inits)
    batch = min(inits, chunk * max(1, VALUES_IN_MEMORY // (16 * chunk * members * per_field)))
    return batch, max(1, VALUES_IN_MEMORY // (batch * per_field))
