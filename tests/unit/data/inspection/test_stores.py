"""Each kind of finding about training stores, provoked by one planted fault."""

import shutil

import numpy as np
import pytest
import zarr

from tests.gridded import dataset, recipe_values, write
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.inspection.findings import Severity
from triton_earth.data.inspection.store_checks import inspect_store
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.store.training_store import create_store, finish_store, write_trajectory

GRID = LatLonGrid(tuple(np.arange(-60.0, 61, 20)), tuple(np.arange(0.0, 360, 45)))
TIMES = np.datetime64("2001-01-01", "ns") + np.arange(30) * np.timedelta64(1, "D")
SPLIT = np.array(["train"] * 12 + [""] * 2 + ["valid"] * 6 + [""] * 2 + ["test"] * 8, dtype=object)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    data = GriddedData.parse(recipe_values(write(folder / "a.nc", dataset()))["data"], "recipe")
    return prepare_gridded(data, folder / "a.zarr", {}, window=2).path


@pytest.fixture
def copy(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "copy.zarr")


def store(path, *, split=SPLIT, change=None, valid_mask=None, name="temperature"):
    fields = np.random.default_rng(0).normal(280, 5, (30, 1, *GRID.shape)).astype(np.float32)
    if change is not None:
        change(fields)
    create_store(
        path,
        variables=Variables((Variable(name, "K"),)),
        grid=GRID,
        times=TIMES,
        splits=split[None],
        provenance={},
        valid_mask=valid_mask,
    )
    finish_store(path, [write_trajectory(path, 0, fields)])
    return path


def test_a_sound_store_gives_no_finding(sound):
    found = inspect_store(sound)
    assert found.findings == []
    assert found.facts["splits"] == "test 8 times, train 20 times, valid 6 times"
    assert found.facts["step"] == "1 d"
    assert found.facts["padding"] == "zero x periodic"
    assert [row["role"] for row in found.variables] == ["prognostic", "prognostic", "forcing"]
    assert found.variables[1]["masked"] == pytest.approx(9 / 96)


def test_the_other_fixture_is_sound_too(tmp_path):
    assert inspect_store(store(tmp_path / "a.zarr")).findings == []


def leak(fields):
    fields[25] = fields[3]


def drift(fields):
    fields[22:] += 4


def spread(fields):
    fields[22:] = 280 + 3 * (fields[22:] - 280)


def hole(fields):
    fields[4, 0, 2, 2] = np.nan


FAULTS = {
    "leak": {"change": leak},
    "drift": {"change": spread},
    "holes": {"change": hole},
    "no-split": {"split": np.where(SPLIT == "test", "", SPLIT)},
    "no-gap": {"split": np.array(["train"] * 14 + ["valid"] * 6 + [""] * 2 + ["test"] * 8, dtype=object)},
    "mask": {"valid_mask": np.arange(56).reshape(1, 7, 8) > 0},
}  # fmt: skip


@pytest.mark.parametrize("kind", list(FAULTS))
def test_one_planted_fault_is_one_finding(tmp_path, kind):
    found = inspect_store(store(tmp_path / "a.zarr", **FAULTS[kind]))
    assert found.kinds == [kind]
    expected = Severity.WARNING if kind in ("drift", "no-split") else Severity.FATAL
    assert found.findings[0].severity is expected
    assert found.findings[0].remedy


def test_places_are_latitudes_and_longitudes(tmp_path):
    message = inspect_store(store(tmp_path / "a.zarr", **FAULTS["holes"])).findings[0].message
    assert message.endswith("first at 2001-01-05, latitude -20, longitude 90.")


def test_a_shift_of_the_mean_is_drift(tmp_path):
    assert "drift" in inspect_store(store(tmp_path / "a.zarr", change=drift)).kinds


def test_what_follows_from_time_has_no_drift_and_no_repeated_fields(tmp_path):
    def repeated(fields):
        spread(fields)
        fields[5] = fields[4]

    assert inspect_store(store(tmp_path / "a.zarr", change=repeated)).kinds == [
        "repeated-fields",
        "drift",
    ]
    derived = store(tmp_path / "b.zarr", change=repeated, name="cosine_of_year")
    assert inspect_store(derived).findings == []


def test_a_leak_names_the_times(tmp_path):
    found = inspect_store(store(tmp_path / "a.zarr", change=leak))
    assert found.findings[0].message == (
        "1 states of test are also in train, for example 2001-01-26 as 2001-01-04."
    )


def test_changed_values_do_not_have_their_checksum(copy):
    array = zarr.open_array(copy, path="state", mode="r+")
    array[0, 3, 0, 0, 0] = 281.5
    found = inspect_store(copy)
    assert found.kinds == ["checksum"]
    assert found.findings[0].remedy


def test_damaged_stores(copy):
    (shard,) = (file for file in (copy / "state" / "c").rglob("*") if file.is_file())
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    (finding,) = inspect_store(copy).findings
    assert (finding.kind, bool(finding.remedy)) == ("unreadable", True)
    shard.unlink()
    (finding,) = inspect_store(copy).findings
    assert (finding.kind, bool(finding.remedy)) == ("unreadable", True)


def test_simulated_trajectories_are_inspected_too(waves):
    found = inspect_store(waves.path)
    assert not found.is_fatal
    assert found.facts["trajectories"] == "6"
