"""Forecasts of models with noise channels: members without a perturbation, bits that batches do not change."""

import numpy as np
import pytest

from tests.builders import tiny_forecaster
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.storage.restart import Restart
from triton_earth.rollout.storage.writer import write_forecast

REQUEST = {
    "trajectories": [4, 5],
    "starts": [0, 2],
    "steps": 5,
    "provenance": {"model": "triton", "model_hash": "a"},
}


@pytest.fixture(scope="module")
def model(waves):
    """A tiny stochastic forecaster."""
    return tiny_forecaster(waves, noise={"scales": [1, 4]})


def fields(model, store, path, **options):
    ensemble = EnsembleConfig(members=options.pop("members", 3), seed=options.pop("seed", 0))
    written = write_forecast(model, store, path, ensemble=ensemble, **{**REQUEST, **options})
    inits = slice(0, len(written.init_times))
    return np.stack([written.read_members(inits, lead) for lead in range(5)])


def test_members_differ_without_a_perturbation(model, waves, tmp_path):
    found = fields(model, waves, tmp_path / "a.zarr")
    spread = found.std(axis=2).mean(axis=(1, 2, 3, 4))
    assert (spread > 0).all()
    assert spread[-1] > spread[0]


def test_bits_depend_on_seed_start_member_and_step_alone(model, waves, tmp_path):
    whole = fields(model, waves, tmp_path / "a.zarr", batch_size=6)
    small = fields(model, waves, tmp_path / "b.zarr", batch_size=1)
    assert whole.tobytes() == small.tobytes()
    one = fields(model, waves, tmp_path / "c.zarr", trajectories=[5], starts=[2], members=2)
    np.testing.assert_array_equal(one[:, 0], whole[:, 1, :2])
    other = fields(model, waves, tmp_path / "d.zarr", seed=1)
    assert not np.array_equal(other, whole)


def test_a_resumed_forecast_has_the_same_bits(model, waves, tmp_path, monkeypatch):
    whole = fields(model, waves, tmp_path / "a.zarr", batch_size=6)
    monkeypatch.setattr("triton_earth.rollout.storage.restart.COST", 1e9)
    written = Restart.write

    def dying(self, folder):
        written(self, folder)
        if self.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Restart, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        fields(model, waves, tmp_path / "b.zarr", batch_size=6)
    monkeypatch.setattr(Restart, "write", written)
    again = fields(model, waves, tmp_path / "b.zarr", batch_size=6, resume=True)
    assert whole.tobytes() == again.tobytes()


def test_auto_is_noise_for_a_model_without_noise_channels(model, waves):
    auto = EnsembleConfig(members=2)
    assert auto.for_model(model).perturb == "none"
    assert auto.for_model(tiny_forecaster(waves)).perturb == "noise"
    assert EnsembleConfig(members=2, perturb="bred").for_model(model).perturb == "bred"
