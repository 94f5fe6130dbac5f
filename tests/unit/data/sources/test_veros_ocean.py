"""An ocean that is simulated when a store is prepared, against a stand-in of the package veros."""

import sys
import types

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.simulated.veros_ocean import (
    FORCED,
    FORCING,
    MODEL_YEAR_SECONDS,
    STRETCH_DAYS,
    days_of_anomalies,
    run_veros,
)
from triton_earth.data.sources.files import open_files
from triton_earth.data.sources.shipped import shipped_data

SHAPE = (94, 44)
SPIN_UP_DAYS = 100


class Setup:
    """Has what the package's set-up has, and notes what forced it: one cell, day by day."""

    made: "Setup"

    def __init__(self, override):
        assert override == {"enable_streamfunction": False}
        Setup.made, self.forced, self.seasons = self, [], []

    def setup(self):
        ocean = np.ones((*SHAPE, 15))
        ocean[12] = 0
        fields = {name: np.zeros((*SHAPE, 15, 3)) for name in ("temp", "salt", "u", "v")}
        fields["u"][:, :, -1, 1] = np.arange(94)[:, None]
        fields["v"][:, :, -1, 1] = np.arange(44)
        fields |= {name: np.full((*SHAPE, 12), 100.0) for name in FORCED}
        self.state = types.SimpleNamespace(
            variables=types.SimpleNamespace(
                itt=0, time=7.0, tau=1, maskT=ocean, psi=np.full((*SHAPE, 3), 9.81), **fields
            )
        )
        self.set_diagnostics(self.state)

    def set_diagnostics(self, state):
        raise AssertionError("the ocean would write files")

    def set_forcing(self, state):
        self.seasons.append(state.variables.time)
        self.forced.append({name: getattr(state.variables, name)[52, 22, 3] for name in FORCED})

    def step(self, state):
        self.set_forcing(state)
        state.variables.itt += 1
        state.variables.temp[:, :, -1, 1] = state.variables.itt


@pytest.fixture
def veros(monkeypatch):
    content = {
        "veros": {"veros_routine": lambda routine: routine},
        "veros.setups": {},
        "veros.setups.global_4deg": {"GlobalFourDegreeSetup": Setup},
        "veros.tools": {},
        "veros.tools.assets": {"AssetError": ArithmeticError},
    }
    for name, members in content.items():
        made = types.ModuleType(name)
        made.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, made)
    monkeypatch.setattr("triton_earth.data.simulated.veros_ocean.SPIN_UP_DAYS", SPIN_UP_DAYS)


def test_the_days_after_the_spin_up_are_taken(veros):
    ((name, ocean),) = open_files("veros:4")
    assert name == "veros:4"
    assert ocean["sst"].dims == ("time", "latitude", "longitude")
    assert ocean["sst"].shape == (4, 40, 90)
    assert ocean["sst"][:, 0, 0].values.tolist() == [SPIN_UP_DAYS + day for day in (1, 2, 3, 4)]
    assert np.all(np.diff(ocean["time"]) == np.timedelta64(1, "D"))
    assert ocean.attrs["source"].startswith("MODEL OUTPUT, not observations")


def test_currents_are_those_at_the_centre_and_height_is_pressure_over_gravity(veros):
    ocean = run_veros("veros:2")
    assert float(ocean["u"][0, 5, 7]) == (7 + 2) - 0.5
    assert float(ocean["v"][0, 5, 7]) == (5 + 2) - 0.5
    np.testing.assert_allclose(ocean["ssh"].isel(longitude=0), 1.0)


def test_land_is_nan_in_every_field_and_one_in_the_mask(veros):
    ocean = run_veros("veros:2")
    land = ocean["land_sea_mask"].values == 1
    assert land.sum() == 40
    assert land[:, 10].all()
    for name in set(ocean.data_vars) - {"land_sea_mask"}:
        assert np.isnan(ocean[name].values).any(axis=0).tolist() == land.tolist(), name


def test_the_anomaly_of_the_day_is_added_to_the_climatology_and_comes_along(veros):
    ocean = run_veros("veros:3")
    dates = ocean["time"].values[0] + np.arange(-SPIN_UP_DAYS, 3).astype("timedelta64[D]")
    with xr.open_dataset(shipped_data()[FORCING]) as file:
        drawn = days_of_anomalies(dates, file.sizes["time"])
        for name, shipped in FORCED.items():
            cell = file[shipped].isel(latitude=20, longitude=50).fillna(0.0).values
            forced = [day[name] for day in Setup.made.forced]
            np.testing.assert_allclose(forced, 100.0 + cell[drawn])
            stored = ocean[shipped].isel(latitude=20, longitude=50)
            np.testing.assert_allclose(stored, cell[drawn[SPIN_UP_DAYS:]], rtol=1e-6)


def test_the_season_is_that_of_the_date(veros):
    run_veros("veros:2")
    second_of_march = Setup.made.seasons[SPIN_UP_DAYS]
    assert second_of_march == pytest.approx(60 / 365.25 * MODEL_YEAR_SECONDS)
    assert Setup.made.state.variables.time == 7.0


def test_years_are_drawn_by_stretches_and_the_season_stays():
    dates = np.arange("2001-03-02", "2021-03-02", dtype="datetime64[D]")
    drawn = days_of_anomalies(dates, 730)
    stretches = [drawn[first : first + STRETCH_DAYS] for first in range(0, 7000, STRETCH_DAYS)]
    for stretch in stretches:
        years = stretch // 365
        assert np.all(years == years[0])
    first = [int(stretch[0] // 365) for stretch in stretches]
    assert 0.4 < np.mean(first) < 0.6
    assert drawn.max() < 730
    from_march = (dates - dates.astype("datetime64[Y]")) / np.timedelta64(1, "D") - 60
    apart = (drawn % 365 - from_march) % 365
    assert np.all(np.minimum(apart, 365 - apart) <= 1)


def test_inputs_that_cannot_be_fetched_are_said(veros, monkeypatch):
    def setup(self):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(Setup, "setup", setup)
    with pytest.raises(UserError, match=r"cannot fetch the inputs .*no route to host.* Connect"):
        run_veros("veros:2")


@pytest.mark.parametrize("path", ["veros:", "veros:many", "veros:1", "veros:-3"])
def test_a_number_of_days_is_needed(path):
    with pytest.raises(UserError, match=rf"{path}: expected veros:DAYS with at least two days"):
        run_veros(path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "veros", None)
    with pytest.raises(UserError, match=r"needs the package veros .*Install it \(pip install 'tri"):
        run_veros("veros:10")
