"""An ocean that is simulated when a store is prepared, against a stand-in of the package veros."""

import sys
import types

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.simulated import veros_ocean
from triton_earth.data.simulated.veros_ocean import FORCED, FORCING, SPIN_UP_DAYS, run_veros
from triton_earth.data.sources.files import open_files
from triton_earth.data.sources.shipped import shipped_data

SHAPE = (94, 44)


class Setup:
    """Has what the package's set-up has, and notes what forced it: one cell, day by day."""

    made: "Setup"

    def __init__(self, override):
        assert override == {"enable_streamfunction": False}
        Setup.made, self.forced = self, []

    def setup(self):
        ocean = np.ones((*SHAPE, 15))
        ocean[12] = 0
        fields = {name: np.zeros((*SHAPE, 15, 3)) for name in ("temp", "salt", "u", "v")}
        fields["u"][:, :, -1, 1] = np.arange(94)[:, None]
        fields["v"][:, :, -1, 1] = np.arange(44)
        fields |= {name: np.full((*SHAPE, 12), 100.0) for name in FORCED}
        self.state = types.SimpleNamespace(
            variables=types.SimpleNamespace(
                itt=0, tau=1, maskT=ocean, psi=np.full((*SHAPE, 3), 9.81), **fields
            )
        )
        self.set_diagnostics(self.state)

    def set_diagnostics(self, state):
        raise AssertionError("the ocean would write files")

    def set_forcing(self, state):
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


def test_the_anomaly_of_the_day_is_added_to_the_climatology_and_comes_along(veros, monkeypatch):
    monkeypatch.setattr(veros_ocean, "SPIN_UP_DAYS", 729)
    ocean = run_veros("veros:3")
    with xr.open_dataset(shipped_data()[FORCING]) as file:
        for name, shipped in FORCED.items():
            cell = file[shipped].isel(latitude=20, longitude=50).fillna(0.0).values
            forced = [day[name] for day in Setup.made.forced]
            np.testing.assert_allclose(forced, 100.0 + np.concatenate([cell, cell[:2]]))
            stored = ocean[shipped].isel(latitude=20, longitude=50)
            np.testing.assert_allclose(stored, [cell[729], cell[0], cell[1]], rtol=1e-6)


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
