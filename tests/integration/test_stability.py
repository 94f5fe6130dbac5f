"""A tiny model runs 1,000 steps within stated bands, and failures planted in its rollout are caught and named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import wave_store
from triton_earth.rollout.guard.guard import Guard
from triton_earth.rollout.guard.stabilizers import Correction, StabilizersConfig
from triton_earth.rollout.guard.state_statistics import BULK
from triton_earth.rollout.guard.training_range import training_climate
from triton_earth.rollout.rollout import rollout
from triton_earth.workflow.train import train

RECIPE = [
    "model.network.widths=[8]",
    "model.network.upsampling=bilinear",
    "model.network.joining=concatenate",
    "model.network.temporal_hidden_dim=8",
    "model.network.num_temporal_layers=2",
    "model.network.drop_path=0",
    "train.batch_size=16",
    "train.steps=150",
    "train.warmup_steps=10",
    "train.validate_every=1000",
    "train.device=cpu",
]
STABILIZERS = {
    "spectral_filter": {"order": 8, "strength": 1.0},
    "mean_conservation": {"variables": ["vorticity"]},
}
PLANTED = 20


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Advected waves over a whole period."""
    return wave_store(tmp_path_factory.mktemp("stability") / "waves.zarr", times=64)


@pytest.fixture(scope="module")
def model(store, tmp_path_factory):
    """Trained for seconds."""
    return train(
        "turbulence_small", store.path, tmp_path_factory.mktemp("stability") / "run", RECIPE
    )


@pytest.fixture(scope="module")
def climate(store):
    return training_climate(store, store.variables)


def run(model, store, climate, steps, plant=None):
    """Return the guard, and mean and standard deviation of each state, of one stabilised rollout."""
    window = store.windows([4], [0], 1)
    built = StabilizersConfig.parse(STABILIZERS, "test").build(store, model.prognostic)
    correction = Correction(built, window, None)
    guard = Guard(climate, "record", window)
    step, before = 0, window

    def corrected(block):
        nonlocal step, before
        step, block = step + 1, correction(block)
        if plant is not None and step >= PLANTED:
            block = replace(block, data=plant(step, block.data.clone(), before.data))
        before = block
        return block

    with torch.inference_mode():
        states = rollout(model, window, None, steps, corrected)
        moments = [(float(one.data.mean()), float(one.data.std())) for one in guard.watch(states)]
    return guard, np.array(moments)


def test_a_thousand_steps_stay_within_their_bands(model, store, climate):
    guard, moments = run(model, store, climate, 1000)
    truth = store.read(4, slice(None))
    assert len(moments) == 1000
    assert np.abs(moments[:, 0]).max() < 0.02
    # Half to double the variance of the truth.
    ratio = (moments[:, 1] / truth.std()) ** 2
    assert 0.5 < ratio.min() <= ratio.max() < 2.0
    # The truth has two waves only: bands that it leaves empty are left by any trained model.
    assert [trip.describe() for trip in guard.trips if trip.statistic in BULK] == []


def nan(step, data, before):
    data[0, 0, 0, 2, 5] = torch.nan
    return data


def drift(step, data, before):
    return data + 0.01 * (step - PLANTED + 1)


def blow_up(step, data, before):
    y, x = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    waves = torch.from_numpy((-1.0) ** (y + x)).float()
    return data + 0.002 * 2.0 ** (step - PLANTED) * waves


def frozen(step, data, before):
    return before


@pytest.mark.parametrize(
    ("plant", "steps", "statistic", "latest", "cell", "scale"),
    [
        (nan, 1, "values that are not finite", PLANTED, (2, 5), None),
        (drift, 40, "mean", PLANTED + 39, None, None),
        (blow_up, 8, "variance at wavenumbers 3.5 to 6.5", PLANTED + 2, "any", "3.5 to 6.5"),
        (frozen, 1, "change per step", PLANTED, None, None),
    ],
    ids=["nan", "slow drift", "small-scale blow-up", "frozen field"],
)
def test_a_planted_failure_is_caught_and_named(
    model, store, climate, plant, steps, statistic, latest, cell, scale
):
    guard, _ = run(model, store, climate, PLANTED + steps - 1, plant)
    trip = next(trip for trip in guard.trips if trip.step >= PLANTED)
    assert (trip.init, trip.variable, trip.statistic) == (0, "vorticity", statistic)
    assert PLANTED <= trip.step <= latest
    assert cell == "any" or cell == (None if trip.y is None else (trip.y, trip.x))
    if plant in (drift, blow_up):
        assert trip.growth_rate > 0
    if scale is not None:
        assert trip.statistic.endswith(scale)
