"""A small ocean with heat waves, eddies and land, and ensembles that forecast it, with members that are equal."""

from functools import cache
from pathlib import Path

import numpy as np
import zarr

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.rollout.storage.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
)

GRID = LatLonGrid(tuple(np.arange(31, 38, 0.5)), tuple(np.arange(141, 148.5, 0.5)))
OCEAN = Variables(
    (
        Variable("sst", "degC", "sea surface temperature"),
        Variable("ssh", "m", "sea surface height"),
    )
)
DAYS = np.datetime64("2001-01-01", "ns") + np.arange(440) * np.timedelta64(1, "D")
PERIOD = "2001-01-01..2002-01-10"
"""Days of the thresholds."""

STARTS = np.array([400, 402, 434])
"""Days that forecasts start from; the truth of the last ends before it does."""

LEADS = 7


@cache
def ocean_fields() -> np.ndarray:
    """Temperatures in steps of half a degree and two eddies that go to and fro, [time, channel, y, x]."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((len(DAYS), *GRID.shape))
    for day in range(1, len(DAYS)):
        noise[day] = 0.95 * noise[day - 1] + 0.3 * noise[day]
    sst = np.round(2 * (20 + noise)) / 2
    ssh = 0.002 * noise
    for latitude, east, height in ((36.0, 143.0, 0.3), (33.0, 145.5, -0.2)):
        centre = east + np.sin(0.1 * np.arange(len(DAYS)))[:, None, None]
        way = (GRID.x - centre) * np.cos(np.deg2rad(latitude))
        ssh += height * np.exp(-(way**2 + (GRID.y[:, None] - latitude) ** 2) / 2)
    fields = np.stack([sst, ssh], axis=1).astype(np.float32)
    fields[:, :, :2, :3] = np.nan
    return fields


def ocean_store(path: Path, splits: str = "test") -> TrainingStore:
    """Fourteen months of a single trajectory; without a training split persistence is the only reference."""
    fields = ocean_fields()
    create_store(
        path,
        variables=OCEAN,
        grid=GRID,
        times=DAYS,
        splits=[splits],
        provenance={},
        valid_mask=np.isfinite(fields[0]),
    )
    finish_store(path, [write_trajectory(path, 0, fields)])
    return TrainingStore.open(path)


def ocean_forecast(path: Path, *, members: int, chunk_inits: int = 1) -> ForecastStore:
    """Forecasts between truth and persistence, with members that jump by half a step of the truth.

    `chunk_inits` is what the store says it has in a chunk.
    """
    fields = ocean_fields()
    create_forecast_store(
        path,
        variables=OCEAN,
        grid=GRID,
        time_step=np.timedelta64(1, "D"),
        steps=LEADS,
        init_times=DAYS[STARTS],
        trajectories=np.zeros(len(STARTS), int),
        provenance={"model": f"half way {members}"},
        members=members,
    )
    generator = np.random.default_rng(members)
    for channel, name in enumerate(OCEAN.names):
        array = zarr.open_array(path, path=name, mode="r+")
        for lead in range(1, LEADS + 1):
            true = fields[np.minimum(STARTS + lead, len(DAYS) - 1), channel]
            jumps = generator.integers(-1, 2, (len(STARTS), members, *GRID.shape))
            both = 0.5 * (fields[STARTS, channel] + true)[:, None] + (0.5, 0.001)[channel] * jumps
            at = np.s_[:, lead - 1] if members == 1 else np.s_[:, :, lead - 1]
            array[at] = both[:, 0] if members == 1 else both
    finish_forecast_store(path)
    forecast = ForecastStore.open(path)
    forecast.chunk_inits = chunk_inits
    return forecast
