import json

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.stability import StabilityBands

METRICS = ("mse", "rmse", "bias", "relative_l2", "correlation")
TOTALS = ("energy", "enstrophy", "small_scale_enstrophy")


@pytest.fixture
def noisy(flow):
    """Forecasts of seven leads whose error grows from nothing; 4th trajectory ten times larger at lead 5."""
    forecast = flow[:, 1:].copy()
    noise = np.random.default_rng(1).standard_normal(forecast.shape).astype(np.float32)
    forecast += 0.003 * np.arange(1, 8)[None, :, None, None, None] * noise
    forecast[3, 4] *= 10
    return forecast


@pytest.fixture
def scores(noisy, flow, forecasts_of, truth_of):
    return evaluate_forecast(forecasts_of(noisy), truth_of(flow), seed=2, resamples=200)


def test_names_and_dimensions(scores):
    assert scores["forecast"].values.tolist() == ["triton", "persistence"]
    assert scores["source"].values.tolist() == ["triton", "persistence", "truth"]
    assert scores["variable"].values.tolist() == ["vorticity"]
    assert scores["bound"].values.tolist() == ["lower", "upper"]
    np.testing.assert_allclose(scores["lead_time"], 0.5 * np.arange(1, 8))
    assert scores["lead"].values.tolist() == [1, 2, 3, 4, 5, 6, 7]
    errors, totals = ("forecast", "variable", "lead_time"), ("source", "lead_time")
    for name in (*METRICS, "mse_minus_persistence"):
        assert scores[name].dims == errors
        assert scores[f"{name}_interval"].dims == (*errors, "bound")
    for name in TOTALS:
        assert scores[name].dims == totals
        assert scores[f"{name}_interval"].dims == (*totals, "bound")
    for name in ("energy_spectrum", "enstrophy_spectrum"):
        assert scores[name].dims == (*totals, "wavenumber")
    for name in ("stability_horizon", "stable_fraction", "skill_horizon", "persistence_horizon"):
        assert scores[name].dims == ("forecast",)
        assert scores[f"{name}_interval"].dims == ("forecast", "bound")
    assert scores["stability_criterion"].dims == ("forecast",)
    assert scores["initial_conditions"].dims == ("lead_time",)


def test_every_variable_says_what_it_is(scores):
    for name, values in scores.data_vars.items():
        assert values.attrs["long_name"], name
        assert values.attrs["definition"], name
        if values.dtype.kind == "f":
            assert values.attrs["units"], name
    assert scores["rmse"].attrs["units"] == "s-1"
    assert scores["mse"].attrs["units"] == "(s-1)2"
    assert "Nyquist" in scores["small_scale_enstrophy"].attrs["definition"]


def test_attributes(scores):
    assert (scores.attrs["evaluated_leads"], scores.attrs["forecast_leads"]) == (7, 7)
    assert (scores.attrs["seed"], scores.attrs["resamples"]) == (2, 200)
    provenance = json.loads(scores.attrs["provenance"])
    assert provenance["forecast"] == {"model": "triton", "seed": 3}
    assert provenance["truth_hash"] == "0123"
    assert json.loads(scores.attrs["stability_bands"])["mean_drift"] == 0.1


def test_errors_are_those_of_numpy(scores, noisy, flow):
    held = np.repeat(flow[:, :1], 7, axis=1)
    for name, forecast in (("triton", noisy), ("persistence", held)):
        f, t = (field[:, :, 0].astype(np.float64) for field in (forecast, flow[:, 1:]))
        one = scores.sel(forecast=name, variable="vorticity")
        mse = ((f - t) ** 2).mean(axis=(2, 3))
        np.testing.assert_allclose(one["mse"], mse.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(one["rmse"], np.sqrt(mse.mean(axis=0)), rtol=1e-12)
        np.testing.assert_allclose(
            one["bias"], (f - t).mean(axis=(2, 3)).mean(axis=0), rtol=1e-9, atol=1e-12
        )
        norms = np.linalg.norm(f - t, axis=(2, 3)) / np.linalg.norm(t, axis=(2, 3))
        np.testing.assert_allclose(one["relative_l2"], norms.mean(axis=0), rtol=1e-12)
        correlations = [
            [np.corrcoef(f[i, n].ravel(), t[i, n].ravel())[0, 1] for n in range(7)]
            for i in range(6)
        ]
        np.testing.assert_allclose(one["correlation"], np.mean(correlations, axis=0), rtol=1e-10)


def test_intervals_hold_the_estimates(scores):
    for name in (*METRICS, *TOTALS, "stable_fraction"):
        interval = scores[f"{name}_interval"]
        assert (interval.sel(bound="lower") <= scores[name] + 1e-12).all(), name
        assert (scores[name] <= interval.sel(bound="upper") + 1e-12).all(), name
    widths = scores["mse_interval"].diff("bound")
    assert (widths > 0).all()


def test_interval_of_rmse_is_the_root_of_that_of_mse(scores):
    np.testing.assert_allclose(scores["rmse_interval"] ** 2, scores["mse_interval"], rtol=1e-12)


def test_initial_times_that_the_truth_lacks_are_left_out(noisy, flow, forecasts_of, truth_of):
    begins = np.array([0.0, 0.5, 0.0, -1.0, 0.5, -0.5])
    rows = np.array([0, 1, 2, 4])
    forecast = forecasts_of(noisy, init_times=begins)
    scores = evaluate_forecast(forecast, truth_of(flow), resamples=20)
    kept = forecasts_of(noisy[rows], init_times=begins[rows], trajectories=rows)
    alone = evaluate_forecast(kept, truth_of(flow), resamples=20)
    for name in ("rmse", "correlation", "stable_fraction", "stability_horizon", "skill_horizon"):
        np.testing.assert_array_equal(scores[name], alone[name], name)
    assert scores["initial_conditions"].values.tolist() == [4, 4, 4, 4, 4, 4, 2]
    assert scores.attrs["remarks"].splitlines() == [
        "2 of 6 initial conditions are left out: the truth does not have their initial times, -1.0 to -0.5.",
        "Initial conditions with a truth, of 6: 4 at step 1, 4 at step 3, 4 at step 4, 4 at step 5, "
        "2 at step 7.",
    ]
    one = scores.sel(forecast="triton")
    assert one["initial_stability_criterion"].values[[3, 5]].tolist() == ["no truth"] * 2
    assert not one["initial_stable"].values[[3, 5]].any()


def test_horizons_of_each_variable(flow, forecasts_of, truth_of):
    both = Variables((Variable("a", "1"), Variable("b", "1")))
    truth = np.concatenate([flow, flow], axis=2)
    noise = np.random.default_rng(0).standard_normal(truth[:, 1:].shape)
    noise[:, :3] = noise[:, :5, 1] = 0
    forecast = truth[:, 1:] + 9 * noise.astype(np.float32)
    scores = evaluate_forecast(
        forecasts_of(forecast, variables=both), truth_of(truth, variables=both), resamples=20
    ).sel(forecast="triton")
    for name in ("stability_horizon", "skill_horizon", "persistence_horizon"):
        assert scores[name] == 4
        assert scores[f"{name}_by_variable"].values.tolist() == [4, 6]
        assert scores[f"{name}_by_variable_interval"].dims == ("variable", "bound")
    assert scores["skill_horizon_variable"] == scores["persistence_horizon_variable"] == "a"


def test_paired_difference(scores):
    difference = scores["mse_minus_persistence"]
    held = scores["mse"].sel(forecast="persistence", drop=True)
    np.testing.assert_allclose(difference, scores["mse"] - held, rtol=1e-12)
    assert (difference.sel(forecast="persistence") == 0).all()
    assert (scores["mse_minus_persistence_interval"].sel(forecast="persistence") == 0).all()
    better = scores["mse_minus_persistence_interval"].sel(forecast="triton", bound="upper")[0] < 0
    assert better.values.tolist() == [True, True, True, True, False, True, True]


def test_totals_and_spectra_are_those_of_the_fields(scores, flow):
    vorticity = flow[:, 1:, 0].astype(np.float64)
    enstrophy = 0.5 * (vorticity**2).mean(axis=(2, 3)).mean(axis=0)
    truth = scores.sel(source="truth")
    np.testing.assert_allclose(truth["enstrophy"], enstrophy, rtol=1e-12)
    np.testing.assert_allclose(truth["enstrophy_spectrum"].sum("wavenumber"), enstrophy, rtol=1e-12)
    np.testing.assert_allclose(truth["energy_spectrum"].sum("wavenumber"), truth["energy"])
    small = truth["enstrophy_spectrum"].sel(wavenumber=slice(4.5, 8.5)).sum("wavenumber")
    np.testing.assert_allclose(truth["small_scale_enstrophy"], small, rtol=1e-12)
    held = scores["enstrophy"].sel(source="persistence")
    np.testing.assert_allclose(held, 0.5 * (flow[:, 0] ** 2).mean(), rtol=1e-6)


def test_lead_times_have_the_units_of_the_truth(flow, forecasts_of, truth_of):
    truth = truth_of(flow)
    truth.time_units = "d"
    forecasts = forecasts_of(flow[:, 1:])
    assert evaluate_forecast(forecasts, truth, resamples=2)["lead_time"].attrs["units"] == "d"


def test_perfect_forecast(flow, forecasts_of, truth_of):
    scores = evaluate_forecast(forecasts_of(flow[:, 1:]), truth_of(flow), resamples=50)
    one = scores.sel(forecast="triton")
    assert (one["rmse"] == 0).all()
    np.testing.assert_allclose(one["correlation"], 1, rtol=1e-12)
    assert one["stable_fraction"] == 1
    assert one["stability_criterion"] == "none"
    for name in ("stability_horizon", "skill_horizon", "persistence_horizon"):
        assert np.isnan(one[name]), name
        assert np.isnan(one[f"{name}_interval"]).all(), name
    assert one["initial_stable"].all()


def test_blow_up_is_a_result(noisy, flow, forecasts_of, truth_of):
    noisy[1, 3:] = np.nan
    noisy[4, 5:, 0, 2, 2] = np.inf
    scores = evaluate_forecast(forecasts_of(noisy), truth_of(flow), resamples=300)
    one = scores.sel(forecast="triton", variable="vorticity")
    assert np.isfinite(one["mse"]).values.tolist() == [True] * 3 + [False] * 4
    assert (one["rmse"][3:] == np.inf).all()
    assert (one["relative_l2"][3:] == np.inf).all()
    assert (one["rmse_interval"].sel(bound="upper")[3:] == np.inf).all()
    assert np.isnan(one["correlation"][3:]).all()
    assert np.isnan(one["bias"][3:]).all()
    assert np.isnan(scores["enstrophy"].sel(source="triton")[3:]).all()
    assert np.isfinite(scores["enstrophy"].sel(source="truth")).all()
    assert np.isfinite(scores["rmse"].sel(forecast="persistence")).all()
    assert one["initial_stability_horizon"][1] == 4
    assert one["initial_stability_criterion"][1] == "not finite"
    assert one["initial_stability_horizon"][3] == 5
    assert one["initial_stability_criterion"][3] == "variance of vorticity"
    assert one["skill_horizon"] == 4
    assert one["persistence_horizon"] == 4


def test_horizons(flow, forecasts_of, truth_of):
    forecast = flow[:, 1:].copy()
    forecast[:, 4:] *= -1
    forecast[:5, 2] *= 1.3
    scores = evaluate_forecast(forecasts_of(forecast), truth_of(flow), resamples=300)
    one = scores.sel(forecast="triton")
    assert one["stability_horizon"] == 3
    assert one["stability_criterion"] == "variance of vorticity"
    np.testing.assert_allclose(one["stable_fraction"], 1 / 6)
    assert one["skill_horizon"] == 5
    assert one["skill_horizon_interval"].values.tolist() == [5, 5]
    # The error of 0.3 times the field at lead 3 is more than what three steps change.
    assert one["persistence_horizon"] == 3
    assert np.isnan(scores["persistence_horizon"].sel(forecast="persistence"))
    counts = json.loads(scores["stability_criterion"].attrs["counts"])
    assert counts[0] == {"variance of vorticity": 5, "none": 1}


def test_bands_change_the_horizon(flow, forecasts_of, truth_of):
    pair = forecasts_of(1.3 * flow[:, 1:]), truth_of(flow)
    wide = StabilityBands.model_validate(
        {name: {"lower": 0.1, "upper": 10.0} for name in ("variance", "energy")}
    )
    assert evaluate_forecast(*pair, resamples=20)["stable_fraction"][0] == 0
    assert evaluate_forecast(*pair, resamples=20, bands=wide)["stable_fraction"][0] == 1


def test_small_scales_that_fade_are_named(flow, forecasts_of, truth_of):
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.arange(9), indexing="ij"))
    smooth = np.fft.irfft2(np.fft.rfft2(flow[:, 1:]) * (k < 5), s=(16, 16))
    scores = evaluate_forecast(forecasts_of(smooth), truth_of(flow), resamples=20)
    assert scores["stability_criterion"][0] == "small-scale enstrophy"
    assert scores["stability_horizon"][0] == 1


def test_forecast_longer_than_the_truth(flow, forecasts_of, truth_of):
    start = np.array([0.0, 0.5, 0.0, 0.0, 1.5, 1.5])
    forecast = forecasts_of(np.concatenate([flow, flow], axis=1), init_times=start)
    scores = evaluate_forecast(forecast, truth_of(flow), resamples=100)
    assert (scores.attrs["evaluated_leads"], scores.attrs["forecast_leads"]) == (7, 16)
    assert scores.attrs["remarks"].splitlines() == [
        "Scored over 7 of the forecast's 16 leads: the truth ends there.",
        "Initial conditions with a truth, of 6: 6 at step 1, 6 at step 3, 6 at step 4, 4 at step 5, "
        "3 at step 7.",
        "Steps 8 to 16 have no truth: area mean, variance, departure from the seasonal cycle, its drift and extremes "
        "are scored there against the training climate alone (beyond_*).",
    ]
    assert scores["initial_conditions"].values.tolist() == [6, 6, 6, 6, 4, 4, 3]
    assert scores.sizes["lead_time"] == 7
    assert np.isfinite(scores["rmse"]).all()
    assert np.isfinite(scores["enstrophy"]).all()


def test_one_trajectory_has_scores_but_no_intervals(flow, forecasts_of, truth_of):
    forecast = forecasts_of(
        flow[[0, 0], :5], init_times=np.array([0.5, 1.0]), trajectories=np.zeros(2, int)
    )
    scores = evaluate_forecast(forecast, truth_of(flow), resamples=20)
    assert np.isfinite(scores["rmse"]).all()
    for name, values in scores.data_vars.items():
        if name.endswith("_interval"):
            assert np.isnan(values).all(), name
    assert scores.attrs["interval"].startswith(
        "none: there are 2 initial conditions of one trajectory"
    )


def test_same_seed_same_intervals(noisy, flow, forecasts_of, truth_of):
    pair = forecasts_of(noisy), truth_of(flow)
    first, again, other = (evaluate_forecast(*pair, seed=s, resamples=50) for s in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert (first["mse_interval"] != other["mse_interval"]).any()


def test_several_variables_on_a_masked_ocean(forecasts_of, truth_of):
    variables = Variables((Variable("temperature", "K"), Variable("salinity", "1")))
    grid = LatLonGrid((10.0, 20.0, 30.0), (0.0, 10.0, 20.0, 30.0))
    fields = np.random.default_rng(0).standard_normal((3, 5, 2, 3, 4)) + 280
    mask = np.ones((2, 3, 4), bool)
    mask[1, 0] = False
    fields[:, :, ~mask] = np.nan
    shared = {"variables": variables, "grid": grid}
    truth = truth_of(fields, valid_mask=mask, **shared)
    scores = evaluate_forecast(forecasts_of(fields[:, 1:] + 2, **shared), truth, resamples=30)
    np.testing.assert_allclose(scores["rmse"].sel(forecast="triton"), 2, rtol=1e-5)
    np.testing.assert_allclose(scores["bias"].sel(forecast="triton"), 2, rtol=1e-5)
    assert scores["rmse"].attrs["units"] == "K; 1"
    assert scores["stability_criterion"][0] == "mean of temperature"
    assert "enstrophy" not in scores
    assert "wavenumber" not in scores.dims


@pytest.mark.parametrize("name", ["persistence", "truth"])
def test_model_called_like_a_reference_is_renamed(name, flow, forecasts_of, truth_of):
    forecast = forecasts_of(flow[:, 1:], model=name)
    scores = evaluate_forecast(forecast, truth_of(flow), resamples=20)
    assert scores["forecast"].values.tolist() == [f"{name} (forecast)", "persistence"]


def test_too_few_resamples(flow, forecasts_of, truth_of):
    with pytest.raises(UserError, match=r"an interval needs at least two resamples; found 1. Take"):
        evaluate_forecast(forecasts_of(flow[:, 1:]), truth_of(flow), resamples=1)


def test_a_truth_without_variance_has_no_correlation_and_takes_none_from_others(
    noisy, flow, forecasts_of, truth_of
):
    """As rain on a dry day: the lead's correlation is the mean over the other initial conditions."""
    dry = flow.copy()
    dry[2, 3] = 0.0
    scores = evaluate_forecast(forecasts_of(noisy), truth_of(dry), seed=2, resamples=50)
    count = len(flow)
    counts = scores["correlated_conditions"].sel(variable="vorticity", forecast="triton")
    assert counts.values.tolist() == [count, count, count - 1, *[count] * 4]
    others = [case for case in range(count) if case != 2]
    expected = np.mean(
        [np.corrcoef(noisy[case, 2].ravel(), flow[case, 3].ravel())[0, 1] for case in others]
    )
    one = scores.sel(forecast="triton", variable="vorticity").isel(lead_time=2)
    assert one["correlation"].item() == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(one["relative_l2"])
    whole = evaluate_forecast(forecasts_of(noisy), truth_of(flow), seed=2, resamples=50)
    kept = scores["correlation"].drop_isel(lead_time=2)
    np.testing.assert_allclose(kept, whole["correlation"].drop_isel(lead_time=2))
    assert (
        f"The truth of vorticity is the same in all cells in 1 of {7 * count} pairs of initial condition and lead, "
        "first at step 3: its correlation is the mean over the others."
    ) in scores.attrs["remarks"]


def test_a_truth_without_variance_in_all_cases_has_no_correlation(
    noisy, flow, forecasts_of, truth_of
):
    dry = flow.copy()
    dry[:, 3] = 0.0
    scores = evaluate_forecast(forecasts_of(noisy), truth_of(dry), seed=2, resamples=50)
    assert np.isnan(scores["correlation"].isel(lead_time=2)).all()
    assert (scores["correlated_conditions"].isel(lead_time=2) == 0).all()


def test_a_forecast_without_variance_takes_no_correlation_from_others(
    noisy, flow, forecasts_of, truth_of
):
    """As persistence from a dry day; what it forecasts wrong is in its errors."""
    dry = noisy.copy()
    dry[2, 2] = 0.0
    scores = evaluate_forecast(forecasts_of(dry), truth_of(flow), seed=2, resamples=50)
    count = len(flow)
    counts = scores["correlated_conditions"].sel(variable="vorticity")
    assert counts.sel(forecast="triton").values.tolist() == [count, count, count - 1, *[count] * 4]
    assert (counts.sel(forecast="persistence") == count).all()
    others = [case for case in range(count) if case != 2]
    expected = np.mean(
        [np.corrcoef(noisy[case, 2].ravel(), flow[case, 3].ravel())[0, 1] for case in others]
    )
    one = scores.sel(forecast="triton", variable="vorticity").isel(lead_time=2)
    assert one["correlation"].item() == pytest.approx(expected, rel=1e-5)
    assert (
        f"triton: the forecast of vorticity is the same in all cells in 1 of {7 * count} pairs of initial condition "
        "and lead, first at step 3: its correlation is the mean over the others."
    ) in scores.attrs["remarks"]
