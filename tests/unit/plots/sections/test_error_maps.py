"""Maps of errors, and errors by start."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.plots.sections.error_maps import (
    error_map_sections,
    error_maps,
    errors_by_start,
)


@pytest.fixture
def scores():
    """Two models on a region of which the southern row is not scored; six starts, the fourth without a truth."""
    generator = np.random.default_rng(0)
    dims = ("model", "variable", "map_lead_time", "y", "x")
    rmse = generator.uniform(1, 2, (2, 1, 3, 5, 8))
    rmse[..., 0, :] = np.nan
    by_start = generator.uniform(1, 2, (3, 1, 2, 6))
    by_start[..., 3] = np.nan
    days = np.timedelta64(1, "D").astype("timedelta64[ns]")
    attrs = {"units": "K", "long_name": "root mean square error"}
    return xr.Dataset(
        {
            "map_rmse": (dims, rmse, attrs),
            "map_bias": (dims, rmse - 1.5, attrs),
            "initial_rmse": (
                ("forecast", "variable", "initial_lead_time", "init"),
                by_start,
                attrs,
            ),
        },
        coords={
            "model": ["one", "two"],
            "forecast": ["one", "two", "persistence"],
            "variable": ["sst"],
            "variable_long_name": ("variable", ["sea surface temperature"]),
            "map_lead_time": np.array([1, 5, 10]) * days,
            "initial_lead_time": np.array([1, 10]) * days,
            "y": ("y", np.arange(5.0), {"long_name": "latitude"}),
            "x": ("x", np.arange(140.0, 148.0), {"long_name": "longitude"}),
            "init_time": ("init", np.datetime64("2005-01-01", "ns") + 30 * np.arange(6) * days),
        },
    )


def test_maps_show_what_is_scored_in_shared_colours(scores):
    figure = error_maps(scores, "sst")
    maps = [axes for axes in figure.axes if axes.images]
    assert len(maps) == 4 * 3
    assert [axes.get_ylabel() for axes in maps[::3]] == ["one", "two", "one", "two"]
    assert [axes.get_title() for axes in maps[:3]] == ["day 1", "day 5", "day 10"]
    assert maps[0].images[0].get_array().shape == (4, 8)  # the row that is not scored is cut off
    assert len({axes.images[0].get_clim() for axes in maps[:6]}) == 1
    low, high = maps[6].images[0].get_clim()
    assert low == -high
    bars = [axes.get_ylabel() for axes in figure.axes if not axes.images]
    assert bars == ["RMSE (K)", "mean error (K)"]
    figure.savefig("/dev/null", format="png")


def test_errors_by_start_are_drawn_by_date(scores):
    figure = errors_by_start(scores.isel(init=[5, 0, 1, 2, 3, 4]), "sst")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 day", "10 days"]
    line = figure.axes[1].lines[0]
    assert (np.diff(line.get_xdata()) == 30).all()
    np.testing.assert_array_equal(line.get_ydata(), scores["initial_rmse"].values[0, 0, 1])
    figure.savefig("/dev/null", format="svg")


def test_the_section_has_what_there_are_scores_of(scores):
    (section,) = error_map_sections(scores, {})
    assert section.body.count("<figure") == 2
    assert "Sea surface temperature: root mean square error of each start" in section.body
    (section,) = error_map_sections(scores.isel(init=slice(0, 3)), {})
    assert section.body.count("<figure") == 1
    (section,) = error_map_sections(scores.drop_vars(["map_rmse", "map_bias"]), {})
    assert section.body.count("<figure") == 1
    without = scores.drop_vars(["map_rmse", "map_bias", "initial_rmse"])
    assert error_map_sections(without, {}) == []
