"""`triton-earth inspect` as a user sees it."""

import json

import numpy as np

from tests.builders import files_below
from tests.gridded import dataset, write, write_recipe


def test_a_file_and_its_store(command, tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    store = tmp_path / "a.zarr"
    recipe = write_recipe(tmp_path / "recipe.yaml", path)
    assert command("prepare", recipe, "--out", store).code == 0
    before = files_below(tmp_path)
    for what in (path, store):
        outcome = command("inspect", what)
        assert outcome.code == 0, outcome
        assert outcome.err == ""
        assert outcome.out.startswith(f"{what}\n")
        assert outcome.out.endswith("findings: 0 fatal, 0 warning, 0 note\n")
    values = json.loads(command("inspect", store, "--json").out)
    assert values["fatal"] is False
    assert [row["variable"] for row in values["variables"]] == ["2m_temperature", "sst", "flux"]
    assert values["facts"]["splits"] == "test 8 times, train 20 times, valid 6 times"
    assert files_below(tmp_path) == before


def test_fatal_findings_exit_with_1(command, tmp_path):
    data = dataset()
    data["t2m"][5, 3, 4] = np.nan
    path = write(tmp_path / "a.nc", data.isel(latitude=slice(None, None, -1)))
    outcome = command("inspect", path)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[-3].startswith("fatal: holes 't2m': 1 values are missing")
    assert lines[-2] == (
        "note: orientation: latitude runs north to south in the file. `prepare` turns it."
    )
    values = json.loads(command("inspect", path, "--json").out)
    assert values["fatal"] is True
    assert [finding["kind"] for finding in values["findings"]] == ["holes", "orientation"]


def test_several_files_and_some_times(command, tmp_path):
    data = dataset()
    write(tmp_path / "a.nc", data.isel(time=slice(0, 15)))
    write(tmp_path / "b.nc", data.isel(time=slice(20, 40)))
    outcome = command("inspect", tmp_path / "*.nc", "--times", 5)
    assert outcome.code == 1
    assert "sampled: " in outcome.out
    assert f"fatal: time-gaps: between {tmp_path / 'a.nc'} and {tmp_path / 'b.nc'}" in outcome.out
    values = json.loads(command("inspect", tmp_path / "*.nc", "--json").out)
    assert {row["file"] for row in values["variables"]} == {
        str(tmp_path / "a.nc"), str(tmp_path / "b.nc"),
    }  # fmt: skip


def test_an_archive_of_trajectories(command, tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(2, 5, 8, 8)))
    outcome = command("inspect", tmp_path / "a.npy")
    assert (outcome.code, outcome.err) == (0, "")
    assert "data.kind: trajectories" in outcome.out


def test_a_store_is_read_whole(command, tmp_path):
    path = write(tmp_path / "a.nc", dataset())
    recipe = write_recipe(tmp_path / "recipe.yaml", path)
    assert command("prepare", recipe, "--out", tmp_path / "a.zarr").code == 0
    outcome = command("inspect", tmp_path / "a.zarr", "--times", 5)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Leave out --times" in outcome.err


def test_what_is_not_there(command, tmp_path):
    outcome = command("inspect", tmp_path / "nothing.nc")
    assert (outcome.code, outcome.out) == (2, "")
    assert "there is no such file or store" in outcome.err
    (tmp_path / "a.zarr.partial").mkdir()
    assert "is unfinished" in command("inspect", tmp_path / "a.zarr").err
    (tmp_path / "folder").mkdir()
    assert command("inspect", tmp_path / "folder").code == 1


def test_a_stored_forecast_is_told_as_such(command, tiny_forecast):
    found = command("inspect", tiny_forecast)
    assert found.code == 0
    assert "forecast of: triton" in found.out
    assert "initial times: 2, " in found.out
    assert "leads: 7, " in found.out
    assert "guard: " in found.out
    assert found.out.splitlines()[-2] == (
        "note: forecast: this is a forecast, not data to train on. Judge it: `triton-earth evaluate "
        f"{tiny_forecast} TRUTH --out REPORT`."
    )
