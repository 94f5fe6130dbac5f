"""Scores of two small evaluations without a network, as numbers that say whether any score has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tests.builders import daily_store, wave_store

import triton_earth

DAYS = np.datetime64("2001-01-01", "ns") + np.arange(420) * np.timedelta64(1, "D")


def evaluated(folder: Path, **how: Any) -> dict[str, xr.Dataset]:
    """Return the scores of persistence on a globe with seasons and of three perturbed members on a box.

    Args:
        folder: Where stores and forecasts are made.
        **how: Options of the evaluations.
    """
    globe = daily_store(folder / "globe.zarr", DAYS, sunshine=False, season=8.0).path
    box = wave_store(folder / "box.zarr", times=40).path
    forecasts = {
        "globe": triton_earth.forecast(
            "persistence", globe, folder / "globe_forecast.zarr", steps=10, init=_starts()
        ),
        "box": triton_earth.forecast(
            "persistence", box, folder / "box_forecast.zarr", steps=12, members=3, perturb="noise"
        ),
    }
    truths = {"globe": globe, "box": box}
    return {
        name: triton_earth.evaluate(
            forecast.path, truths[name], out=folder / f"{name}_report", resamples=40, **how
        )
        for name, forecast in forecasts.items()
    }


def numbers(scores: xr.Dataset) -> dict[str, list[float]]:
    """Return of each score how many values there are, and mean and root mean square of those that are finite."""
    found = {}
    for name, array in sorted(scores.variables.items()):
        if array.dtype.kind not in "fiub":
            continue
        values = np.asarray(array.values, dtype=np.float64)
        there = values[np.isfinite(values)]
        mean = float(there.mean()) if there.size else 0.0
        size = float(np.sqrt(np.square(there).mean())) if there.size else 0.0
        found[str(name)] = [values.size, there.size, mean, size]
    return found


def _starts() -> str:
    return ",".join(str(day)[:10] for day in DAYS[30:390:40])
