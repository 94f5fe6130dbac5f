"""A stranger's pickle in a Zarr store never runs, whatever the version of numcodecs allows."""

import json
import os
import pickle
import shutil

import numcodecs
import numpy as np
import pytest
import zarr

from tests.builders import wave_store
from triton_earth.core.errors import UserError
from triton_earth.data.sources.files import open_files
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.rollout.storage.forecast_store import ForecastStore


class Canary:
    """What a pickle may do when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(autouse=True)
def _a_version_that_runs_pickles(monkeypatch):
    """As numcodecs did before 0.16.6, and does when NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE is set."""
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True)


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


def evil(path, canary, *, filters=({"id": "vlen-utf8"}, {"id": "pickle"}), attributes=None):
    """A store of format 2 whose coordinate `time` is a pickle that makes the canary."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs.update(attributes or {})
    field = group.create_array("t2m", shape=(3, 4, 8), dtype="f4", chunks=(1, 4, 8))
    field.attrs["_ARRAY_DIMENSIONS"] = ["time", "latitude", "longitude"]
    field[:] = np.zeros((3, 4, 8), "f4")
    for name, values in (("latitude", np.arange(4.0)), ("longitude", np.arange(8.0))):
        array = group.create_array(name, shape=values.shape, dtype="f8", chunks=values.shape)
        array.attrs["_ARRAY_DIMENSIONS"] = [name]
        array[:] = values
    (path / "time").mkdir()
    described = {
        "zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "|O", "fill_value": None, "order": "C",
        "compressor": None, "filters": list(filters),
    }  # fmt: skip
    (path / "time" / ".zarray").write_text(json.dumps(described))
    (path / "time" / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": ["time"]}))
    (path / "time" / "0").write_bytes(pickle.dumps(Canary(canary)))
    return path


def test_the_canary_would_live_in_such_a_store(tmp_path, canary):
    """Else the tests below could not fail."""
    path = evil(tmp_path / "evil.zarr", canary)
    with pytest.raises(Exception):  # noqa: B017, PT011  what came of the pickle is no array
        zarr.open_array(path, path="time", mode="r")[:]
    assert canary.exists()


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": "vlen-utf8"}, {"id": "pickle"}],
        [{"id": "pickle", "protocol": 2}],
        [{"id": "zlib", "level": 1}, {"id": "pickle"}],
    ],
)
def test_a_pickle_of_a_source_is_refused_before_it_is_decoded(tmp_path, canary, filters):
    path = evil(tmp_path / "evil.zarr", canary, filters=filters)
    with pytest.raises(UserError, match="'time' is encoded as a pickle, which can run any code"):
        open_files(str(path))
    assert not canary.exists()


def test_a_pickle_that_only_the_consolidated_metadata_tell_of(tmp_path, canary):
    path = evil(tmp_path / "evil.zarr", canary)
    zarr.consolidate_metadata(path)
    plain = json.loads((path / "time" / ".zarray").read_text())
    (path / "time" / ".zarray").write_text(json.dumps({**plain, "dtype": "<f8", "filters": None}))
    with pytest.raises(UserError, match="is encoded as a pickle"):
        open_files(str(path))
    assert not canary.exists()


def test_a_pickle_in_a_zip_archive_is_refused(tmp_path, canary):
    path = evil(tmp_path / "evil.zarr", canary)
    shutil.make_archive(str(tmp_path / "evil"), "zip", path)
    with pytest.raises(UserError, match="'time' is encoded as a pickle"):
        open_files(str(tmp_path / "evil.zip"))
    assert not canary.exists()


def test_a_pickle_at_an_address_is_refused(tmp_path, canary):
    path = evil(tmp_path / "evil.zarr", canary)
    with pytest.raises(UserError, match="'time' is encoded as a pickle"):
        open_files(f"file://{path}")
    assert not canary.exists()


@pytest.mark.parametrize(
    "address", ["reference://x.json", "simplecache::file:///x", "python://x", "reference://*.nc"]
)
def test_addresses_that_hold_code_or_hide_another_are_refused(address):
    with pytest.raises(UserError, match=r"is not read; known are http|there is no such file"):
        open_files(address)


@pytest.mark.parametrize(
    ("kind", "format"),
    [(TrainingStore, "triton-earth training store 1"), (ForecastStore, "triton-earth forecast 1")],
)
def test_our_own_stores_are_of_format_3_only(tmp_path, canary, kind, format):
    attributes = {"format": format, "content_hash": "0", "complete": True}
    path = evil(tmp_path / "evil.zarr", canary, attributes=attributes)
    with pytest.raises(UserError, match="it is not of Zarr format 3"):
        kind.open(path)
    wave_store(tmp_path / "good.zarr")
    for name in (".zgroup", ".zattrs", "time"):
        (path / name).rename(tmp_path / "good.zarr" / f"{name}{'2' if name == 'time' else ''}")
    with pytest.raises(UserError, match="it is not of Zarr format 3"):
        TrainingStore.open(tmp_path / "good.zarr")
    assert not canary.exists()
