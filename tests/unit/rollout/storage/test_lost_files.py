"""A file of a forecast that is lost is no blow-up."""

import re

import numpy as np
import pytest
import zarr

from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.rollout.storage import forecast_store
from triton_earth.rollout.storage.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
    open_for_writing,
    write_guard,
    write_lead,
)

LEADS = [2, 4, 6]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Five initial conditions at three leads, two rows in a file; forecast 1 is missing throughout from lead 4 on."""
    monkeypatch.setattr(forecast_store, "CHUNK_FIELDS", 2)

    def stored(members=1, until=3, guard=None):
        path = tmp_path / "forecast.zarr"
        create_forecast_store(
            path,
            variables=Variables((VORTICITY,)),
            grid=PeriodicGrid(4, 4),
            time_step=0.5,
            steps=LEADS,
            init_times=np.arange(5.0),
            trajectories=np.zeros(5, int),
            provenance={},
            members=members,
        )
        arrays = open_for_writing(path, ["vorticity"])
        for lead in range(until):
            fields = np.ones((5 * members, 4, 4), np.float32)
            fields[:2] = np.nan if lead else 1
            write_lead(arrays, slice(0, 5 * members), members, lead, [fields])
        if guard is not None:
            write_guard(path, guard)
        finish_forecast_store(path)
        return path

    return stored


def trips(*steps, policy="stop", count=None):
    found = [{"init": init, "member": None, "step": step} for init, step in enumerate(steps)]
    return {"policy": policy, "count": len(found) if count is None else count, "trips": found}


def read_all(path):
    stored = ForecastStore.open(path)
    return [stored.read_members(slice(0, 5), lead) for lead in range(3)]


def test_fields_that_are_missing_throughout_are_stored(make):
    fields = read_all(make())
    assert [int(np.isnan(field).sum()) for field in fields] == [0, 32, 32]


def test_a_lost_file_is_named(make):
    path = make()
    (path / "vorticity" / "c" / "1" / "2" / "0" / "0").unlink()
    message = (
        f"{path}: 'vorticity' at lead 6 of the forecasts from 2 is missing: the file vorticity/c/1/2/0/0 is lost. "
        "Make the forecast again."
    )
    stored = ForecastStore.open(path)
    for inits in (slice(0, 5), slice(3, 4), slice(2, 4)):
        with pytest.raises(UserError, match=re.escape(message)):
            stored.read(inits, 2)
    stored.read(slice(0, 2), 2)
    stored.read(slice(4, 5), 2)
    stored.read(slice(0, 5), 1)


def test_an_empty_file_is_lost_too(make):
    path = make()
    (path / "vorticity" / "c" / "2" / "0" / "0" / "0").write_bytes(b"")
    with pytest.raises(UserError, match=r"is lost|cannot be read"):
        ForecastStore.open(path).read(slice(0, 5), 0)


def test_members_that_are_lost_are_named(make):
    path = make(members=3)
    lost = path / "vorticity" / "c" / "4" / "1" / "0" / "0" / "0"
    assert zarr.open_array(path, path="vorticity", mode="r").chunks[:2] == (1, 2)
    lost.unlink()
    with pytest.raises(UserError, match=r"at lead 2 of members 2 to 2 of the forecasts from 4 "):
        ForecastStore.open(path).read_members(slice(0, 5), 0)


def test_what_the_guard_stopped_is_not_lost(make):
    path = make(until=1, guard=trips(1, 2, 2, 2, 2))
    assert np.isnan(read_all(path)[1:]).all()


@pytest.mark.parametrize(
    "guard", [trips(1, 2, 2, 2), trips(1, 2, 2, 2, 4), trips(1, 2, 2, 2, 2, policy="warn")]
)
def test_what_the_guard_did_not_stop_is_lost(make, guard):
    path = make(until=1, guard=guard)
    with pytest.raises(UserError, match="at lead 4 of the forecasts from"):
        read_all(path)


def test_trips_that_are_not_recorded_may_have_stopped_anything(make):
    path = make(until=1, guard=trips(1, 2, count=5))
    assert np.isnan(read_all(path)[1:]).all()
