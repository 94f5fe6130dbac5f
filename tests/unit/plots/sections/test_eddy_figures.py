import numpy as np
import pytest
import xarray as xr
from matplotlib.patches import Ellipse

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.example import with_eddies
from triton_earth.plots.sections.events import EDDIES, eddy_maps, event_sections

GRID = LatLonGrid(tuple(np.arange(30.0, 42, 0.25)), tuple(np.arange(140.0, 160, 0.25)))


@pytest.fixture
def example():
    """A warm ring that the forecast keeps in place, and a cold one that it loses."""
    y, x = np.meshgrid(GRID.y, GRID.x, indexing="ij")
    warm = 0.5 * np.exp(-((y - 36) ** 2 + 0.65 * (x - 145) ** 2) / 0.8**2)
    cold = -0.4 * np.exp(-((y - 35) ** 2 + 0.67 * (x - 154) ** 2) / 0.7**2)
    truth = np.stack([warm + cold] * 3)[None].astype(np.float32)
    forecast = truth.copy()
    forecast[0, 2] = warm
    dims = ("variable", "lead_time", "y", "x")
    return xr.Dataset(
        {
            "truth": (dims, truth),
            "forecast": (dims, forecast),
            "error": (dims, forecast - truth),
        },
        coords={
            "variable": ["ssh"],
            "units": ("variable", ["m"]),
            "lead_time": np.arange(3) * np.timedelta64(1, "D").astype("timedelta64[ns]"),
            "y": ("y", GRID.y, {"long_name": "latitude"}),
            "x": ("x", GRID.x, {"long_name": "longitude"}),
        },
    )


def test_eddies_are_where_they_were_put(example):
    found = with_eddies(example, "ssh", GRID)
    last = (found["eddy_lead"] == 2).values
    truth = last & (found["eddy_source"] == "truth").values
    forecast = last & (found["eddy_source"] == "forecast").values
    np.testing.assert_allclose(found["eddy_latitude"][truth], [36, 35], atol=0.2)
    np.testing.assert_allclose(found["eddy_longitude"][truth], [145, 154], atol=0.2)
    np.testing.assert_allclose(found["eddy_latitude"][forecast], [36], atol=0.2)
    assert (np.sign(found["eddy_amplitude"][truth]) == [1, -1]).all()


def test_a_circle_around_each_eddy(example):
    figure = eddy_maps(with_eddies(example, "ssh", GRID))
    circles = [
        [patch for patch in axes.patches if isinstance(patch, Ellipse)] for axes in figure.axes[:4]
    ]
    assert [len(each) for each in circles] == [2, 2, 2, 1]  # truth at two leads, then forecast
    assert {circle.get_linestyle() for circle in circles[0]} == {"-", "--"} or len(circles[0]) == 2
    assert circles[0][0].center == (145.0, 36.0)
    assert circles[0][0].width == pytest.approx(
        circles[0][0].height / np.cos(np.deg2rad(36)), rel=1e-6
    )
    figure.savefig("/dev/null", format="png")


def test_a_map_that_is_not_finite_has_no_eddies(example):
    example["forecast"][0, 1, 5, 5] = np.nan
    found = with_eddies(example, "ssh", GRID)
    assert not ((found["eddy_source"] == "forecast") & (found["eddy_lead"] == 1)).any()


def test_a_calm_sea(example):
    found = with_eddies(example * 0, "ssh", GRID)
    assert found.sizes["eddy"] == 0
    eddy_maps(found)


def test_the_section_has_curves_maps_and_errors_of_heat_waves(example, make_scores):
    scores = make_scores(leads=10, turbulence=False, calendar=True)
    for name in (*EDDIES, "heat_wave_area"):
        along = (
            "source" if name in ("eddy_count", "eddy_survival", "heat_wave_area") else "forecast"
        )
        scores[name] = ((along, "lead_time"), np.full((3 if along == "source" else 2, 10), 0.5))
    scores = scores.assign_coords(source=["triton", "persistence", "truth"])
    for name in ("iou", "hit_rate", "false_alarm_ratio"):
        scores[f"heat_wave_{name}"] = (("forecast", "lead_time"), np.full((2, 10), 0.5))
    attributes = {"units": "day"}
    scores["heat_wave_onset_error"] = ("forecast", [1.25, np.nan], attributes)
    scores["heat_wave_onset_error_interval"] = (
        ("forecast", "bound"),
        [[0.5, 2.0], [np.nan, np.nan]],
    )
    waves, eddies = event_sections(scores, {"triton": with_eddies(example, "ssh", GRID)})
    assert (waves.title, eddies.title) == ("Heat waves", "Eddies")
    assert '<th scope="col">Onset (day)</th>' in waves.body
    assert "<td>1.25<small>0.500 to 2.00</small></td>" in waves.body
    assert "<td>–</td>" in waves.body
    assert eddies.body.count("<img") == 2
