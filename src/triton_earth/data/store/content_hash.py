"""Content hash of a training store: of its values, and of all that says what they are and may be used for."""

import hashlib
import json
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.storage import LocalStore

from triton_earth.data.store.groups import beside_other_files, from_texts


def content_hash(path: Path, trajectory_hashes: list[str]) -> str:
    """Return the SHA-256 over variables, grid, times, splits, valid mask and the hashes of all trajectories.

    It depends neither on where the store lies nor on how it was made, or how its files are cut.

    Args:
        path: A store made by `create_store`.
        trajectory_hashes: SHA-256 of the values of each trajectory, in order.
    """
    with (
        beside_other_files(),
        xr.open_zarr(LocalStore(path), consolidated=False, zarr_format=3) as opened,
    ):
        store = opened.drop_vars("state").load()
    times = store["time"].values
    calendar = times.dtype.kind == "M"
    split = store["split"].values.astype(object)
    attributes = from_texts(store.attrs)
    described = {
        "variables": attributes["variables"],
        "grid": attributes["grid"],
        "calendar": calendar,
        "times": _digest(
            times.astype("datetime64[ns]").astype("<i8") if calendar else times.astype("<f8")
        ),
        "split": split.tolist(),
        "valid_mask": _digest(np.packbits(store["valid_mask"].values.astype(bool)))
        if "valid_mask" in store.coords
        else None,
        "trajectories": trajectory_hashes,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
