"""Evaluation in pieces: each task records some of the initial conditions; their records are joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from triton_earth.core.tasks import Tasks
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.baselines import Baselines
from triton_earth.evaluation.matching import Selected
from triton_earth.evaluation.metrics.eddies import EddyRecorder, EddyRecords
from triton_earth.evaluation.metrics.ensemble_records import EnsembleRecorder, EnsembleRecords
from triton_earth.evaluation.metrics.heat_wave_events import HeatWaveClimate
from triton_earth.evaluation.metrics.heat_waves import HeatWaveRecorder, HeatWaveRecords
from triton_earth.evaluation.metrics.region_records import RegionRecorder, RegionRecords
from triton_earth.evaluation.named_regions import NamedRegion
from triton_earth.evaluation.records import Records, join, record
from triton_earth.evaluation.regions import Place, WeightsName

PIECES = 4
"""Pieces for each process, so that none waits long for the last."""


@dataclass(frozen=True)
class HeatWaves:
    """Which heat waves are recorded: the temperature, its climatology and its thresholds."""

    variable: str
    climate: HeatWaveClimate


@dataclass(frozen=True)
class Recording:
    """What every piece needs.

    Attributes:
        models: Stored forecasts of the same initial conditions, variables and leads.
        truth: The truth.
        alignment: Which belong together.
        baselines: The reference forecasts.
        region: Where scores are taken; None: everywhere.
        weights_name: Which cell weights.
        seed: Seed of the ranks among equal members.
        heat_waves: Which heat waves are recorded; None: none.
        eddies: Sea level whose eddies are recorded; None: none.
        by_region: Regions that are recorded beside the whole.
    """

    models: tuple[Forecasts, ...]
    truth: Truth
    alignment: Alignment
    baselines: Baselines
    region: Place | None
    weights_name: WeightsName
    seed: int = 0
    heat_waves: HeatWaves | None = None
    eddies: str | None = None
    by_region: tuple[NamedRegion, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """Records of each kind.

    Attributes:
        errors: Those that every forecast has.
        ensembles: Those of the members of each model that is an ensemble, by its position.
        heat_waves: Those of heat waves; None where none were asked for.
        eddies: Those of eddies; None where none were asked for.
        regions: Those of regions; None where none were asked for.
    """

    errors: Records
    ensembles: dict[int, EnsembleRecords]
    heat_waves: HeatWaveRecords | None
    eddies: EddyRecords | None
    regions: RegionRecords | None

    @classmethod
    def join(cls, parts: Sequence["Recorded"]) -> "Recorded":
        """Return the records of consecutive initial conditions that were recorded apart."""
        heat_waves = [part.heat_waves for part in parts if part.heat_waves is not None]
        eddies = [part.eddies for part in parts if part.eddies is not None]
        regions = [part.regions for part in parts if part.regions is not None]
        return cls(
            join([part.errors for part in parts]),
            {
                place: EnsembleRecords.join([part.ensembles[place] for part in parts])
                for place in parts[0].ensembles
            },
            HeatWaveRecords.join(heat_waves) if heat_waves else None,
            EddyRecords.join(eddies) if eddies else None,
            RegionRecords.join(regions) if regions else None,
        )


def record_with(tasks: Tasks, work: Recording) -> Recorded:
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
    return Recorded.join(list(tasks.map(record_rows, work, pieces)))


def record_rows(work: Recording, rows: Int[np.ndarray, " chosen"]) -> Recorded:
    """Record some of the initial conditions.

    Args:
        work: What is recorded.
        rows: Their positions.
    """
    models = [
        Selected(model, rows, np.arange(len(model.lead_times)), model.variables)
        for model in work.models
    ]
    first, alignment = models[0], work.alignment.select(rows)
    where: dict[str, Any] = {"region": work.region, "weights_name": work.weights_name}
    sources = len(models) + len(work.baselines.references) + 1
    ensembles = {
        place: EnsembleRecorder(
            model, place, work.truth, alignment, rows=rows, seed=work.seed, **where
        )
        for place, model in enumerate(models)
        if model.members > 1
    }
    heat_waves = eddies = regions = None
    if work.heat_waves is not None:
        warm = work.heat_waves
        heat_waves = HeatWaveRecorder(
            first, work.truth, alignment, warm.variable, warm.climate, sources=sources, **where
        )
    if work.eddies is not None:
        eddies = EddyRecorder(first, work.truth, alignment, work.eddies, sources=sources, **where)
    if work.by_region:
        with_anomalies = work.baselines.climatology is not None
        regions = RegionRecorder(
            first,
            work.truth,
            alignment,
            work.by_region,
            sources=sources - 1,
            with_anomalies=with_anomalies,
            **where,
        )
    events = [one for one in (heat_waves, eddies, regions) if one is not None]
    records = record(
        first,
        work.truth,
        alignment,
        work.baselines,
        others=models[1:],
        beside=[*ensembles.values(), *events],
        **where,
    )
    return Recorded(
        records,
        {place: one.records for place, one in ensembles.items()},
        None if heat_waves is None else heat_waves.records,
        None if eddies is None else eddies.records,
        None if regions is None else regions.records,
    )
