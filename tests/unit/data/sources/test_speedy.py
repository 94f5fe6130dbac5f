"""Weather that is simulated when a store is prepared, against a stand-in of the package jcm."""

import sys
import types

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.simulated.speedy import SPIN_UP_DAYS, run_speedy
from triton_earth.data.sources.files import open_files


class Predictions:
    def __init__(self, first, count):
        self.first, self.count = first, count

    def to_xarray(self):
        days = self.first + np.arange(self.count)
        fields = days[:, None, None, None] + np.zeros((self.count, 3, 8, 4))
        fields = fields + 100 * np.arange(3)[:, None, None]
        names = ("temperature", "geopotential", "u_wind", "v_wind", "specific_humidity")
        return xr.Dataset(
            {name: (("time", "level", "lon", "lat"), fields) for name in names},
            coords={
                "time": np.datetime64("2000-03-01", "ns") + days.astype("timedelta64[D]"),
                "level": [0.95, 0.835, 0.51],
                "hybrid_b_full": ("level", [0.95, 0.835, 0.51]),
                "lat": [-60.0, -20.0, 20.0, 60.0],
                "lon": np.arange(8) * 45.0,
            },
        )


class Terrain(str):
    """The name of its file, with fields (longitude, latitude) as the model keeps them."""

    orog = 10.0 * np.arange(8)[:, None] + np.arange(4)
    fmask = np.repeat([[0.0], [1.0]], 4, axis=0) * np.ones(4)


class Model:
    runs = ()

    def __init__(self, *, coords, terrain, time_step):
        assert coords == "T31"
        assert terrain.endswith("terrain.nc")
        assert time_step == 30.0
        self.now = 0
        Model.runs = []

    def run(self, *, forcing, save_interval, total_time):
        return self.resume(forcing=forcing, save_interval=save_interval, total_time=total_time)

    def resume(self, *, forcing, save_interval, total_time):
        assert forcing.endswith("forcing.nc")
        Model.runs.append((save_interval, total_time))
        made = Predictions(self.now + 1, int(total_time / save_interval))
        self.now += int(total_time)
        return made


@pytest.fixture
def jcm(monkeypatch):
    class File:
        @staticmethod
        def from_file(name, *, coords, align_mode="wrap_year"):
            assert coords == "T31"
            assert align_mode == "wrap_year"
            return Terrain(name)

    content = {
        "jcm": {"__file__": "/somewhere/jcm/__init__.py"},
        "jcm.model": {"Model": Model},
        "jcm.terrain": {"TerrainData": File},
        "jcm.forcing": {"ForcingData": File},
        "jcm.physics": {},
        "jcm.physics.speedy": {},
        "jcm.physics.speedy.speedy_coords": {"get_speedy_coords": lambda: "T31"},
    }
    for name, members in content.items():
        made = types.ModuleType(name)
        made.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, made)


def test_the_days_after_the_spin_up_are_taken(jcm):
    ((name, weather),) = open_files("jcm:65")
    assert name == "jcm:65"
    assert Model.runs == [(SPIN_UP_DAYS, SPIN_UP_DAYS), (1, 30), (1, 30), (1, 5)]
    assert weather["t_sigma835"].dims == ("time", "lat", "lon")
    assert weather["t_sigma835"].shape == (65, 4, 8)
    assert np.all(np.diff(weather["time"]) == np.timedelta64(1, "D"))
    assert float(weather["t_sigma835"][0, 0, 0]) == SPIN_UP_DAYS + 1 + 100
    assert float(weather["z_sigma510"][0, 0, 0]) == SPIN_UP_DAYS + 1 + 200
    assert weather["q_sigma835"].attrs["units"] == "kg kg-1"
    assert weather.attrs["source"].startswith("MODEL OUTPUT, not observations")


def test_its_orography_and_land_come_with_it(jcm):
    ((_, weather),) = open_files("jcm:2")
    assert weather["surface_altitude"].dims == ("lat", "lon")
    np.testing.assert_array_equal(weather["surface_altitude"][1], 10.0 * np.arange(8) + 1)
    np.testing.assert_array_equal(weather["land_sea_mask"][0], [0, 0, 0, 0, 1, 1, 1, 1])
    assert weather["surface_altitude"].attrs["units"] == "m"


def test_a_recipe_prepares_it(jcm, tmp_path):
    from triton_earth.workflow.prepare import prepare

    store = prepare(
        "weather_years",
        tmp_path / "a.zarr",
        [
            "data.path=jcm:60",
            "data.grid={latitudes: 2, longitudes: 4}",
            "data.allow_implausible=[eastward_wind_sigma835, northward_wind_sigma835]",
            "data.splits.train=[2000-05-01, 2000-05-20]",
            "data.splits.valid=[2000-06-01, 2000-06-10]",
            "data.splits.test=[2000-06-15, 2000-06-28]",
        ],
    )
    assert store.variables.names[0] == "temperature_sigma835"
    assert {"surface_altitude", "land_sea_mask"} <= set(store.variables.names)
    assert store.grid.shape == (2, 4)
    assert int((store.split == "train").sum()) == 20


@pytest.mark.parametrize("path", ["jcm:", "jcm:many", "jcm:1", "jcm:-3"])
def test_a_number_of_days_is_needed(path):
    with pytest.raises(UserError, match=rf"{path}: expected jcm:DAYS with at least two days"):
        run_speedy(path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jcm", None)
    with pytest.raises(UserError, match=r"needs the package jcm .*Install it \(pip install 'trit"):
        run_speedy("jcm:10")
