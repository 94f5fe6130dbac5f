"""Marine heat waves on series whose events are known, and on two real series against an independent program."""

import csv
from pathlib import Path

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.evaluation.metrics.heat_waves.events import (
    categories,
    day_of_year,
    detect_events,
    heat_wave_climate,
    heat_waves,
)

GOLDEN = Path(__file__).parents[4] / "golden" / "heat_waves"
YEARS = np.arange("1982-01-01", "2012-01-01", dtype="M8[D]")


def as_days(text):
    return np.array([character == "x" for character in text])


def test_day_of_year_knows_leap_years():
    times = np.array(
        ["2001-02-28", "2001-03-01", "2001-12-31", "2004-02-29", "2004-03-01", "2004-12-31"],
        "M8[D]",
    )
    assert day_of_year(times).tolist() == [59, 61, 366, 60, 61, 366]


@pytest.mark.parametrize(
    ("days", "events"),
    [
        (".xxxx.", "000000"),
        (".xxxxx.", "0111110"),
        ("xxxxx..xxxxx", "111111111111"),
        ("xxxxx...xxxxx", "1111100022222"),
        ("xxxxx.xxxx", "1111100000"),
        ("..xxxxxx", "00111111"),
        ("xxxx.xxxxx.", "00000111110"),
        ("........", "00000000"),
        ("xxxxxxxx", "11111111"),
    ],
)
def test_events_last_five_days_and_short_gaps_are_joined(days, events):
    assert "".join(map(str, detect_events(as_days(days)))) == events


def test_maps_are_cell_by_cell():
    exceeds = np.random.default_rng(0).random((400, 3, 4)) < 0.75
    found = detect_events(exceeds)
    for y, x in np.ndindex(3, 4):
        np.testing.assert_array_equal(found[:, y, x], detect_events(exceeds[:, y, x]))
    assert found.max() > 5


def test_climate_of_a_seasonal_cycle():
    cycle = np.cos(2 * np.pi * (day_of_year(YEARS) - 1) / 366)
    noise = np.random.default_rng(0).standard_normal(len(YEARS))
    climate = heat_wave_climate(10 + 5 * cycle + noise, YEARS)
    seasonal, threshold = climate.at(YEARS[:366])
    np.testing.assert_allclose(seasonal, 10 + 5 * cycle[:366], atol=0.2)
    np.testing.assert_allclose(threshold - seasonal, 1.2816, atol=0.25)


def test_missing_values_take_no_part_and_land_stays_missing():
    generator = np.random.default_rng(1)
    sst = generator.standard_normal((1500, 2, 2))
    sst[:, 1, 1] = np.nan
    alone = heat_wave_climate(sst[:, 0, 0], YEARS[:1500])
    sst[100:110, 0, 1] = np.nan
    climate = heat_wave_climate(sst, YEARS[:1500])
    assert np.isnan(climate.threshold[:, 1, 1]).all()
    assert np.isfinite(climate.threshold[:, 0, 1]).all()
    np.testing.assert_allclose(climate.threshold[:, 0, 0], alone.threshold, rtol=1e-12)


def test_categories_are_multiples_of_the_threshold():
    excess = np.array([-1, 0.5, 1.0, 1.99, 2.0, 3.5, 4.0, 9.0, np.nan])
    found = categories(20 + 1.5 * excess, np.full(9, 20.0), np.full(9, 21.5))
    assert found.tolist() == [0, 0, 1, 1, 2, 3, 4, 4, 0]


@pytest.mark.parametrize(
    "times",
    [YEARS[:300], YEARS[::2][:400], np.delete(YEARS[:500], 17)],
    ids=["short", "2-daily", "gap"],
)
def test_a_baseline_must_be_daily(times):
    with pytest.raises(UserError, match="a baseline of consecutive days over a year at least"):
        heat_wave_climate(np.zeros(len(times)), times)


@pytest.mark.parametrize("site", ["wa", "med"])
def test_real_series_against_an_independent_program(site):
    rows = np.loadtxt(GOLDEN / f"sst_{site}.csv.gz", delimiter=",", skiprows=1, dtype=str)
    times, sst = rows[:, 0].astype("M8[D]"), rows[:, 1].astype(float)
    baseline = times < np.datetime64("2012-01-01")
    found = heat_waves(sst, times, heat_wave_climate(sst[baseline], times[baseline]))
    with (GOLDEN / f"events_{site}.csv").open() as stream:
        expected = list(csv.DictReader(stream))
    assert len(found) == len(expected) > 80
    differing = sum(
        ours.category != int(theirs["category"])
        for ours, theirs in zip(found, expected, strict=True)
    )
    assert differing <= 1  # one event of February 2013, at 1.99 times the threshold
    for ours, theirs in zip(found, expected, strict=True):
        assert (str(ours.start), str(ours.end)) == (theirs["date_start"], theirs["date_end"])
        assert str(ours.peak) == theirs["date_peak"]
        assert ours.duration == int(theirs["duration"])
        for name in ("intensity_max", "intensity_mean", "intensity_cumulative"):
            # Around 29 February theirs pools days of a leap year, ours days of the calendar; and theirs rounds.
            slack = 2e-3 * (ours.duration if name == "intensity_cumulative" else 1)
            assert getattr(ours, name) == pytest.approx(float(theirs[name]), abs=slack)


def test_the_heat_wave_of_2011_off_western_australia():
    rows = np.loadtxt(GOLDEN / "sst_wa.csv.gz", delimiter=",", skiprows=1, dtype=str)
    times, sst = rows[:, 0].astype("M8[D]"), rows[:, 1].astype(float)
    baseline = times < np.datetime64("2012-01-01")
    events = heat_waves(sst, times, heat_wave_climate(sst[baseline], times[baseline]))
    strongest = max(events, key=lambda event: event.intensity_max)
    assert (str(strongest.start), str(strongest.end)) == ("2010-12-24", "2011-04-07")
    assert (strongest.duration, strongest.category) == (105, 4)
