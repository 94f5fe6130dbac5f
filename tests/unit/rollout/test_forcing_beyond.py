"""Forcings beyond the end of a store: computed for any date, or those of a year again."""

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import daily_store, tiny_forecaster, wave_store
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.sources.values.derived import derived_fields
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.forcing_beyond import BeyondStore
from triton_earth.rollout.storage.writer import write_forecast


def days(first, count):
    return np.datetime64(first, "ns") + np.arange(count) * np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def two_years(tmp_path_factory):
    return daily_store(tmp_path_factory.mktemp("years") / "a.zarr", days("2001-01-01", 730))


def values(store, start, steps, beyond, block=1):
    """The forcings of one forecast, one state after the other."""
    model = tiny_forecaster(store, history=block)
    found = Forcings(model, store, [1], store.times[[start]], steps, beyond)
    states = found.states([0], 0, "cpu")
    return [next(states) for _ in range(-(-steps // block))], found


@pytest.mark.parametrize("block", [1, 2])
def test_the_last_year_comes_again_and_the_sun_goes_on(two_years, block):
    states, found = values(two_years, 725, 20, "repeat", block)
    state = {
        name: torch.cat([one.select([name]).data for one in states], dim=1)[0, :, 0]
        for name in states[0].variables.names
    }
    times = np.concatenate([one.valid_times[0] for one in states])
    np.testing.assert_array_equal(times, days("2002-12-28", 20))
    numbers = state["sunshine"][:, 0, 0].numpy()
    np.testing.assert_array_equal(numbers[:4], [726, 727, 728, 729])
    np.testing.assert_array_equal(numbers[4:], np.arange(365, 381))
    sun = derived_fields(["insolation"], times, two_years.grid)[:, 0]
    np.testing.assert_allclose(state["insolation"].numpy(), sun, rtol=1e-6)
    assert (state["height"] == state["height"][0]).all()
    assert found.remark == (
        "forcings after 2002-12-31, the end of the store: insolation computed; sunshine of the same date of its last "
        "year; height, sine_of_longitude as they are"
    )


def test_29_february_of_a_year_without_one_is_1_march(two_years):
    found = BeyondStore(two_years, ["sunshine"], "repeat").indices(days("2003-12-30", 400))
    np.testing.assert_array_equal(found[:4], [728, 729, 365, 366])
    leap = int((np.datetime64("2004-02-29") - np.datetime64("2003-12-30")).astype(int))
    assert found[leap - 1 : leap + 2].tolist() == [365 + 58, 365 + 59, 365 + 59]
    assert found.max() == 729


def test_a_named_year_comes_again(two_years):
    states, found = values(two_years, 728, 30, "2001")
    assert states[1].select(["sunshine"]).data[0, 0, 0, 0, 0] == 0
    assert "sunshine of the same date of the year 2001" in found.remark


def test_what_is_computed_needs_no_option(tmp_path):
    store = daily_store(tmp_path / "a.zarr", days("2001-01-01", 40), sunshine=False)
    states, found = values(store, 38, 30, None)
    assert len(states) == 30
    assert found.remark.endswith("insolation computed; height, sine_of_longitude as they are")
    inside, found = values(store, 3, 5, None)
    assert len(inside) == 5
    assert found.remark is None


def test_the_forecast_says_what_was_done(two_years, tmp_path):
    model = tiny_forecaster(two_years)
    made = write_forecast(
        model, two_years, tmp_path / "f.zarr", trajectories=[1], starts=[728], steps=6,
        provenance={"model_hash": "a"}, forcings_beyond="repeat",
    )  # fmt: skip
    assert "same date of its last year" in made.provenance["forcings_beyond"]
    with xr.open_zarr(tmp_path / "f.zarr") as dataset:
        assert dataset.sizes["lead_time"] == 6
        assert np.isfinite(dataset["temperature"].values).all()


@pytest.mark.parametrize(
    ("beyond", "message"),
    [
        (None, r"needs 9\. Shorten the forecast, .*, or take those of the last year again with --forcings-beyond"),
        ("1999", r"needs all of its dates; 1999-01-01 is not there, the store has 2001-01-01 to 2002-12-31\. Name"),
        ("last", r"--forcings-beyond: expected repeat, or a year such as 2002; found last\."),
    ],
)  # fmt: skip
def test_a_year_that_cannot_be_repeated_is_refused(two_years, beyond, message):
    with pytest.raises(UserError, match=message):
        values(two_years, 729, 9, beyond)


def test_less_than_a_year_is_refused(tmp_path):
    store = daily_store(tmp_path / "a.zarr", days("2001-01-01", 40))
    with pytest.raises(UserError, match=r"needs all of its dates; 2000-02-10 is not there"):
        values(store, 38, 9, "repeat")


def test_without_a_calendar_nothing_is_repeated(tmp_path, monkeypatch):
    store = wave_store(tmp_path / "a.zarr")
    forced = Variables((*store.variables.channels[:1],))
    assert forced.names == ["vorticity"]
    model = tiny_forecaster(store)
    monkeypatch.setattr(
        type(model),
        "forcing",
        property(lambda self: Variables((Variable("wind", "1", role=Role.FORCING),))),
    )
    monkeypatch.setattr(
        store, "variables", Variables((*store.variables, Variable("wind", "1", role=Role.FORCING)))
    )
    with pytest.raises(
        UserError, match="forcings without a calendar cannot be repeated: they have no year"
    ):
        Forcings(model, store, [0], store.times[[11]], 3, "repeat")
