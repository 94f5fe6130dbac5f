"""The content hash tells apart all that a model would be trained or judged differently on."""

import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.store.content_hash import content_hash
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)

GRID = LatLonGrid((-30.0, 0.0, 30.0), (0.0, 90.0, 180.0, 270.0))
FIELDS = np.arange(4 * 12, dtype=np.float32).reshape(4, 1, 3, 4)
PLAIN = {
    "variables": Variables((Variable("temperature", "K", "temperature", 850.0),)),
    "grid": GRID,
    "times": np.datetime64("2001-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D"),
    "splits": np.array([["train", "train", "", "test"]], dtype=object),
    "provenance": {"made": "here"},
}
MASK = np.ones((1, 3, 4), dtype=bool)
MASK[0, 0, 0] = False


def hashed(path, fields=FIELDS, **changes):
    create_store(path, **{**PLAIN, **changes})
    return finish_store(path, [write_trajectory(path, 0, fields)])


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": FIELDS + 1},
        {"variables": Variables((Variable("temperature", "degC", "temperature", 850.0),))},
        {"variables": Variables((Variable("temperature", "K", "temperature", 500.0),))},
        {"variables": Variables((Variable("temperature", "K", "temperature", 850.0, Role.DIAGNOSTIC),))},
        {"variables": Variables((Variable("potential_temperature", "K", "temperature", 850.0),))},
        {"grid": LatLonGrid((-30.0, 0.0, 30.0), (10.0, 100.0, 190.0, 280.0))},
        {"times": PLAIN["times"] + np.timedelta64(1, "D")},
        {"times": np.datetime64("2001-01-01", "ns") + np.arange(4) * np.timedelta64(6, "h")},
        {"times": np.arange(4.0)},
        {"splits": np.array([["train", "", "test", "test"]], dtype=object)},
        {"valid_mask": MASK},
    ],
    ids=["values", "units", "level", "role", "name", "grid", "times", "time step", "no calendar", "split", "mask"],
)  # fmt: skip
def test_everything_that_matters_is_hashed(tmp_path, changes):
    assert hashed(tmp_path / "a.zarr") != hashed(tmp_path / "b.zarr", **changes)


def test_what_does_not_matter_is_not_hashed(tmp_path):
    one = hashed(tmp_path / "a.zarr")
    assert one == hashed(tmp_path / "b.zarr", provenance={"made": "there"}, times_per_file=2)
    assert one == hashed(tmp_path / "d.zarr", compression="lz4")
    assert one == content_hash(tmp_path / "a.zarr", [one_trajectory(tmp_path / "c.zarr")])


def one_trajectory(path):
    create_store(path, **PLAIN)
    return write_trajectory(path, 0, FIELDS)


def test_units_of_model_time_are_kept(tmp_path):
    days = {"times": np.arange(4.0), "time_units": "d"}
    assert hashed(tmp_path / "a.zarr", times=days["times"]) == hashed(tmp_path / "b.zarr", **days)
    units = [TrainingStore.open(tmp_path / name).time_units for name in ("a.zarr", "b.zarr")]
    assert units == ["1", "d"]
