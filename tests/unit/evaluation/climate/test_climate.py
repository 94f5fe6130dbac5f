"""Climate scores: a perfect run is at the noise floor and stays within the bands; planted failures are named."""

import numpy as np
import pytest
from tests.unit.evaluation.climate.seasons_and_noise import (
    GRID,
    MEMORY,
    VARIABLES,
    make_store,
    season,
    weather,
)

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.evaluation.climate.floor import SMALLEST, measure_floor
from triton_earth.evaluation.climate.measures import BANDS, CHANGE, MEAN, SQUARE, Measures
from triton_earth.evaluation.climate.records import ClimateRecords, climate_skill
from triton_earth.evaluation.climate.reference import fit_training_climate
from triton_earth.evaluation.climate.scores import (
    DEFINITIONS,
    climate_scores,
    seasonal_cycle,
    variance_ratios,
    windows,
)
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import FAILURES, calibrate, judge

NAMES = VARIABLES.names
YEAR = 365


@pytest.fixture(scope="module")
def climate(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("climate") / "store.zarr")
    found = fit_training_climate(store, NAMES)
    assert found is not None
    floor = measure_floor(store, found, YEAR)
    setting = ClimateSetting(
        found.reference,
        floor.floor,
        floor.frozen,
        calibrate(floor, YEAR),
        tuple(NAMES),
        np.arange(YEAR),
        "",
    )
    return found, setting


def run_of(climate, times, fields):
    run = climate[0].reference.run(1)
    for time, field in zip(times, fields, strict=True):
        run.add(np.array([time]), field[None])
    return run


def skills(climate, run) -> np.ndarray:
    count = len(run.anomaly_sum)
    records = ClimateRecords.empty(1, count, climate[1])
    records.put(0, np.arange(count), run, climate[1])
    return climate_skill(records.statistics, climate[1])[0]


def test_folds_are_years(climate):
    assert climate[0].fold_word == "years"
    assert len(climate[0].folds) == 3
    assert [sum(len(one) for one in fold.segments) for fold in climate[0].folds] == [YEAR] * 3


@pytest.fixture(scope="module")
def perfect(climate):
    """Eight perfect runs of a year."""
    return runs_of(
        climate, *zip(*(weather(YEAR, YEAR, seed=100 + one) for one in range(8)), strict=True)
    )


def runs_of(climate, times, fields):
    run = climate[0].reference.run(len(times))
    for when, states in zip(np.stack(times, axis=1), np.stack(fields, axis=1), strict=True):
        run.add(when, states)
    return run


def test_perfect_runs_are_at_the_floor_and_stable(climate, perfect):
    found = judge(perfect, climate[0].reference, climate[1].bands, NAMES)
    assert found.stable.all()
    assert np.isinf(found.horizon).all()
    assert found.variables == [[]] * 8
    scores = climate_scores(perfect, climate[0].reference)
    for name, values in scores.items():
        ratio = np.sqrt((values**2).mean(axis=0)) / climate[1].floor[name]
        assert ((ratio > 0.4) & (ratio < 2.0)).all(), (name, ratio)
    assert (skills(climate, perfect) > 0.9).all()


def test_a_mean_that_the_truth_conserves_has_no_floor_of_rounding(tmp_path):
    times, fields = weather(0, 3 * YEAR + 120, seed=1)
    area = GRID.cell_area_weights / GRID.cell_area_weights.sum()
    fields -= np.einsum("tcyx,yx->tc", fields, area)[..., None, None]
    store = make_store(tmp_path / "store.zarr", times=times, fields=fields)
    setting = ClimateSetting.measured(store, fit_training_climate(store, NAMES), YEAR, [0])
    np.testing.assert_array_equal(setting.floor["global_mean"], SMALLEST)
    assert (setting.floor["bias_map"] > SMALLEST).all()
    # A held state has no mean either: the score cannot tell it from the truth, and does not count.
    scores = np.zeros((1, len(DEFINITIONS), len(NAMES)))
    off = scores.copy()
    off[:, list(DEFINITIONS).index("global_mean")] = 1.0
    assert climate_skill(scores, setting) == climate_skill(off, setting) == 1.0


def test_statistics_of_the_climate_are_those_it_was_made_of(climate):
    reference = climate[0].reference
    np.testing.assert_allclose(reference.deviation, 2.0, rtol=0.03)
    expected = reference.expectation.at(weather(0, 10, 0)[0])
    np.testing.assert_allclose(expected[..., SQUARE], 4.0, rtol=0.08)
    np.testing.assert_allclose(expected[..., CHANGE], 2 * 4.0 * (1 - MEMORY), rtol=0.08)
    np.testing.assert_allclose(expected[..., MEAN], 0.0, atol=0.02)


def test_expected_variances_do_not_favour_what_the_fit_has_seen(climate, perfect):
    ratios = variance_ratios(perfect, climate[0].reference)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


def drifting(fields, times):
    return fields + np.linspace(0, 4, len(times))[:, None, None, None]


def blown_up(fields, times):
    anomaly = fields - season(times)
    return season(times) + anomaly * np.exp(np.linspace(0, 3, len(times)))[:, None, None, None]


def not_finite(fields, times):
    return np.where((np.arange(len(times)) > 200)[:, None, None, None], np.nan, fields)


def without_season(fields, times):
    return fields - season(times) + season(times[:1] + np.timedelta64(91, "D")) + 0 * fields


def late_season(fields, times):
    return fields - season(times) + season(times - np.timedelta64(40, "D"))


def held(fields, times):
    return season(times) + (fields - season(times))[:1]


def slow(fields, times):
    """The same variance at every time, and hardly a change from day to day."""
    anomaly = np.repeat((fields - season(times))[::20], 20, axis=0)[: len(times)]
    return season(times) + anomaly


def blurred(fields, times):
    anomaly = fields - season(times)
    smooth = np.mean([np.roll(anomaly, shift, axis=-1) for shift in (-1, 0, 1)], axis=0)
    return season(times) + smooth * anomaly.std() / smooth.std()


def weak(fields, times):
    return season(times) + 0.5 * (fields - season(times))


PLANTED = {
    drifting: "drift",
    blown_up: "blow_up",
    not_finite: "blow_up",
    without_season: "season_lost",
    late_season: "season_lost",
    held: "frozen",
    slow: "frozen",
    blurred: "frozen",
    weak: "variance",
}


def test_planted_failures_are_named_and_cost_skill(climate):
    times, fields = weather(YEAR, YEAR, seed=17)
    planted = [fields, *(plant(fields, times) for plant in PLANTED)]
    run = runs_of(climate, [times] * len(planted), planted)
    found = judge(run, climate[0].reference, climate[1].bands, NAMES)
    skill = skills(climate, run)
    assert found.stable.tolist() == [True, *[False] * len(PLANTED)]
    for row, expected in enumerate(PLANTED.values(), start=1):
        assert found.failures[expected][row], expected
        assert found.horizon[row] <= YEAR
        assert "temperature" in found.variables[row]
        assert skill[row] < skill[0] - 0.02, (expected, skill)


def test_a_held_state_has_no_skill_and_a_broken_run_none(climate):
    times, fields = weather(YEAR, YEAR, seed=8)
    frozen = np.repeat(fields[:1], YEAR, axis=0)
    run = runs_of(climate, [times, times], [frozen, not_finite(fields, times)])
    skill = skills(climate, run)
    assert skill[0] < 0.35
    assert skill[1] == 0.0


def test_the_annual_wave_has_amplitude_and_phase(climate):
    times, fields = weather(YEAR, YEAR + 1, seed=9)
    anomaly = fields - season(times)
    shifted = season(times - np.timedelta64(30, "D"))
    middle = season(times).mean(axis=0)
    run = run_of(climate, times, middle + 1.5 * (shifted - middle) + anomaly)
    amplitude, late = seasonal_cycle(run, climate[0].reference)
    assert amplitude[0, 0] == pytest.approx(1.5, rel=0.03)
    assert late[0, 0] == pytest.approx(30, abs=1.5)


def test_every_score_is_told_for_a_year_and_those_of_the_season_are_missing_for_less(climate):
    scores = climate_scores(run_of(climate, *weather(0, YEAR, seed=10)), climate[0].reference)
    assert list(scores) == list(DEFINITIONS)
    assert all(np.isfinite(values).all() for values in scores.values())
    short = climate_scores(run_of(climate, *weather(0, 70, seed=10)), climate[0].reference)
    missing = {name for name, values in short.items() if np.isnan(values).all()}
    assert missing == {"season_map", "seasonal_cycle"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_run_that_is_never_finite_has_no_scores_and_no_warning(climate, value):
    times, fields = weather(YEAR, YEAR, seed=10)
    run = run_of(climate, times, np.full_like(fields, value))
    scores = climate_scores(run, climate[0].reference)
    assert list(scores) == list(DEFINITIONS)
    assert not any(np.isfinite(values).any() for values in scores.values())


def test_bias_in_one_place_is_its_root_mean_square(climate):
    times, fields = weather(YEAR, YEAR, seed=11)
    reference = climate[0].reference
    plain = climate_scores(run_of(climate, times, fields), reference)["bias_map"][0]
    bias = np.zeros((2, *GRID.shape))
    bias[0, 2, 3] = 50.0
    found = climate_scores(run_of(climate, times, fields + bias), reference)["bias_map"][0]
    cell = reference.measures.weights[0, 2, 3]
    assert found[0] == pytest.approx(50 * np.sqrt(cell) / reference.deviation[0], rel=0.01)
    assert found[1] == pytest.approx(plain[1])


def test_runs_side_by_side_have_the_statistics_of_runs_one_after_another(climate):
    pairs = [weather(YEAR, 60, seed=12), weather(YEAR + 100, 60, seed=13)]
    together = climate[0].reference.run(2)
    for step in range(60):
        together.add(
            np.array([times[step] for times, _ in pairs]),
            np.stack([fields[step] for _, fields in pairs]),
        )
    joined = climate_scores(together, climate[0].reference)
    for row, (times, fields) in enumerate(pairs):
        alone = climate_scores(run_of(climate, times, fields), climate[0].reference)
        for name, values in alone.items():
            np.testing.assert_allclose(joined[name][row], values[0], rtol=1e-12)


def test_windows_leave_out_the_rest():
    values = np.arange(7.0)[None, :, None]
    np.testing.assert_array_equal(windows(values, 3)[0, :, 0], [1.0, 4.0])
    np.testing.assert_array_equal(windows(values, 10)[0, :, 0], [3.0])


@pytest.mark.parametrize("wave", [1, 2, 3, 5])
def test_octaves_have_the_variance_of_a_wave(wave):
    grid = PeriodicGrid(4, 16)
    measures = Measures.of(grid, 1, None, 1.0)
    field = np.broadcast_to(np.cos(wave * grid.x), (1, 1, 4, 16))
    bands = measures.band_variances(field[0, 0], 0)
    assert bands.sum() == pytest.approx(0.5)
    assert bands[int(np.log2(wave))] == pytest.approx(0.5)


def test_octaves_of_a_region_are_those_of_half_waves():
    grid = LatLonGrid((0.0, 1.0), tuple(np.arange(32.0)))
    measures = Measures.of(grid, 1, None, np.timedelta64(1, "D"))
    half_waves = np.cos(np.pi * 3 * (np.arange(32) + 0.5) / 32)
    bands = measures.band_variances(np.broadcast_to(half_waves, (2, 32)), 0)
    assert bands[1] == pytest.approx(0.5)
    assert bands.sum() == pytest.approx(0.5)


def test_land_does_not_count():
    mask = np.ones((1, 4, 16), bool)
    mask[:, 2:] = False
    measures = Measures.of(PeriodicGrid(4, 16), 1, mask, 1.0)
    field = np.ones((1, 1, 4, 16))
    field[:, :, 2:] = np.nan
    assert measures.mean(np.where(measures.weights > 0, field, 0.0))[0, 0] == pytest.approx(1.0)


def test_failures_have_definitions_and_columns_do_not_overlap(climate):
    measures = climate[0].reference.measures
    assert set(FAILURES) == {"blow_up", "drift", "season_lost", "frozen", "variance"}
    assert measures.columns == BANDS + measures.bands + 2
