"""Evaluation in pieces: each task records some of the initial conditions; their records are joined."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from triton_earth.core.tasks import Tasks
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.matching import Selected
from triton_earth.evaluation.records import Records, join, record
from triton_earth.evaluation.regions import Place, WeightsName

PIECES = 4
"""Pieces for each process, so that none waits long for the last."""


@dataclass(frozen=True)
class Recording:
    """What every piece needs, as `record` takes it."""

    models: tuple[Forecasts, ...]
    truth: Truth
    alignment: Alignment
    baselines: Baselines
    region: Place | None
    weights_name: WeightsName


def record_with(tasks: Tasks, work: Recording) -> Records:
    """Record forecasts piece by piece; the same as `record` to rounding.

    The processes must see the stores under the same paths.

    Args:
        tasks: Where the pieces are done.
        work: What is recorded.
    """
    forecast = work.models[0]
    inits = len(work.alignment.starts)
    chunks = -(-inits // forecast.chunk_inits)
    count = 1 if tasks.processes == 1 else min(chunks, PIECES * tasks.processes)
    pieces = [
        np.arange(
            int(part[0]) * forecast.chunk_inits,
            min(inits, (int(part[-1]) + 1) * forecast.chunk_inits),
        )
        for part in np.array_split(np.arange(chunks), count)
    ]
    return join(list(tasks.map(_record_rows, work, pieces)))


def _record_rows(work: Recording, rows: Int[np.ndarray, " chosen"]) -> Records:
    first, *others = (
        Selected(model, rows, np.arange(len(model.lead_times)), model.variables)
        for model in work.models
    )
    return record(
        first,
        work.truth,
        work.alignment.select(rows),
        work.baselines,
        others=others,
        region=work.region,
        weights_name=work.weights_name,
    )
