"""Climatology and lag correlation against closed forms: a known seasonal cycle, red noise, a leap year."""

import numpy as np
import pytest

from tests.builders import wave_store
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.time import day_fraction, year_fraction
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.climatology import (
    MOST_STATES,
    _stride,
    fit_climatology,
)

GRID = LatLonGrid((10.0, 30.0), (0.0, 10.0, 20.0))
SST = Variable("sst", "K")
DAYS = np.arange(
    np.datetime64("2001-01-01", "ns"), np.datetime64("2009-01-01", "ns"), np.timedelta64(1, "D")
)
MASK = np.array([[[True, True, False], [True, True, True]]])


def season(times):
    """Means 280 … 284 K, first and second harmonic of the year."""
    phase = 2 * np.pi * year_fraction(times)[:, None, None, None]
    cells = np.arange(6.0).reshape(1, 1, 2, 3)
    return 280 + cells + (3 + cells) * np.cos(phase) + 1.5 * np.sin(2 * phase)


def daily_store(path, fields, splits=None, times=DAYS):
    split = np.array([["train"] * len(times)], dtype=object) if splits is None else splits
    create_store(
        path,
        variables=Variables((SST,)),
        grid=GRID,
        times=times,
        splits=split,
        provenance={},
        valid_mask=MASK,
        times_per_file=366,
    )
    masked = np.where(MASK, fields, np.nan).astype(np.float32)
    finish_store(path, [write_trajectory(path, 0, masked)])
    return TrainingStore.open(path)


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory):
    return daily_store(tmp_path_factory.mktemp("season") / "a.zarr", season(DAYS))


def test_year_fraction_in_common_and_leap_years():
    times = np.array(
        ["2001-01-01", "2001-12-31T12", "2004-03-01", "2001-03-01", "1968-07-02"], "M8[ns]"
    )
    expected = [0, 364.5 / 365, 60 / 366, 59 / 365, 183 / 366]
    np.testing.assert_allclose(year_fraction(times), expected, rtol=1e-12)


def test_seasonal_cycle_is_found(seasonal):
    climatology = fit_climatology(seasonal, ["sst"])
    times = np.array(["2004-02-29", "2013-07-15", "2009-12-31", "2010-01-01"], "M8[ns]")
    found = climatology.at(times)
    np.testing.assert_allclose(found[:, MASK], season(times)[:, MASK], atol=1e-3)
    assert np.isnan(found[:, ~MASK]).all()
    assert "by time of the year (3 harmonics)" in climatology.definition
    assert np.abs(found[2, MASK] - found[3, MASK]).max() < 0.06  # one day of the second harmonic


def test_more_harmonics_tell_shorter_parts_of_the_year(tmp_path):
    def spring(times):
        return season(times) + 2 * np.sin(2 * np.pi * 6 * year_fraction(times))[:, None, None, None]

    store = daily_store(tmp_path / "a.zarr", spring(DAYS))
    times = np.array(["2004-02-29", "2013-01-15", "2009-12-31"], "M8[ns]")
    three, six = (fit_climatology(store, ["sst"], harmonics=count) for count in (3, 6))
    np.testing.assert_allclose(six.at(times)[:, MASK], spring(times)[:, MASK], atol=2e-3)
    np.testing.assert_allclose(three.at(times)[:, MASK], season(times)[:, MASK], atol=2e-2)
    assert six.yearly_harmonics == 6


def day(times):
    """A daily cycle of two harmonics that is stronger in summer, with the seasons of `season`."""
    year = 2 * np.pi * year_fraction(times)[:, None, None, None]
    hour = 2 * np.pi * day_fraction(times)[:, None, None, None]
    local = hour + np.deg2rad(np.array(GRID.longitude))
    return season(times) + (5 - 2 * np.cos(year)) * np.cos(local) + np.sin(2 * local)


def test_daily_cycle_is_found_from_few_states(tmp_path, monkeypatch):
    times = np.arange(*np.array(["2003-01-01", "2005-01-01"], "M8[ns]"), np.timedelta64(6, "h"))
    assert -(-len(times) // 183) % 4 == 0  # every state so far apart is at one hour
    monkeypatch.setattr("triton_earth.models.climatology.MOST_STATES", 183)
    store = daily_store(tmp_path / "a.zarr", day(times), times=times)
    climatology = fit_climatology(store, ["sst"])
    assert climatology.definition == (
        "mean of the training split by time of the year (3 harmonics) and of the day (2 harmonics)"
    )
    when = np.array(["2004-02-29T06", "2004-03-01", "2013-07-15T18", "2009-12-31T12"], "M8[ns]")
    np.testing.assert_allclose(climatology.at(when)[:, MASK], day(when)[:, MASK], atol=1e-3)


def test_twelve_hours_tell_one_harmonic_of_the_day(tmp_path):
    times = np.arange(
        *np.array(["2003-01-01T06", "2003-02-01T06"], "M8[ns]"), np.timedelta64(12, "h")
    )
    fields = 280 + 3 * np.sin(2 * np.pi * day_fraction(times))[:, None, None, None] * np.ones(
        (1, 2, 3)
    )
    climatology = fit_climatology(daily_store(tmp_path / "a.zarr", fields, times=times), ["sst"])
    assert climatology.definition.endswith("by time of the day (1 harmonics)")
    found = climatology.at(np.array(["2010-05-05T06", "2010-05-05T18"], "M8[ns]"))[:, 0, 0, 0]
    np.testing.assert_allclose(found, [283, 277], atol=1e-4)


@pytest.mark.parametrize(("hours", "years"), [(6, 30), (6, 40), (1, 30), (24, 300), (12, 17)])
def test_states_of_long_splits_see_all_hours_and_seasons(hours, years):
    total = int(years * 365.25 * 24 / hours)
    stride = _stride(total, np.timedelta64(hours, "h"), MOST_STATES)
    taken = np.arange(0, total, stride) * hours
    assert 0.7 * MOST_STATES < len(taken) <= MOST_STATES
    _, counts = np.unique(taken % 24, return_counts=True)
    assert len(counts) == 24 // hours
    assert np.ptp(counts) <= 1
    _, counts = np.unique(taken // 24 % 365 // 30, return_counts=True)
    assert len(counts) == 13
    assert counts[:12].min() > 0.8 * counts[:12].mean()


def test_only_the_training_split_counts(tmp_path):
    split = np.full((1, len(DAYS)), "test", dtype=object)
    split[0, :1461] = "train"
    fields = season(DAYS)
    fields[:, 1461:] += 100
    fields[1461:] += 100
    climatology = fit_climatology(daily_store(tmp_path / "a.zarr", fields, split), ["sst"])
    np.testing.assert_allclose(
        climatology.at(DAYS[40:41])[:, MASK], season(DAYS[40:41])[:, MASK], atol=1e-3
    )


def test_without_a_calendar_it_is_the_mean(waves):
    climatology = fit_climatology(waves, ["vorticity"])
    fields = np.concatenate([waves.read(number, slice(None)) for number in (0, 1, 2)])
    found = climatology.at(np.array([0.3, 77.0]))
    np.testing.assert_allclose(found, fields.astype(np.float64).mean(), atol=1e-7)
    assert found.shape == (2, 1, 8, 8)
    assert climatology.definition.endswith("the same at all times and in all cells")


def test_less_than_a_year_has_no_harmonics(weather):
    climatology = fit_climatology(weather, ["temperature"])
    fields = np.concatenate([weather.read(number, slice(None)) for number in (0, 1, 2)])[:, :1]
    found = climatology.at(weather.times[:1])[0]
    np.testing.assert_allclose(found, fields.astype(np.float64).mean(axis=0), rtol=1e-6)


def test_no_training_split_is_refused(tmp_path):
    store = wave_store(tmp_path / "a.zarr", splits=("test", "test"))
    with pytest.raises(
        UserError, match=r"needs a training split; the store has \['test'\]. Evaluate"
    ):
        fit_climatology(store, ["vorticity"])


def test_of_a_long_training_split_evenly_spread_states_are_taken(tmp_path, monkeypatch):
    store = wave_store(tmp_path / "waves.zarr", cells=8, times=12)
    monkeypatch.setattr("triton_earth.models.climatology.MOST_STATES", 9)  # of 3 x 12: every 4th
    found = fit_climatology(store, store.variables.names).coefficients[0, :, 0, 0]
    taken = [store.read(number, slice(0, None))[::4] for number in range(3)]
    expected = np.concatenate(taken).astype(np.float64).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_one_calendar_year_has_a_season(tmp_path):
    year, shorter = DAYS[:365], DAYS[:364]
    assert year[-1] - year[0] == np.timedelta64(364, "D")
    one = fit_climatology(daily_store(tmp_path / "a.zarr", season(year), times=year), ["sst"])
    np.testing.assert_allclose(one.at(year)[:, MASK], season(year)[:, MASK], atol=1e-4)
    store = daily_store(tmp_path / "b.zarr", season(shorter), times=shorter)
    assert len(fit_climatology(store, ["sst"]).coefficients) == 1
