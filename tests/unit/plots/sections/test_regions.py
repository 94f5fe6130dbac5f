"""The report's section about regions."""

import re

import numpy as np
import pytest
import xarray as xr
from markupsafe import Markup

from triton_earth.plots import report
from triton_earth.plots.page import Section
from triton_earth.plots.sections import example as example_section
from triton_earth.plots.sections.provenance import definitions_table
from triton_earth.plots.sections.regions import region_curves, region_sections

NAMES = ["triton", "persistence", "climatology"]


@pytest.fixture
def scores():
    """Two variables, two regions, three leads: on land salinity is missing, temperature better, then worse."""
    dims = ("region", "forecast", "variable", "lead_time")
    rmse = np.ones((2, 3, 2, 3)) * np.array([1.0, 2.0, 2.5])[:, None, None]
    rmse[0, :, 1] = np.nan
    data = {"rmse_by_region": (dims, rmse, {"units": "K; g", "long_name": "error"})}
    data["rmse_by_region_interval"] = ((*dims, "bound"), np.stack([0.9 * rmse, 1.1 * rmse], -1))
    for name in NAMES[1:]:
        bounds = np.full((2, 3, 2, 3, 2), [-1.0, 1.0])
        data[f"mse_minus_{name}_by_region_interval"] = ((*dims, "bound"), bounds)
    better, worse = [-2.0, -1.0], [1.0, 2.0]
    data["mse_minus_persistence_by_region_interval"][1][0, 0, 0, :2] = [better, better]
    data["mse_minus_climatology_by_region_interval"][1][0, 0, 0, 1:] = [better, worse]
    return xr.Dataset(
        data,
        coords={
            "region": ["land", "the_<sea>"],
            "region_description": ("region", ["where it is dry", "where it is <wet>"]),
            "forecast": NAMES,
            "variable": ["temperature", "salinity"],
            "lead_time": np.arange(1, 4) * np.timedelta64(86_400_000_000_000, "ns"),
            "lead": ("lead_time", [1, 2, 3]),
            "bound": ["lower", "upper"],
        },
    )


def cells(html, forecast):
    """Value and class of each cell of the first table in the rows of a forecast."""
    table = re.search(r"<table.*?</table>", html, re.DOTALL)[0]
    rows = [row for row in re.findall(r"<tr.*?</tr>", table) if f">{forecast}</th>" in row]
    return [re.findall(r'<td(?: class="(\w+)")?>([^<]*)<', row) for row in rows]


def test_each_model_stands_beside_the_baselines_in_each_region(scores):
    (section,) = region_sections(scores, {})
    assert section.title == "Regions"
    assert "<dt>land</dt><dd>where it is dry</dd>" in section.body
    assert "<dt>the &lt;sea&gt;</dt><dd>where it is &lt;wet&gt;</dd>" in section.body
    assert "<h3>Temperature</h3>" in section.body
    assert "RMSE, the &lt;sea&gt; (K)</th>" in section.body
    assert "RMSE, the &lt;sea&gt; (g)</th>" in section.body
    assert "0.900 to 1.10" in section.body
    assert section.body.count("<table") == 2
    assert len(cells(section.body, "persistence")) == 3


def test_marks_say_what_is_beyond_chance(scores):
    """Better than one baseline is not enough, worse than one is."""
    (section,) = region_sections(scores, {})
    rows = cells(section.body, "triton")
    assert rows == [
        [("", "1.00"), ("", "1.00")],
        [("good", "✓ 1.00"), ("", "1.00")],
        [("bad", "✗ 1.00"), ("", "1.00")],
    ]
    assert [row[0][0] for row in cells(section.body, "climatology")] == ["", "", ""]


def test_a_region_without_the_variable_is_left_out(scores):
    figure = region_curves(scores, "salinity")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["RMSE, the <sea> (g)"]
    assert len(figure.axes[0].collections) == len(NAMES)  # the intervals
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["climatology"], [2.5, 2.5, 2.5])


def test_the_legend_lies_below_full_rows(scores):
    three = xr.concat([scores, scores.isel(region=[1]).assign_coords(region=["3"])], dim="region")
    figure = region_curves(three, "temperature")
    assert [len(figure.axes), len(figure.legends)] == [3, 1]
    two = region_curves(scores, "temperature")
    assert [len(two.axes), len(two.legends)] == [3, 0]


def test_no_section_without_regions(make_scores):
    assert region_sections(make_scores(), {}) == []


def test_definitions_are_those_of_everywhere(scores):
    scores["rmse_by_region"].attrs["definition"] = "rmse over the cells of each region"
    assert "by_region" not in definitions_table(scores)


def test_the_report_has_the_section(scores, make_scores, make_example, tmp_path, monkeypatch):
    for module, name in (
        (example_section, "one_forecast"),
        (report, "animation"),
        (report, "write_animation"),
    ):  # they take the time
        monkeypatch.setattr(module, name, lambda *_: Markup(""))
    own = make_scores(leads=3, variables=("temperature", "salinity"), forecasts=tuple(NAMES))
    regional = scores.drop_vars(["lead_time", "lead"]).assign_coords(lead_time=own["lead_time"])
    both = own.merge(regional)
    example = make_example(leads=3, size=16, variables=("temperature", "salinity"))
    path = report.write_report(
        both, example, tmp_path / "report.html", "a", [Section("Guard", Markup(""))]
    )
    headings = re.findall(r"<h2>(.*?)</h2>", path.read_text())
    assert headings.index("Regions") == headings.index("Scores over lead time") + 1
