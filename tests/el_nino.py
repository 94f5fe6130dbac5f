"""Three years of a small world with a season, El Niños, land, and a jet that goes to and fro."""

from functools import cache
from pathlib import Path

import numpy as np

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import MEAN_MONTH
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)

GRID = LatLonGrid(tuple(np.arange(-86.25, 90, 7.5)), tuple(np.arange(0.0, 360.0, 10.0)))
SST = Variable("sea_surface_temperature", "degC", "sea surface temperature")
WINDS = (
    Variable("u_component_of_wind_850", "m s-1", "eastward wind", level=850.0),
    Variable("u_component_of_wind_700", "m s-1", "eastward wind", level=700.0),
)
MONTHS = 72
"""Months from January 2001: four years of training, then two of test."""

TIMES = np.datetime64("2001-01-16", "ns") + np.arange(MONTHS) * MEAN_MONTH


@cache
def world() -> np.ndarray:
    """Temperature and two winds, [time, channel, y, x]; land in Africa and, of the temperature alone, NaN there."""
    generator = np.random.default_rng(4)
    phase = 2 * np.pi * np.arange(MONTHS) / 12
    season = np.cos(phase)[:, None, None] * np.sin(np.deg2rad(GRID.y))[:, None]
    pattern = np.exp(-((GRID.y[:, None] / 12) ** 2) - ((GRID.x - 215) / 30) ** 2) - 0.7 * np.exp(
        -(((GRID.y[:, None] - 38) / 10) ** 2) - ((GRID.x - 185) / 25) ** 2
    )
    amplitude = np.zeros(MONTHS)
    for month in range(1, MONTHS):
        amplitude[month] = 0.85 * amplitude[month - 1] + 0.5 * generator.standard_normal()
    noise = 0.1 * generator.standard_normal((MONTHS, *GRID.shape))
    sst = 15 + 5 * season + amplitude[:, None, None] * pattern + noise
    centre = 45 + 5 * np.cos(phase) + 4 * np.sin(0.9 * np.arange(MONTHS))
    jet = 15 * np.exp(-(((GRID.y[None, :] - centre[:, None]) / 12) ** 2))
    wind = jet[:, :, None] + 0.3 * generator.standard_normal((MONTHS, *GRID.shape))
    fields = np.stack([sst, wind, 1.2 * wind], axis=1).astype(np.float32)
    fields[:, 0] = np.where(land(), np.nan, fields[:, 0])
    return fields


def land() -> np.ndarray:
    """Which cells are land: Africa and Asia, and the coast of America beside the eastern Pacific."""
    y, x = GRID.y[:, None], GRID.x
    return ((x < 100) & (y > -30)) | ((x > 275) & (x < 285) & (y > -60))


def world_store(
    path: Path,
    *,
    variables: tuple[Variable, ...] = (SST, *WINDS),
    months: int = 48,
    grid: LatLonGrid = GRID,
    train: str = "train",
) -> TrainingStore:
    """The world with some months of training, a gap, and the rest for test."""
    fields = world()[:, : len(variables)]
    rows = [int(np.argmin(np.abs(GRID.y - one))) for one in grid.y]
    columns = [int(np.argmin(np.abs(GRID.x - one))) for one in grid.x]
    fields = np.ascontiguousarray(fields[:, :, rows][..., columns])
    split = np.full((1, MONTHS), "test", object)
    split[0, :months] = train
    create_store(
        path,
        variables=Variables(variables),
        grid=grid,
        times=TIMES,
        splits=split,
        provenance={},
        valid_mask=np.isfinite(fields[0]),
    )
    finish_store(path, [write_trajectory(path, 0, fields)])
    return TrainingStore.open(path)
