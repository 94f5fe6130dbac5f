import numpy as np
import pytest

from triton_earth.plots.panels import panels


def maps(figure):
    return [axes for axes in figure.axes if axes.images]


def test_truth_forecast_and_error_at_each_lead(make_example):
    example = make_example(size=16)
    drawn = maps(panels(example, "vorticity"))
    assert len(drawn) == 12
    assert [a.get_title().split(" · ")[0] for a in drawn[:4]] == [
        "step 1",
        "step 25",
        "step 50",
        "step 99",
    ]
    truth, forecast, error = drawn[3].images[0], drawn[7].images[0], drawn[11].images[0]
    assert truth.get_clim() == forecast.get_clim()
    assert truth.get_clim()[0] == -truth.get_clim()[1]
    assert error.get_clim()[0] == -error.get_clim()[1]
    expected = np.clip(example["truth"].values[0, 99], *truth.get_clim())
    np.testing.assert_allclose(truth.get_array(), expected)


def test_colour_bars_carry_units(example):
    labels = [axes.get_ylabel() for axes in panels(example, "vorticity").axes if not axes.images]
    assert labels == ["vorticity (s⁻¹)", "error (s⁻¹)"]


@pytest.mark.parametrize("named", [True, False])
def test_latitude_and_longitude_in_degrees(make_example, named):
    example = make_example(leads=2, size=16, latlon=True, calendar=True)
    if not named:
        example = example.rename(latitude="y", longitude="x")
        example["y"].attrs["long_name"], example["x"].attrs["long_name"] = "latitude", "longitude"
    figure = panels(example, "vorticity")
    figure.savefig("/dev/null", format="svg")
    corner = maps(figure)[2]
    assert all(text.get_text().endswith("°E") for text in corner.get_xticklabels())
    assert all(text.get_text().endswith("°N") for text in maps(figure)[0].get_yticklabels())


def test_blown_up_forecast_keeps_the_colours_of_the_truth(example):
    before = maps(panels(example, "vorticity"))[0].images[0].get_clim()
    example["forecast"][:, 3:] = 1e30
    example["forecast"][:, 5:] = np.nan
    example["error"][:] = example["forecast"] - example["truth"]
    figure = panels(example, "vorticity")
    figure.savefig("/dev/null", format="png")
    assert maps(figure)[0].images[0].get_clim() == before
