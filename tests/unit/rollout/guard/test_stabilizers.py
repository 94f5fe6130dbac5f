"""Stabilisers do what their equations say, act inside the rollout, and their account is right."""

import numpy as np
import pytest
import torch

from tests.builders import (
    ScaledSum,
    daily_store,
    files_below,
    random_state,
    tiny_forecaster,
)
from triton_earth.core.errors import UserError
from triton_earth.models.climatology import fit_climatology
from triton_earth.plots.sections.guard import stabilizers as section
from triton_earth.rollout.guard.stabilizers import Correction, StabilizersConfig
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.restart import Pace
from triton_earth.rollout.storage.writer import write_forecast

REQUEST = {
    "trajectories": [4, 5, 4],
    "starts": [0, 0, 2],
    "steps": 6,
    "batch_size": 2,
    "provenance": {"model": "triton", "model_hash": "a"},
}
ALL = {
    "spectral_filter": {},
    "relaxation": {"steps": 5},
    "range_clamp": {},
    "mean_conservation": {"variables": ["vorticity"]},
}


def correction_of(store, initial, **config):
    variables = initial.variables
    built = StabilizersConfig.parse(config, "test").build(store, variables)
    mask = (
        None
        if store.valid_mask is None
        else store.valid_mask[store.variables.indices(variables.names)]
    )
    return Correction(built, initial, mask)


def wave(store, waves_y, waves_x, amplitude=1.0):
    state = store.windows([4], [0], 1)
    y, x = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    field = amplitude * np.cos(2 * np.pi * (waves_y * y + waves_x * x) / 8)
    state.data[:] = torch.from_numpy(field)
    return state


@pytest.mark.parametrize(("waves_y", "waves_x"), [(0, 1), (1, 2), (0, 4), (3, 3)])
def test_the_filter_damps_each_wave_as_its_response_says(waves, waves_y, waves_x):
    state = wave(waves, waves_y, waves_x)
    correction = correction_of(waves, state, spectral_filter={"order": 4, "strength": 0.5})
    ratio = min(1.0, np.hypot(waves_y, waves_x) / 4)
    expected = np.exp(-0.5 * ratio**4)
    torch.testing.assert_close(correction(state).data, expected * state.data, atol=1e-5, rtol=0)
    rms = float(state.data.square().mean().sqrt())
    np.testing.assert_allclose(correction.changes[0][0, 0, 0], (1 - expected) * rms, atol=1e-5)


def test_the_filter_keeps_constants_and_masked_cells_never_matter(weather):
    state = weather.windows([4], [0], 1).select(["temperature"])
    correction = correction_of(weather, state, spectral_filter={"strength": 3.0})
    constant = random_state(state.grid, state.variables, batch=1)
    constant.data[:] = 280.0
    torch.testing.assert_close(correction(constant).data, constant.data, rtol=1e-5, atol=0)
    valid = torch.from_numpy(weather.valid_mask[:1])
    loud = state.data.nan_to_num(nan=1e6)
    quiet = state.data.nan_to_num(nan=0.0)
    outcomes = [
        torch.where(
            valid,
            correction(type(state)(d, state.variables, state.grid, state.valid_times)).data,
            0,
        )
        for d in (loud, quiet)
    ]
    torch.testing.assert_close(*outcomes, rtol=0, atol=0)


def test_relaxation_pulls_to_the_climatology(waves):
    state = wave(waves, 0, 1)
    found = correction_of(waves, state, relaxation={"steps": 2})(state).data
    mean = torch.from_numpy(
        fit_climatology(waves, ["vorticity"]).at(state.valid_times[:, 0])
    ).float()
    torch.testing.assert_close(found, mean + np.exp(-0.5) * (state.data - mean))


def test_the_clamp_holds_values_within_the_training_range(waves):
    state = wave(waves, 0, 1, amplitude=9.0)
    found = correction_of(waves, state, range_clamp={"margin": 0.0})(state).data
    training = np.concatenate([waves.read(n, slice(None)) for n in range(3)])
    assert training.min() <= found.min() < found.max() <= training.max()
    inside = state.data.abs() < 0.5
    assert torch.equal(found[inside], state.data[inside])


def test_the_mean_stays_that_of_the_initial_state(weather):
    state = weather.windows([4], [0], 1).select(["temperature"])
    correction = correction_of(weather, state, mean_conservation={"variables": ["temperature"]})
    drifted = type(state)(state.data + 3, state.variables, state.grid, state.valid_times)
    torch.testing.assert_close(
        correction(drifted).data, state.data, equal_nan=True, rtol=1e-6, atol=1e-3
    )
    np.testing.assert_allclose(correction.changes[0][0, 0, 0], 3.0, rtol=1e-4)


def test_what_is_yielded_is_fed_back(waves, tmp_path):
    """A network that doubles would grow as 3ⁿ; held by the clamp it does not."""
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(20.0)
    config = StabilizersConfig.parse({"range_clamp": {}}, "test")
    stored = write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, stabilizers=config)
    assert np.abs(stored.read(slice(None), 5)).max() < 3
    change = stored.stabilizer_change
    assert change.dims == ("init", "lead_time", "corrected", "stabilizer")
    assert change.shape == (3, 6, 1, 1)
    assert (change.values > 0).all()
    body = section(change, {"vorticity": 1.0}).body
    assert "Switched on: range clamp." in body
    assert "vorticity" in body


def test_a_resumed_stabilised_forecast_has_the_same_bytes(waves, tmp_path, monkeypatch):
    monkeypatch.setattr(Pace, "due", lambda _: True)
    request = {**REQUEST, "stabilizers": StabilizersConfig.parse(ALL, "test")}
    forecaster = tiny_forecaster(waves)
    whole = write_forecast(forecaster, waves, tmp_path / "whole.zarr", **request)
    assert whole.stabilizer_change["stabilizer"].values.tolist() == list(ALL)
    original, count = writer.write_lead, iter(range(100))

    def dying(*arguments):
        if next(count) == 4:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_lead", dying)
        with pytest.raises(KeyboardInterrupt):
            write_forecast(forecaster, waves, tmp_path / "cut.zarr", **request)
    write_forecast(forecaster, waves, tmp_path / "cut.zarr", **request, resume=True)
    assert files_below(tmp_path / "cut.zarr") == files_below(whole.path)


def test_a_variable_that_is_not_there_is_refused(waves):
    config = StabilizersConfig.parse({"mean_conservation": {"variables": ["mass"]}}, "test")
    with pytest.raises(UserError, match=r"variables \['mass'\] are needed but not there"):
        config.build(waves, waves.variables)


def test_an_unknown_stabiliser_is_refused():
    with pytest.raises(UserError, match="unknown key 'range_clam'; did you mean 'range_clamp'"):
        StabilizersConfig.parse({"range_clam": {}}, "the recipe")


# --- means that follow the season


@pytest.fixture(scope="module")
def a_year(tmp_path_factory):
    """A year of random days with a mean that follows the season."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(366) * np.timedelta64(1, "D")
    return daily_store(tmp_path_factory.mktemp("year") / "a.zarr", times, season=10.0)


@pytest.mark.parametrize(("over", "dims"), [("area", (-2, -1)), ("rows", (-1,))])
def test_means_follow_the_season(a_year, over, dims):
    forecaster = tiny_forecaster(a_year)
    config = StabilizersConfig(mean_of_season={"variables": ["temperature"], "over": over})
    (season,) = config.build(a_year, forecaster.prognostic)
    times = a_year.times[[10, 190]]
    weights = torch.from_numpy(a_year.grid.cell_area_weights)[None]
    fields = 300 + torch.randn(2, 1, *a_year.grid.shape)
    new = season(fields, times, weights, torch.zeros(2, 1))
    cycle = torch.from_numpy(fit_climatology(a_year, ["temperature"]).at(times))

    def mean(values):
        return (values * weights).sum(dims) / weights.sum(dims)

    torch.testing.assert_close(mean(new.double()), mean(cycle), atol=1e-3, rtol=0)
    # What is left of the field is its departure from the mean that was wrong.
    moved = (new - fields).double()
    assert (moved - moved.mean(dims, keepdim=True)).abs().max() < 1e-3
    slow = StabilizersConfig(
        mean_of_season={"variables": ["temperature"], "over": over, "steps": 10.0}
    ).build(a_year, forecaster.prognostic)[0]
    part = slow(fields, times, weights, torch.zeros(2, 1)) - fields
    torch.testing.assert_close(part, (1 - np.exp(-0.1)) * (new - fields), atol=1e-3, rtol=1e-3)


def test_a_season_that_is_not_known_is_refused(tmp_path):
    times = np.datetime64("2001-01-01", "ns") + np.arange(100) * np.timedelta64(1, "D")
    store = daily_store(tmp_path / "a.zarr", times)
    config = StabilizersConfig(mean_of_season={"variables": ["temperature"]})
    with pytest.raises(
        UserError, match="has less than a year of training data, so that its season is not known"
    ):
        config.build(store, tiny_forecaster(store).prognostic)
