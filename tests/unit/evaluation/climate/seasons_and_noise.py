"""A small climate that is known exactly: an annual wave, standing waves and red noise in space and time."""

from pathlib import Path

import numpy as np

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.store.writer import create_store, finish_store, write_trajectory

GRID = LatLonGrid(tuple(np.linspace(-75, 75, 6)), tuple(np.arange(0, 360, 30.0)))
VARIABLES = Variables(
    (Variable("temperature", "K", "temperature"), Variable("wind", "m s-1", "wind"))
)
START = np.datetime64("2001-01-01", "ns")
DAY = np.timedelta64(1, "D")
MEMORY = 0.7
"""Lag-1 autocorrelation."""


def days(first: int, count: int) -> np.ndarray:
    """Times of so many days."""
    return START + np.arange(first, first + count) * DAY


def season(times: np.ndarray) -> np.ndarray:
    """Annual wave of the temperature, 10 K, opposite in the hemispheres, and standing waves, [time, channel, y, x]."""
    phase = 2 * np.pi * ((times - START) / (365.25 * DAY))
    wave = 10 * np.cos(phase)[:, None, None] * np.sin(np.deg2rad(GRID.y))[None, :, None]
    standing = 3 * np.cos(np.deg2rad(GRID.x))[None, None, :] + 0 * wave
    return np.stack([280 + wave + standing, 5 + 2 * standing], axis=1)


def noise(count: int, seed: int) -> np.ndarray:
    """Red noise of unit variance, with large scales along rows, [time, channel, y, x]."""
    generator = np.random.default_rng(seed)
    shape = (count + 20, 2, *GRID.shape)
    white = generator.standard_normal(shape)
    white = 0.5 * white + 0.5 * np.roll(white, 1, axis=-1) + 0.5 * np.roll(white, 2, axis=-1)
    white /= np.sqrt(0.75)
    found = np.empty(shape)
    found[0] = white[0]
    for step in range(1, len(found)):
        found[step] = MEMORY * found[step - 1] + np.sqrt(1 - MEMORY**2) * white[step]
    return found[20:]


def weather(first: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and fields of a perfect run."""
    times = days(first, count)
    return times, (season(times) + 2 * noise(count, seed)).astype(np.float32)


def make_store(
    path: Path,
    years: int = 3,
    times: np.ndarray | None = None,
    fields: np.ndarray | None = None,
) -> TrainingStore:
    """A store of daily weather, or of what is given, all but the last hundred days for training."""
    if times is None or fields is None:
        times, fields = weather(0, 365 * years + 120, seed=1)
    splits = np.full((1, len(times)), "train", dtype=object)
    splits[0, -120:-100] = ""
    splits[0, -100:] = "test"
    create_store(
        path,
        variables=VARIABLES,
        grid=GRID,
        times=times,
        splits=splits.astype(str),
        provenance={"source": "seasons and noise"},
    )
    finish_store(path, [write_trajectory(path, 0, fields)])
    return TrainingStore.open(path)
