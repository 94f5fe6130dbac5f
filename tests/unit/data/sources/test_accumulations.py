"""Accumulations since 00 UTC are told from those over a step, and never summed in silence."""

import logging

import numpy as np
import pytest
import xarray as xr

from tests.gridded import source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.sources.times.accumulations import steps_until_reset

HOUR = np.timedelta64(3600 * 10**9, "ns")
LATITUDE, LONGITUDE = np.arange(-50.0, 51, 20), 45.0 * np.arange(8)
SPLITS = {"train": ["2001-01-01", "2001-01-06"], "valid": ["2001-01-08", "2001-01-09"],
          "test": ["2001-01-11", "2001-01-12"]}  # fmt: skip


def rain(hours, every=1, seed=0, cells=(6, 8)):
    """Amounts of each `every` hours, wet in two of three cells, [time, y, x]."""
    generator = np.random.default_rng(seed)
    shape = (hours // every, *cells)
    return np.where(generator.random(shape) < 0.67, generator.gamma(1.0, 1e-4, shape), 0.0)


def since_reset(amounts, count):
    """Amounts added up over `count` steps at a time."""
    parts = amounts.reshape(-1, count, *amounts.shape[1:])
    return np.cumsum(parts, axis=1).reshape(amounts.shape)


def sunshine(hours, every, longitudes):
    """Energy of each `every` hours at these longitudes."""
    hour = np.arange(hours)[:, None] + np.asarray(longitudes) / 15
    power = 1e6 * np.maximum(-np.cos(2 * np.pi * (hour + 0.5) / 24), 0)
    return power.reshape(-1, every, len(longitudes)).sum(axis=1)


@pytest.mark.parametrize(("every", "count"), [(1, 24), (1, 12), (3, 8), (3, 4), (6, 4), (6, 2)])
def test_what_grows_and_starts_again(every, count):
    values = since_reset(rain(240, every, cells=(20, 40)), count).reshape(240 // every, -1)
    shifted = values[3 % count :]  # wherever the record begins
    for some in (values, shifted, -values):
        assert steps_until_reset(some, every * HOUR) == count * every * HOUR


@pytest.mark.parametrize("every", [1, 3, 6, 12])
def test_amounts_of_each_step_do_not(every):
    assert steps_until_reset(rain(480, every).reshape(480 // every, -1), every * HOUR) is None
    for longitudes in (np.arange(0.0, 360, 15), [-90.0, -80.0], [10.0], [150.0, 180.0], [-120.0]):
        values = sunshine(480, every, longitudes)
        assert steps_until_reset(values, every * HOUR) is None


def test_fluxes_of_both_signs_and_cells_without_values():
    generator = np.random.default_rng(1)
    hour = np.arange(240)[:, None]
    flux = 1e5 * (np.sin(2 * np.pi * hour / 24 + np.arange(40) / 3) + 1.5) + 1e4 * generator.normal(
        size=(240, 40)
    )
    values = since_reset(flux[:, None], 24)[:, 0]
    values[:, :5] = np.nan
    assert steps_until_reset(values, HOUR) == 24 * HOUR
    assert steps_until_reset(flux, HOUR) is None


def land(amounts, *, first=1):
    """Rain as ERA5-Land has it, the first value an hour after midnight, without bounds."""
    times = np.datetime64("2001-01-01", "ns") + (first + np.arange(len(amounts))) * HOUR
    return xr.Dataset(
        {"tp": (("time", "latitude", "longitude"), amounts, {"units": "m"})},
        coords={
            "time": ("time", times),
            "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
            "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
        },
    )


def opened(path, step="1 d", choice="total_precipitation", **changes):
    return source(path, variables=[choice], step=step, splits=SPLITS, **changes)


def test_they_are_not_summed_in_silence(tmp_path, caplog):
    amounts = rain(13 * 24)
    path = write(tmp_path / "land.nc", land(since_reset(amounts, 24)))
    for step in ("1 d", "6 h"):
        with pytest.raises(
            UserError,
            match=r"'tp' grow for 1 d and then start again, as accumulations since 00 UTC do: expected amounts of 1 h "
            r"each; .* several times\. Take differences .* aggregate: maximum\} and data\.stamps=end",
        ):
            opened(path, step)
    with caplog.at_level(logging.WARNING):
        opened(path, choice={"name": "total_precipitation", "aggregate": "sum"})
    assert "they are summed anyway, as the recipe says" in caplog.text
    (finding,) = [one for one in inspect_files(str(path)).findings if one.kind == "accumulated"]
    assert "values grow for 1 d and then start again" in finding.message
    # What the remedy gives: the total of each day, with its date.
    totals = opened(
        path, choice={"name": "total_precipitation", "aggregate": "maximum"}, stamps="end"
    )
    assert str(totals.times[0])[:10] == "2001-01-01"
    expected = amounts.reshape(13, 24, *amounts.shape[1:]).sum(axis=1)
    made = totals.read(slice(None))[:, 0]
    np.testing.assert_allclose(made, expected[: len(made)], rtol=1e-5)


def test_at_their_own_step_it_is_said(tmp_path, caplog):
    path = write(tmp_path / "land.nc", land(since_reset(rain(13 * 24), 24)))
    with caplog.at_level(logging.WARNING):
        opened(path, step=None)
    assert "stored as they are, and are no amounts of 1 h each" in caplog.text


def test_amounts_of_an_hour_are_summed_without_a_word(tmp_path, caplog):
    amounts = rain(13 * 24)
    path = write(tmp_path / "rain.nc", land(amounts))
    with caplog.at_level(logging.WARNING):
        made = opened(path, stamps="end").read(slice(0, 2))[:, 0]
    assert "grow" not in caplog.text
    np.testing.assert_allclose(made[0], amounts[:24].sum(axis=0), rtol=1e-5)
    assert "accumulated" not in inspect_files(str(path)).kinds
