"""Variables computed from others: through a gridded source, on the files' own cells, and anomalies in the store."""

import numpy as np
import pytest
import xarray as xr
import zarr

from tests.gridded import dataset, recipe_values, source, write
from triton_earth.core.errors import UserError
from triton_earth.core.time import year_fraction
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.places.regrid import conservative
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.physics.sphere import geostrophic_eastward, relative_vorticity

EVERYTHING = slice(None)
WIND = [
    {"name": "u", "source": "u10", "keep": False},
    {"name": "v", "source": "v10", "keep": False},
]


@pytest.fixture(scope="module")
def windy(tmp_path_factory):
    data = dataset()
    generator = np.random.default_rng(3)
    for name, units in (("u10", "m s-1"), ("v10", "m s-1"), ("zos", "m")):
        field = generator.normal(size=data["t2m"].shape)
        data[name] = (data["t2m"].dims, field, {"units": units})
    return write(tmp_path_factory.mktemp("windy") / "a.nc", data)


def test_speed_and_vorticity_of_a_wind_that_is_not_kept(windy):
    opened = source(
        windy,
        variables=["2m_temperature", *WIND],
        derive=[
            "sine_of_day",
            {"kind": "wind_speed", "of": ["u", "v"], "name": "10m_wind_speed", "role": "diagnostic"},
            {"kind": "vorticity", "of": ["u", "v"]},
        ],
    )  # fmt: skip
    assert opened.variables.names == ["2m_temperature", "10m_wind_speed", "vorticity", "sine_of_day"]  # fmt: skip
    assert [variable.units for variable in opened.variables] == ["K", "m s-1", "s-1", "1"]
    assert str(opened.variables.channels[1].role) == "diagnostic"
    with xr.open_dataset(windy) as data:
        u, v = (data[name].values.astype(np.float64) for name in ("u10", "v10"))
    fields = opened.read(EVERYTHING)
    np.testing.assert_allclose(fields[:, 1], np.sqrt(u**2 + v**2), rtol=1e-6)
    zeta = relative_vorticity(u, v, opened.grid.y, opened.grid.x, periodic=True)
    np.testing.assert_allclose(fields[:, 2], zeta, rtol=1e-5)


def test_the_mean_speed_is_not_the_speed_of_the_mean(windy):
    opened = source(
        windy,
        variables=["t2m", *WIND],
        derive=[{"kind": "wind_speed", "of": ["u", "v"]}],
        grid={"latitudes": 4, "longitudes": 6},
    )
    with xr.open_dataset(windy) as data:
        speed = np.hypot(data["u10"].values, data["v10"].values).astype(np.float64)
    regrid = conservative(source(windy).grid, opened.grid)
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 1], regrid(speed), rtol=1e-6)


def test_geostrophic_currents_have_the_mask_of_their_differences(windy):
    opened = source(
        windy,
        variables=["sst", {"name": "ssh", "source": "zos", "keep": False}],
        derive=[
            {"kind": "geostrophic_eastward", "of": "ssh"},
            {"kind": "geostrophic_northward", "of": "ssh"},
        ],
    )
    assert opened.variables.names[1:] == [
        "surface_geostrophic_eastward_velocity",
        "surface_geostrophic_northward_velocity",
    ]
    with xr.open_dataset(windy) as data:
        height = data["zos"].values.astype(np.float64)
    expected = geostrophic_eastward(height, opened.grid.y)
    np.testing.assert_allclose(opened.read(EVERYTHING)[:, 1], expected, rtol=1e-5)


def test_levels_stay_with_what_is_computed(tmp_path):
    data = dataset().drop_vars(["sst", "flux", "lsm"])
    winds = xr.concat([data["t2m"] * 0 + 3, data["t2m"] * 0 + 4], dim="level")
    for name in ("u", "v"):
        data[name] = winds.assign_attrs(units="m s-1").assign_coords(level=[500.0, 850.0])
    opened = source(
        write(tmp_path / "a.nc", data),
        variables=["t2m", *({"name": name, "levels": [500, 850]} for name in "uv")],
        derive=[{"kind": "wind_speed", "of": [f"u_{p}", f"v_{p}"]} for p in (500, 850)],
    )
    assert opened.variables.names[-2:] == ["wind_speed_500", "wind_speed_850"]
    assert opened.variables.channels[-1].level == 850
    np.testing.assert_allclose(opened.read(slice(0, 1))[0, -1], np.sqrt(32), rtol=1e-6)


def prepared(path, out, **changes):
    data = GriddedData.parse(recipe_values(path, **changes)["data"], "recipe")
    return prepare_gridded(data, out, {}, window=2)


YEARS = {
    "train": ["2001-01-01", "2003-12-31"],
    "valid": ["2004-02-01", "2004-06-30"],
    "test": ["2004-08-01", "2004-12-29"],
}
DAYS = 4 * 365


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory):
    """Two harmonics of the year, land, and warmth that comes after the training period."""
    data = dataset(DAYS)[["sst"]]
    phase = 2 * np.pi * year_fraction(data["time"].values)[:, None, None]
    cells = np.arange(96.0).reshape(8, 12) / 96
    later = (data["time"].values >= np.datetime64("2004-01-01"))[:, None, None]
    land = np.isnan(data["sst"].values)
    season = 15 + (4 + cells) * np.cos(phase) + cells * np.sin(2 * phase)
    data["sst"] = (data["sst"].dims, np.where(land, np.nan, season + 2 * later), {"units": "degC"})
    return write(tmp_path_factory.mktemp("seasonal") / "a.nc", data)


def test_anomalies_are_from_the_climatology_of_the_training_period_only(seasonal, tmp_path):
    variables = [{"name": "sst", "keep": False}]
    derive = [{"kind": "anomaly", "of": "sst"}]
    store = prepared(
        seasonal, tmp_path / "a.zarr", variables=variables, derive=derive, splits=YEARS
    )
    assert store.variables.names == ["sst_anomaly"]
    assert store.variables.channels[0].units == "K"
    fields = store.read(0, EVERYTHING)[:, 0]
    assert np.isnan(fields[:, 2:5, 3:6]).all()
    later = store.times >= np.datetime64("2004-01-01")
    assert np.nanmax(np.abs(fields[~later])) < 2e-3
    np.testing.assert_allclose(fields[later][:, store.valid_mask[0]], 2.0, atol=5e-3)
    # The climatology is in the store, so that the field can be had back.
    array = zarr.open_array(tmp_path / "a.zarr", path="climatology", mode="r")
    assert array.attrs["anomalies"] == ["sst_anomaly"]
    normal = Climatology(np.asarray(array), "", array.attrs["daily_harmonics"]).at(store.times[:1])[
        0, 0
    ]
    with xr.open_dataset(seasonal) as data:
        first = data["sst"].values[0] + 273.15
    np.testing.assert_allclose(fields[0] + normal, first, atol=1e-4)


def test_anomalies_do_not_depend_on_how_the_files_are_cut(seasonal, tmp_path):
    hashes = {
        prepared(
            seasonal,
            tmp_path / f"{memory}.zarr",
            variables=["sst"],
            derive=[{"kind": "anomaly", "of": "sst", "name": "a"}],
            grid={"latitudes": 4, "longitudes": 6},
            splits=YEARS,
            memory_mb=memory,
        ).content_hash
        for memory in (1.3, 512)
    }
    assert len(hashes) == 1


REFUSED = {
    "unknown": ({"kind": "wind_speed", "of": ["u", "w"]}, "computed of 'w', which is not among data.variables"),
    "too few": ({"kind": "wind_speed", "of": ["u"]}, "wind_speed is computed of 2 variables; found ['u']"),
    "units": ({"kind": "vorticity", "of": ["u", "2m_temperature"]}, "needs '2m_temperature' in m s-1, found K"),
    "kind": ({"kind": "speed", "of": ["u", "v"]}, "key 'derive.0.kind'"),
    "key": ({"kind": "anomaly", "off": ["u"]}, "unknown key 'derive.0.off'; did you mean 'of'?"),
    "name": ("moonlight", "key 'derive.0.kind'"),
    "of nothing": ({"kind": "insolation", "of": ["u"]}, "insolation has its own name and role"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_be_computed_is_refused(windy, case):
    entry, expected = REFUSED[case]
    with pytest.raises(UserError) as caught:
        source(windy, variables=["2m_temperature", *WIND], derive=[entry])
    assert expected in str(caught.value)


def test_derivatives_need_three_cells(windy):
    with pytest.raises(UserError, match="takes differences over three cells"):
        source(
            windy,
            variables=["t2m", *WIND],
            derive=[{"kind": "vorticity", "of": ["u", "v"]}],
            region={"latitude": [0, 40], "longitude": [0, 100]},
        )
