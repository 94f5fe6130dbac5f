"""Write one training store and one forecast as zip archives into a folder: ``python make_stores.py FOLDER``."""

import shutil
import sys
from pathlib import Path

from tests.builders import tiny_forecaster, weather_store

from triton_earth.rollout.guard.guard import GuardConfig
from triton_earth.rollout.storage.writer import write_forecast


def make_stores(folder: Path) -> None:
    """Write ``training.zip`` and ``forecast.zip``."""
    store = weather_store(folder / "training.zarr")
    write_forecast(
        tiny_forecaster(store),
        store,
        folder / "forecast.zarr",
        trajectories=[4, 5],
        starts=[0, 2],
        steps=3,
        batch_size=2,
        guard=GuardConfig(policy="record"),
        provenance={"model": "triton", "model_hash": "a"},
    )
    for name in ("training", "forecast"):
        shutil.make_archive(str(folder / name), "zip", folder / f"{name}.zarr")


if __name__ == "__main__":
    make_stores(Path(sys.argv[1]))
