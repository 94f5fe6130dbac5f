"""Climate scores of an evaluation: runs longer than the truth, models side by side, pieces, members, cases without."""

import numpy as np
import pytest
from tests.unit.evaluation.climate.seasons_and_noise import (
    DAY,
    GRID,
    VARIABLES,
    days,
    make_store,
    season,
    weather,
)
from tests.unit.evaluation.conftest import MemoryForecasts

from triton_earth.evaluation.climate import setting
from triton_earth.evaluation.climate.records import STATISTICS
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.evaluation.evaluate import evaluate_forecasts

STEPS = 100
STARTS = (365 + 25, 365 + 40, 365 + 55)
"""Days of the initial times, in the test split, which ends 5 to 35 days before the runs do."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("family") / "store.zarr", years=1)


def runs(forecasts_of, change=lambda fields, times: fields, **options):
    pairs = [weather(start + 1, STEPS, seed=30 + start) for start in STARTS]
    fields = np.stack([change(fields, times) for times, fields in pairs])
    return forecasts_of(
        fields,
        variables=VARIABLES,
        grid=GRID,
        init_times=np.concatenate([days(start, 1) for start in STARTS]),
        trajectories=np.zeros(len(STARTS), np.int64),
        time_step=DAY,
        **options,
    )


def drifting(fields, times):
    return fields + np.linspace(0, 4, len(times))[:, None, None, None]


def scored(models, store, **options):
    return evaluate_forecasts(models, store, resamples=20, **options).scores


def test_a_perfect_and_a_drifting_run_are_told_apart_beyond_the_truth(store, forecasts_of):
    models = [runs(forecasts_of, model="perfect"), runs(forecasts_of, drifting, model="drifting")]
    scores = scored(models, store)
    assert scores.attrs["forecast_leads"] == STEPS
    assert scores.attrs["evaluated_leads"] < STEPS
    perfect, drifted = (scores.sel(model=name) for name in ("perfect", "drifting"))
    assert perfect["climate_skill"].item() > 0.9 > drifted["climate_skill"].item() + 0.02
    assert perfect["climate_stable"].item() == 1.0
    assert drifted["climate_stable"].item() == 0.0
    assert drifted["climate_failure"].sel(failure="drift").values.all()
    assert np.isinf(perfect["climate_horizon"]).all()
    assert (drifted["climate_horizon"] % 30 == 0).all()
    assert perfect["climate_skill_worst"] <= perfect["climate_skill"]
    assert drifted["climate_departure_trend"].sel(variable="temperature").min() > 0.01
    assert list(scores["climate_statistic"].values) == list(STATISTICS)
    assert list(scores["failure"].values) == list(FAILURES)
    assert "noise floor" in scores.attrs["remarks"]
    assert (scores["climate_floor"].sel(climate_statistic="bias_map") > 0).all()


@pytest.fixture(scope="module")
def whole(store):
    return scored([runs(MemoryForecasts)], store)


def test_pieces_have_the_scores_of_the_whole(store, forecasts_of, whole):
    pieces = scored([runs(forecasts_of, chunk=1)], store)
    for name in ("climate_score", "climate_departure", "climate_horizon", "climate_variance_ratio"):
        np.testing.assert_allclose(whole[name], pieces[name], rtol=1e-6, err_msg=name)


def test_the_first_member_of_an_ensemble_is_judged(store, forecasts_of, whole):
    alone = runs(forecasts_of)

    class Members(type(alone)):
        members = 3

        def read_members(self, inits, lead):
            first = alone.read(inits, lead)
            other = season(days(0, 1)).astype(np.float32)
            return np.stack([first, 0 * first + other, 0 * first + other], axis=1)

    ensemble = runs(forecasts_of)
    ensemble.__class__ = Members
    np.testing.assert_array_equal(
        whole["climate_score"], scored([ensemble], store)["climate_score"]
    )


def test_short_runs_and_uneven_leads_have_no_climate_scores(store, forecasts_of):
    short = runs(forecasts_of)
    short.fields, short.lead_times = short.fields[:, :40], short.lead_times[:40]
    assert "climate_score" not in scored([short], store)
    uneven = runs(forecasts_of)
    chosen = [*range(70), *range(80, STEPS)]
    uneven.fields, uneven.lead_times = uneven.fields[:, chosen], uneven.lead_times[chosen]
    assert "climate_score" not in scored([uneven], store)


def test_every_second_day_is_compared_with_every_second_day(store, forecasts_of):
    every = runs(forecasts_of)
    every.fields, every.lead_times = every.fields[:, 1::2], every.lead_times[1::2]
    scores = scored([every], store)
    assert scores["climate_stable"].item() == 1.0
    assert scores["climate_skill"].item() > 0.85


def test_the_climate_of_a_store_is_measured_once_for_forecasts_of_the_same_runs(
    store, forecasts_of, monkeypatch
):
    measured = []
    original = setting.fit_training_climate

    def counted(*given, **how):
        measured.append(how["stride"])
        return original(*given, **how)

    monkeypatch.setattr(setting, "fit_training_climate", counted)
    setting._measured.cache_clear()
    first = scored([runs(forecasts_of)], store)
    again = scored([runs(forecasts_of)], store)
    assert measured == [1]
    assert first.identical(again)
    shorter = runs(forecasts_of)
    shorter.lead_times = shorter.lead_times[:70]
    shorter.fields = shorter.fields[:, :70]
    scored([shorter], store)
    assert measured == [1, 1]
