import numpy as np
import pytest

from triton_earth.plots.panels import error_panels, model_panels, panels, state_panels


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
    assert labels == ["Vorticity (s⁻¹)", "error (s⁻¹)"]


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


def test_the_state_half_way_with_the_initial_one(make_example):
    example = make_example(leads=8, size=16, variables=("one", "two"))
    drawn = maps(state_panels(example, ["one", "two"]))
    assert len(drawn) == 8
    titles = [axes.get_title() for axes in drawn[:4]]
    assert titles[0] == "Initial state"
    assert titles[1:] == [f"{name}, 0.22 time units" for name in ("Truth", "Forecast", "Error")]
    limits = drawn[0].images[0].get_clim()
    np.testing.assert_allclose(
        drawn[0].images[0].get_array(), np.clip(example["truth"].values[0, 0], *limits)
    )
    np.testing.assert_allclose(
        drawn[1].images[0].get_array(), np.clip(example["truth"].values[0, 4], *limits)
    )


def test_models_share_the_colours_of_the_truth(make_example):
    one, two = make_example(leads=8, size=16), make_example(leads=8, size=16)
    two["forecast"][:] *= 7
    two["error"][:] = two["forecast"] - two["truth"]
    drawn = maps(model_panels({"one": one, "two": two}, "vorticity"))
    assert len(drawn) == 12
    assert len({axes.images[0].get_clim() for axes in drawn}) == 1
    errors = maps(error_panels({"one": one, "two": two}, "vorticity"))
    assert len(errors) == 8
    assert [axes.get_ylabel() for axes in errors[::4]] == ["one", "two"]
    assert len({axes.images[0].get_clim() for axes in errors}) == 1


def test_the_axes_of_a_box_are_not_in_the_units_of_the_field(example):
    # As evaluation makes it: the units of each variable are a coordinate.
    units = example["truth"].attrs.pop("units")
    example = example.assign_coords(units=("variable", [units]))
    titles = {axes.get_xlabel() for axes in panels(example, "vorticity").axes}
    assert titles == {"", "X"}


def test_a_box_in_metres_has_axes_in_km(example):
    example = example.assign_coords(x=example["x"] * 1e6, y=example["y"] * 1e6)
    figure = panels(example, "vorticity")
    figure.savefig("/dev/null", format="svg")
    corner = next(axes for axes in maps(figure) if axes.get_xlabel())
    assert corner.get_xlabel() == "x (km)"
    assert {"0", "2500", "5000"} <= {text.get_text() for text in corner.get_xticklabels()}


def test_few_cells_have_small_maps(make_example):
    large, small = (
        panels(make_example(leads=4, size=size), "vorticity").get_size_inches() for size in (64, 8)
    )
    assert large[0] == pytest.approx(10.4)
    assert small[0] < 0.7 * large[0]
    assert small[1] < 0.7 * large[1]


def test_long_names_stand_on_pictures(example):
    named = example.assign_coords(variable_long_name=("variable", ["relative vorticity"]))
    labels = [axes.get_ylabel() for axes in panels(named, "vorticity").axes if not axes.images]
    assert labels == ["Relative vorticity (s⁻¹)", "error (s⁻¹)"]
