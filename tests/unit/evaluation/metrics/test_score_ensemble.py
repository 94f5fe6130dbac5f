import numpy as np
import pytest

from triton_earth.evaluation import streaming
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.scores_file import scores_as_json


@pytest.fixture
def ensembles_of(forecasts_of):
    """Forecasts whose members [init, member, lead, channel, y, x] are read too; `read` gives their mean."""

    class MemoryEnsembles(forecasts_of):
        def __init__(self, members):
            super().__init__(members.mean(axis=1))
            self.stored = members.astype(np.float32)
            self.members = members.shape[1]

        def read_members(self, inits, lead):
            return self.stored[inits, :, lead]

    return MemoryEnsembles


@pytest.fixture
def fields():
    """Truth and six members drawn from one distribution around a signal that both share."""
    generator = np.random.default_rng(4)
    signal = generator.standard_normal((8, 4, 1, 12, 12))
    members = signal[:, None] + generator.standard_normal((8, 6, 4, 1, 12, 12))
    truth = np.concatenate(
        [signal[:, :1], signal + generator.standard_normal(signal.shape)], axis=1
    )
    return members, truth


def test_reliable_ensemble(ensembles_of, truth_of, fields):
    members, truth = fields
    scores = evaluate_forecast(ensembles_of(members), truth_of(truth), resamples=50)
    one = scores.sel(variable="vorticity")
    np.testing.assert_allclose(one["ensemble_spread"], 1, rtol=0.05)
    np.testing.assert_allclose(one["spread_skill"], 1, rtol=0.05)
    np.testing.assert_allclose(one["rank_histogram"], 1 / 7, atol=0.03)
    np.testing.assert_allclose(one["rank_histogram"].sum("rank"), 1)
    # Of two standard normal variables E|x - t| = 2/√π, and half of it is what is left.
    np.testing.assert_allclose(one["crps"], 1 / np.sqrt(np.pi), rtol=0.05)
    assert (one["finite_members"] == 6).all()
    interval = one["crps_interval"]
    assert (interval.sel(bound="lower") < one["crps"]).all()
    assert (interval.sel(bound="upper") > one["crps"]).all()
    assert len(scores_as_json(scores)["ensemble"]["vorticity"]["crps"]["value"]) == 4


def test_crps_is_that_of_scoringrules(ensembles_of, truth_of, fields):
    scoringrules = pytest.importorskip("scoringrules")
    members, truth = (field.astype(np.float32).astype(np.float64) for field in fields)
    scores = evaluate_forecast(ensembles_of(members), truth_of(truth), resamples=20)
    expected = scoringrules.crps_ensemble(
        truth[:, 1:], np.moveaxis(members, 1, -1), estimator="fair"
    )
    np.testing.assert_allclose(
        scores["crps"].sel(variable="vorticity"), expected.mean(axis=(0, 2, 3, 4)), rtol=1e-10
    )


def test_missing_member_is_counted(ensembles_of, truth_of, fields):
    members, truth = fields
    members[2, 1, 3] = np.nan
    scores = evaluate_forecast(ensembles_of(members), truth_of(truth), resamples=20)
    assert scores["finite_members"].values.tolist() == [6, 6, 6, 6 - 1 / 8]
    assert np.isnan(scores["crps"]).values.tolist() == [[False, False, False, True]]


def test_lost_members_are_said(ensembles_of, truth_of, fields):
    members, truth = fields
    broken = members.copy()
    broken[:2, 3, 2:] = np.nan
    scores = evaluate_forecast(ensembles_of(broken), truth_of(truth), resamples=10)
    (remark,) = scores.attrs["remarks"].splitlines()
    assert remark == (
        "triton: of 6 members on average 5.75 are without missing values at step 3 and 5.75 at step 4; scores of the "
        "members and of their mean are missing or infinite there."
    )


def test_crps_of_single_forecasts_stands_beside(ensembles_of, truth_of, fields):
    members, truth = fields
    scores = evaluate_forecast(ensembles_of(members), truth_of(truth), resamples=10)
    for ending in ("", "_interval"):
        each = scores[f"crps_by_forecast{ending}"]
        assert each.dims[:3] == ("forecast", "variable", "lead_time")
        np.testing.assert_array_equal(each.sel(forecast="triton"), scores[f"crps{ending}"])
        np.testing.assert_array_equal(
            each.sel(forecast="persistence"), scores[f"mae{ending}"].sel(forecast="persistence")
        )


def test_single_forecasts_have_no_ensemble_scores(forecasts_of, truth_of, fields):
    members, truth = fields
    scores = evaluate_forecast(forecasts_of(members[:, 0]), truth_of(truth), resamples=20)
    assert "crps" not in scores


@pytest.mark.parametrize(("room", "together"), [(2, 2), (5, 4), (100, 8)])
def test_members_count_for_what_is_in_memory(
    ensembles_of, truth_of, fields, room, together, monkeypatch
):
    members, truth = fields
    forecast = ensembles_of(members)
    monkeypatch.setattr(streaming, "VALUES_IN_MEMORY", 16 * room * 6 * 144)
    asked, read = set(), forecast.read_members
    forecast.read_members = lambda inits, lead: (
        asked.add(inits.stop - inits.start) or read(inits, lead)
    )
    evaluate_forecast(forecast, truth_of(truth), resamples=2)
    assert asked == {together}
