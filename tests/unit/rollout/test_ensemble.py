"""Members: how far apart they start, that they do not depend on who is forecast with them, and how they are stored."""

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import files_below, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.physics.flow import enstrophy_spectrum
from triton_earth.rollout.ensemble import EnsembleConfig, InitialStates
from triton_earth.rollout.guard.guard import GuardConfig
from triton_earth.rollout.perturbation import increment_noise
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.rollout.stored_rows import boxes

ENSEMBLE = EnsembleConfig(members=3, seed=5)
REQUEST = {
    "trajectories": [4, 5],
    "starts": [0, 2],
    "steps": 4,
    "batch_size": 4,
    "ensemble": ENSEMBLE,
    "provenance": {"model": "triton", "model_hash": "a"},
}


def initial_states(forecaster, store, ensemble=ENSEMBLE):
    return InitialStates(forecaster, store, [4, 5], [0, 2], ensemble, store, torch.device("cpu"))


def test_noise_has_the_spectrum_of_increments(waves):
    """Advected waves have two waves only, of which the increments' variance is known."""
    lengths = (2 * np.pi, 2 * np.pi)
    draws = [increment_noise(waves, ["vorticity"], 2.0, [1, n]) for n in range(300)]
    found = enstrophy_spectrum(torch.from_numpy(np.stack(draws)), lengths).mean(dim=(0, 1))
    increments = np.concatenate([np.diff(waves.read(n, slice(None)), axis=0) for n in range(3)])
    expected = 4 * enstrophy_spectrum(torch.from_numpy(increments), lengths).mean(dim=(0, 1))
    torch.testing.assert_close(found, expected, rtol=0.15, atol=1e-6)


def test_noise_is_undefined_where_the_variable_is(weather):
    noise = increment_noise(weather, ["temperature"], 1.0, [0])
    np.testing.assert_array_equal(np.isfinite(noise), weather.valid_mask[:1])


def test_members_do_not_depend_on_the_rows_beside_them(weather):
    forecaster = tiny_forecaster(weather, history=2)
    initial = initial_states(forecaster, weather)
    together = initial.read(slice(0, 6))
    assert together.data.shape[:3] == (6, 2, 1)
    for row in range(6):
        alone = initial.read(slice(row, row + 1))
        np.testing.assert_array_equal(alone.data[0], together.data[row])
        np.testing.assert_array_equal(alone.valid_times[0], together.valid_times[row])
    truth = weather.windows([4, 5], [0, 2], 2).select(["temperature"]).data
    noise = together.data - truth.repeat_interleave(3, dim=0)
    torch.testing.assert_close(noise[:, 0], noise[:, 1], equal_nan=True, atol=1e-4, rtol=0)
    flat = noise[:, 0].nan_to_num().flatten(1)
    assert torch.unique(flat, dim=0).shape[0] == 6


def test_the_store_has_a_member_dimension(weather, tmp_path):
    forecaster = tiny_forecaster(weather)
    stored = write_forecast(forecaster, weather, tmp_path / "a.zarr", **REQUEST)
    assert stored.members == 3
    with xr.open_zarr(stored.path) as dataset:
        field = dataset["temperature"].load()
    assert field.dims == ("init", "member", "lead_time", "latitude", "longitude")
    assert field.shape == (2, 3, 4, 8, 8)
    np.testing.assert_array_equal(field["member"], [0, 1, 2])
    for row, (trajectory, start) in enumerate([(4, 0)] * 3 + [(5, 2)] * 3):
        initial = initial_states(forecaster, weather).read(slice(row, row + 1))
        forcings = [weather.windows([trajectory], [start + n], 1) for n in (1, 2, 3, 4)]
        with torch.no_grad():
            for lead, state in enumerate(rollout(forecaster, initial, forcings, 4)):
                found = field.values.reshape(6, 4, 8, 8)[row, lead]
                np.testing.assert_array_equal(found, state.data[0, 0, 0])
    members = stored.read_members(slice(0, 2), 3)
    assert members.shape == (2, 3, 1, 8, 8)
    np.testing.assert_allclose(stored.read(slice(0, 2), 3), members.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("leads", [2, 5, 7])
def test_a_resumed_ensemble_has_the_same_bytes(waves, tmp_path, monkeypatch, batch_size, leads):
    forecaster = tiny_forecaster(waves)
    request = {**REQUEST, "batch_size": batch_size, "guard": GuardConfig(policy="record")}
    whole = write_forecast(forecaster, waves, tmp_path / "whole.zarr", **request)
    assert {trip["member"] for trip in whole.guard["trips"]} == {0, 1, 2}
    original, count = writer.write_lead, iter(range(100))

    def dying(*arguments):
        if next(count) == leads:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_lead", dying)
        with pytest.raises(KeyboardInterrupt):
            write_forecast(forecaster, waves, tmp_path / "cut.zarr", **request)
    write_forecast(forecaster, waves, tmp_path / "cut.zarr", **request, resume=True)
    assert files_below(tmp_path / "cut.zarr") == files_below(whole.path)


@pytest.mark.parametrize("members", [1, 2, 3, 5])
def test_rows_fall_into_boxes(members):
    for start in range(2 * members):
        for stop in range(start + 1, 4 * members + 1):
            seen = []
            for inside, inits, chosen in boxes(slice(start, stop), members):
                rows = [
                    init * members + member
                    for init in range(inits.start, inits.stop)
                    for member in range(chosen.start, chosen.stop)
                ]
                assert rows == list(range(start + inside.start, start + inside.stop))
                seen += rows
            assert seen == list(range(start, stop))


def test_members_that_would_be_the_same_are_refused(waves, tmp_path):
    ensemble = EnsembleConfig(members=3, perturb="none")
    with pytest.raises(UserError, match="3 members without a perturbation are 3 times the same"):
        write_forecast(
            tiny_forecaster(waves),
            waves,
            tmp_path / "a.zarr",
            **{**REQUEST, "ensemble": ensemble},
        )
    assert list(tmp_path.iterdir()) == []


# --- bred vectors and dropped paths


def test_bred_vectors_have_the_size_asked_for_and_depend_on_the_model(waves):
    ensemble = EnsembleConfig(members=2, perturb="bred", perturb_size=0.3)
    states = []
    for seed in (0, 1):
        forecaster = tiny_forecaster(waves, seed=seed)
        initial = InitialStates(forecaster, waves, [4], [6], ensemble, waves, torch.device("cpu"))
        initial.require()
        states.append(initial.read(slice(0, 2)).data)
    truth = waves.windows([4], [6], 1).data
    increments = np.concatenate([np.diff(waves.read(n, slice(None)), axis=0) for n in range(3)])
    expected = 0.3 * np.sqrt((increments**2).mean())
    for state in states:
        found = (state - truth).square().mean(dim=(1, 2, 3, 4)).sqrt()
        np.testing.assert_allclose(found, expected, rtol=0.05)
    assert not torch.equal(*states)


def test_bred_vectors_need_times_to_grow(waves, tmp_path):
    request = {**REQUEST, "ensemble": EnsembleConfig(members=2, perturb="bred")}
    with pytest.raises(
        UserError, match=r"grow over 5 times before the initial states, but .* has 0"
    ):
        write_forecast(tiny_forecaster(waves), waves, tmp_path / "a.zarr", **request)


def test_dropped_paths_differ_by_member_and_step_and_not_by_batch(waves, tmp_path):
    ensemble = EnsembleConfig(members=3, perturb="none", drop_paths=True)
    stores = []
    for size in (1, 4):
        forecaster = tiny_forecaster(waves)
        for layer in forecaster.network.modules():
            if hasattr(layer, "probability"):
                layer.probability = 0.5
            if hasattr(layer, "attention_scale"):
                layer.attention_scale.data.fill_(1.0)
                layer.mlp_scale.data.fill_(1.0)
        request = {**REQUEST, "ensemble": ensemble, "batch_size": size}
        stores.append(write_forecast(forecaster, waves, tmp_path / f"{size}.zarr", **request))
        assert all(
            getattr(layer, "factors", None) is None for layer in forecaster.network.modules()
        )
    one, other = (store.read_members(slice(0, 2), 3) for store in stores)
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one.reshape(6, -1), axis=0)) > 3


def test_a_model_without_droppable_paths_is_refused(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    for layer in forecaster.network.modules():
        if hasattr(layer, "probability"):
            layer.probability = 0.0
    request = {**REQUEST, "ensemble": EnsembleConfig(members=2, drop_paths=True)}
    with pytest.raises(
        UserError, match="was trained without dropped paths; leave out --drop-paths"
    ):
        write_forecast(forecaster, waves, tmp_path / "a.zarr", **request)
