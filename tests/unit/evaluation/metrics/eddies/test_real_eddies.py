"""A real map of the Kuroshio against an independent detection: closed contours of sea level.

The map (DUACS absolute dynamic topography of 23 February 2019, quarter degree) is Copernicus Marine data that is not
ours to ship: the test looks for it in the folder that TRITON_EARTH_TEST_DATA names, or in `shared/data` beside the
repository, and is skipped without it.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.metrics.eddies.sea_level import (
    detect_sea_level_eddies,
    geostrophic_velocity,
)

FOLDER = os.environ.get(
    "TRITON_EARTH_TEST_DATA", Path(__file__).parents[5].parent / "shared" / "data"
)
FILE = Path(FOLDER) / "duacs_kuroshio_20190223.nc"
STEP = 0.01

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the map is not on this machine")


@pytest.fixture(scope="module")
def map_():
    with xr.open_dataset(FILE) as data:
        return data.load()


@pytest.fixture(scope="module")
def grid(map_):
    return LatLonGrid(
        tuple(map_["latitude"].values.astype(float).round(3).tolist()),
        tuple(map_["longitude"].values.astype(float).round(3).tolist()),
    )


@pytest.fixture(scope="module")
def found(map_, grid):
    return detect_sea_level_eddies(map_["adt"].values, grid)


def closed_contours(height, grid, sense, largest=400e3):
    """Return (latitude, longitude, amplitude, radius) of extremes inside closed contours with no other extreme."""
    field = np.where(np.isfinite(height), sense * height, -np.inf)
    peaks = np.argwhere((field == ndimage.maximum_filter(field, size=7)) & np.isfinite(field))
    area = (111.2e3 * 0.25) ** 2 * np.cos(np.deg2rad(grid.y))[:, None] * np.ones(grid.shape)
    land = ndimage.binary_dilation(~np.isfinite(height))
    result = []
    for y, x in peaks:
        top, last = field[y, x], None
        for level in np.arange(top - STEP, top - 2, -STEP):
            labels, _ = ndimage.label(field >= level)
            core = labels == labels[y, x]
            size = area[core].sum()
            edge = core[0].any() or core[-1].any() or core[:, 0].any() or core[:, -1].any()
            if edge or core[land].any() or size > largest**2 or field[core].max() > top:
                break
            last = level, size
        if last is not None:
            amplitude, radius = top - last[0], np.sqrt(last[1] / np.pi)
            result.append((grid.y[y], grid.x[x], sense * amplitude, radius))
    return result


def distance(eddy, contour):
    north = 111.2e3 * (eddy.latitude - contour[0])
    east = 111.2e3 * np.cos(np.deg2rad(eddy.latitude)) * (eddy.longitude - contour[1])
    return np.hypot(north, east)


def test_velocity_is_that_of_the_map(map_, grid):
    """The archive's own geostrophic velocity comes from a wider stencil."""
    for ours, name in zip(
        geostrophic_velocity(map_["adt"].values, grid), ("ugos", "vgos"), strict=True
    ):
        theirs = map_[name].values
        known = np.isfinite(ours) & np.isfinite(theirs)
        assert known.mean() > 0.7
        assert np.corrcoef(ours[known], theirs[known])[0, 1] > 0.98


def test_strong_eddies_are_those_of_closed_contours(map_, grid, found):
    contours = [
        one for sense in (1, -1) for one in closed_contours(map_["adt"].values, grid, sense)
    ]
    strong = [eddy for eddy in found if abs(eddy.amplitude) > 0.15]
    assert len(strong) >= 5
    ratios = []
    for eddy in strong:
        same = [one for one in contours if one[2] * eddy.amplitude > 0]
        nearest = min(same, key=lambda one: distance(eddy, one))
        assert distance(eddy, nearest) < 50e3
        ratios.append(nearest[2] / eddy.amplitude)
    # Troughs of the jet's meanders are cores of rotation with hardly a closed contour; rings have whole ones.
    assert np.mean(np.array(ratios) > 0.6) >= 0.5
    clear = [one for one in contours if abs(one[2]) > 0.25 and one[3] < 150e3]
    assert len(clear) >= 4
    hit = [
        any(distance(e, one) < 60e3 and e.amplitude * one[2] > 0 for e in found) for one in clear
    ]
    assert np.mean(hit) >= 0.9


def test_the_ring_off_japan(found):
    """The largest anticyclone of that day, north of the jet's first crest."""
    ring = max(found, key=lambda eddy: eddy.amplitude)
    assert (ring.latitude, ring.longitude) == (34.875, 144.375)
    assert ring.amplitude == pytest.approx(0.27, abs=0.02)
    assert 50e3 < ring.radius < 90e3
