import numpy as np
import pytest
import xarray as xr

from triton_earth.plots.sections.beyond import beyond_curves
from triton_earth.plots.sections.long_runs import rates_table


@pytest.fixture
def beyond():
    leads, quantiles = np.arange(40, 60) * 0.5, [0.001, 0.01, 0.99, 0.999]
    dims = ("model", "variable", "beyond_lead_time")
    data = {}
    for name in ("area_mean", "variance", "seasonal_departure"):
        values = np.linspace(1, 2, 20) * np.ones((2, 1, 1))
        attrs = {"units": "K", "long_name": f"{name} beyond the truth"}
        data[f"beyond_{name}"] = (dims, values, attrs)
        ends = np.stack([values - 0.1, values + 0.1], axis=-1)
        data[f"beyond_{name}_interval"] = ((*dims, "bound"), ends)
    extreme = (*dims[:2], "beyond_extreme_lead_time", "quantile")
    data["beyond_extreme"] = (extreme, np.arange(4.0) * np.ones((2, 1, 5, 1)), {"units": "K"})
    data["training_extreme"] = (("variable", "quantile"), np.arange(4.0)[None] + 0.2)
    rate = np.array([[0.01], [np.nan]])
    data["beyond_drift_rate"] = (dims[:2], rate, {"long_name": "drift", "units": "K"})
    data["beyond_drift_rate_interval"] = ((*dims[:2], "bound"), np.stack([rate, rate * 2], axis=-1))
    coordinates = {
        "model": ["one", "other"],
        "variable": ["sst"],
        "beyond_lead_time": leads,
        "beyond_extreme_lead_time": leads[::4],
        "quantile": quantiles,
        "bound": ["lower", "upper"],
    }
    return xr.Dataset(data, coords=coordinates)


def test_every_model_with_its_interval_and_the_training_extremes(beyond):
    mean, departure, variance, extremes = beyond_curves(beyond, "sst").axes
    for axes in (mean, departure, variance):
        assert len([line for line in axes.lines if line.get_label() in ("one", "other")]) == 2
        assert len(axes.collections) == 2
    assert mean.get_title(loc="left") == "Area_mean (K)"
    black = [line for line in extremes.lines if line.get_color() == "#000000"]
    assert [line.get_ydata()[0] for line in black] == pytest.approx([0.2, 1.2, 2.2, 3.2])
    assert {text.get_text() for text in extremes.texts} == {"0.1 %", "1 %", "99 %", "99.9 %"}


def test_without_a_training_split(beyond):
    names = ["training_extreme", "beyond_seasonal_departure"]
    figure = beyond_curves(beyond.drop_vars(names), "sst")
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]
    figure.savefig("/dev/null", format="svg")


def test_the_table_of_drift(beyond):
    table = rates_table(beyond, ("beyond_drift_rate",), "model")
    assert "0.0100<small>0.0100 to 0.0200" in table
    assert table.count("<tr") == 3
