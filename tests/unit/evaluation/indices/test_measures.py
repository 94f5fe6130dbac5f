"""Values of indices: against xarray's own means and patterns, and the parabola in closed form."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from tests.el_nino import GRID, TIMES, land, world, world_store

from triton_earth.evaluation.indices.catalogue import DEFINITIONS
from triton_earth.evaluation.indices.fitting import fit_index
from triton_earth.evaluation.indices.measures import top_of_parabola
from triton_earth.evaluation.indices.places import find_index
from triton_earth.models.climatology import fit_climatology


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return world_store(tmp_path_factory.mktemp("world") / "world.zarr")


@pytest.fixture(scope="module")
def climatology(store):
    return fit_climatology(store, store.variables.names)


@pytest.fixture(scope="module")
def measured(store, climatology):
    """Values of every index at all times."""
    mean, fields, names = climatology.at(store.times), world(), store.variables.names
    found = {}
    for name, definition in DEFINITIONS.items():
        place = find_index(definition, store.variables, store.grid, store.valid_mask)
        found[name] = fit_index(place, store, names, climatology).measure(fields, mean)
    return found


@pytest.fixture(scope="module")
def anomalies(climatology):
    """Departures of the temperature from its climatology as xarray has them, land missing."""
    own = world()[:, 0] - climatology.at(TIMES)[:, 0]
    coords = {"time": TIMES, "latitude": GRID.y, "longitude": GRID.x}
    return xr.DataArray(own, coords, ("time", "latitude", "longitude"))


def box(data, south, north, west, east):
    inside = (data.latitude >= south) & (data.latitude <= north)
    return data.where(inside & (data.longitude >= west) & (data.longitude <= east))


def area(data):
    """Sines of the borders, which lie half-way between centres."""
    sine = [np.sin(np.deg2rad(data.latitude + side * 3.75)) for side in (1, -1)]
    return sine[0] - sine[1]


def mean(data, *where):
    return box(data, *where).weighted(area(data)).mean(("latitude", "longitude"))


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("nino34", (-5, 5, 190, 240)),
        ("nino3", (-5, 5, 210, 270)),
        ("nino4", (-5, 5, 160, 210)),
        ("nino12", (-10, 0, 270, 280)),
        ("amo", (0, 60, 280, 359)),
    ],
)
def test_area_means_are_those_of_xarray(measured, anomalies, name, where):
    expected = mean(anomalies, *where)
    if name == "amo":  # its eastern border is the meridian 0, which belongs to it
        both = xr.concat([box(anomalies, *where), box(anomalies, 0, 60, 0, 0)], "part").max("part")
        expected = both.weighted(area(anomalies)).mean(("latitude", "longitude"))
    np.testing.assert_allclose(measured[name], expected, atol=1e-6)
    if name == "amo":
        globe = mean(anomalies, -60, 60, 0, 360)
        np.testing.assert_allclose(measured["amo_minus_global"], expected - globe, atol=1e-6)


def test_the_pacific_pattern_is_the_first_eigenvector_of_the_covariance(measured, anomalies):
    relative = anomalies - mean(anomalies, -60, 60, 0, 360)
    pacific = box(relative, 20, 70, 110, 260).stack(cell=("latitude", "longitude"))
    pacific = pacific.dropna("cell")
    root = np.sqrt(area(pacific))
    training = pacific.isel(time=slice(0, 48)) * root
    covariance = np.cov(training.transpose("time", "cell").values, rowvar=False, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    pattern = xr.DataArray(vectors[:, -1], {"cell": pacific.cell}, ("cell",)) / root
    centre = box(pattern.unstack(), 30, 45, 160, 210).weighted(area(pattern.unstack())).mean()
    amplitude = (pacific * root * vectors[:, -1]).sum("cell") / np.sqrt(values[-1])
    expected = -np.sign(float(centre)) * amplitude
    np.testing.assert_allclose(measured["pdo"], expected, atol=1e-6)
    assert np.std(measured["pdo"][:48]) == pytest.approx(1.0, abs=1e-9)


def test_the_pacific_index_is_positive_where_the_centre_is_cold(measured, anomalies):
    centre = mean(anomalies, 30, 45, 160, 210)
    assert np.corrcoef(measured["pdo"], centre)[0, 1] < -0.9


def test_the_jet_is_found_between_the_rows(measured):
    phase = 2 * np.pi * np.arange(len(TIMES)) / 12
    centre = 45 + 5 * np.cos(phase) + 4 * np.sin(0.9 * np.arange(len(TIMES)))
    assert np.abs(measured["jet_latitude"] - centre).max() < 1.5  # rows are 7.5 degrees apart
    sector = xr.DataArray(
        world()[:, 1:].mean(axis=1),
        {"time": TIMES, "latitude": GRID.y, "longitude": GRID.x},
        ("time", "latitude", "longitude"),
    )
    zonal = sector.where((sector.longitude >= 300) | (sector.longitude == 0)).mean("longitude")
    zonal = zonal.sel(latitude=slice(15, 75))
    top = zonal.argmax("latitude").values
    assert ((top > 0) & (top < zonal.sizes["latitude"] - 1)).all()
    expected = []
    for time, row in enumerate(top.tolist()):
        near = zonal[time, row - 1 : row + 2]
        square, slope, _ = np.polyfit(near.latitude.values - 45, near.values, 2)
        expected.append(45 - slope / (2 * square))
    np.testing.assert_allclose(measured["jet_latitude"], expected, atol=1e-6)


@given(
    st.floats(-9.0, 9.0),
    st.floats(0.01, 5.0),
    st.lists(st.floats(0.5, 4.0), min_size=11, max_size=11),
)
def test_a_parabola_has_its_own_top(top, curvature, distances):
    places = np.cumsum(distances) - sum(distances) / 2
    values = -curvature * (places - top) ** 2
    found = float(top_of_parabola(values[None], places)[0])
    largest = int(values.argmax())
    if 0 < largest < len(places) - 1:
        assert found == pytest.approx(top, abs=1e-6)
    else:
        assert found == places[largest]


def test_profiles_without_a_bend_or_a_value():
    places = np.array([0.0, 1.0, 3.0])
    profiles = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, np.nan], [0.0, 1.0, 2.0], [3.0, 1.0, 0.0]])
    found = top_of_parabola(profiles, places)
    np.testing.assert_array_equal(found, [0.0, np.nan, 3.0, 0.0])


def test_the_season_of_the_jet_is_taken_out_of_its_skill(store, climatology):
    place = find_index(DEFINITIONS["jet_latitude"], store.variables, GRID, store.valid_mask)
    index = fit_index(place, store, store.variables.names, climatology)
    times = np.stack([TIMES[:12], TIMES[12:24]])
    cycle = index.cycle(times)
    assert cycle.shape == (2, 12)
    expected = 45 + 5 * np.cos(2 * np.pi * np.arange(12) / 12)
    assert np.abs(cycle[0] - expected).max() < 2.5
    assert index.units == "degrees_north"


def test_undefined_cells_do_not_count(measured, anomalies):
    assert land()[(GRID.y > -10) & (GRID.y < 0)][:, GRID.x == 280].all()
    only = anomalies.sel(longitude=270).sel(latitude=slice(-10, 0))
    np.testing.assert_allclose(
        measured["nino12"], only.weighted(area(only)).mean("latitude"), atol=1e-6
    )
