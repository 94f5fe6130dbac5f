"""Stages of a curriculum: horizons that are drawn, losses, noise and members that change within a run."""

from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
import torch

from tests.builders import tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training.config import TrainConfig
from triton_earth.training.interruption import Interrupted, Request
from triton_earth.training.loop import fit
from triton_earth.training.optimization.curriculum import Stage, horizon_at
from triton_earth.training.step import TrainingStep
from triton_earth.workflow.recipes.recipe import load_recipe

STAGES = (
    {"from_step": 0, "horizon": {1: 0.5, 2: 0.5}},
    {
        "from_step": 3,
        "horizon": 1,
        "loss": {"crps": 0.9, "energy": 0.1},
        "members": 2,
        "noise": 0.2,
    },
)


def stochastic(store):
    """A tiny forecaster with noise channels."""
    return tiny_forecaster(store, noise={"scales": [1, 4]})


def test_a_stage_says_what_differs_from_the_run():
    config = TrainConfig(steps=10, curriculum=STAGES, noise=0.1, loss="mae")
    early, late = config.at(2), config.at(3)
    assert (early.loss, early.noise, early.members) == ({"mae": 1.0}, 0.1, 1)
    assert (late.loss, late.noise, late.members) == ({"crps": 0.9, "energy": 0.1}, 0.2, 2)
    assert config.longest_horizon == 2
    assert config.stages[0].mean == 1.5


def test_drawn_horizons_depend_on_seed_and_step_alone():
    stages = (Stage(from_step=0, horizon={1: 0.6, 2: 0.3, 4: 0.1}),)
    drawn = [horizon_at(stages, step, seed=1) for step in range(600)]
    assert drawn == [horizon_at(stages, step, seed=1) for step in range(600)]
    assert drawn != [horizon_at(stages, step, seed=2) for step in range(600)]
    counts = Counter(drawn)
    shares = [counts[horizon] / 600 for horizon in (1, 2, 4)]
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.06)


def test_members_of_a_window_have_the_same_history_and_their_own_noise(waves):
    forecaster = stochastic(waves)
    forecaster.network.train()
    history, truth = ForecastDataset(waves, Windows(waves.segments("train"), 2), 1, 1.0).batch(
        [0, 5]
    )
    config = TrainConfig(loss="crps", members=3)
    loss, ((lead, state),) = TrainingStep(forecaster, config)(history, truth)
    assert lead == 0
    assert state.data.shape[0] == 6
    assert not torch.equal(state.data[0], state.data[1])
    assert loss.isfinite()


def test_a_resumed_run_draws_the_same(waves, tmp_path):
    config = TrainConfig(
        steps=6, batch_size=4, curriculum=STAGES, accumulate=2, validate_every=2,
        recompute_steps=True, select_by="validation_crps", warmup_steps=1,
    )  # fmt: skip

    def train(folder, steps_before=None):
        forecaster, kept = stochastic(waves), []
        data = ForecastDataset(waves, Windows(waves.segments("train"), 3), 1, 1.0)
        valid = ForecastDataset(waves, Windows(waves.segments("valid"), 2), 1, 1.0)
        folder.mkdir(exist_ok=True)
        for stop in [steps_before, None] if steps_before else [None]:
            request = None if stop is None else AfterSteps(stop)
            forecaster = stochastic(waves)
            with suppress(Interrupted):
                fit(
                    forecaster, data, valid, config, 7, folder,
                    lambda trained, weights, scores: kept.append(scores["validation_crps"]),
                    request=request,
                )  # fmt: skip
        return forecaster.network.state_dict(), kept

    whole, scores = train(tmp_path / "whole")
    parts, _ = train(tmp_path / "parts", steps_before=4)
    assert scores
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


class AfterSteps(Request):
    """A request to stop that comes after some looks at it."""

    def __init__(self, steps):
        self.left = steps

    @property
    def name(self):
        self.left -= 1
        return "SIGTERM" if self.left < 0 else ""


def test_members_need_noise_channels():
    tiny = ["train.members=2", "train.loss=crps"]
    with pytest.raises(UserError) as caught:
        load_recipe("turbulence_small", tiny)
    assert str(caught.value) == (
        "turbulence_small: train.members=2: without noise channels all members of a window are alike. Add "
        "model.noise={}, or leave out members and the losses of ensembles."
    )
    with pytest.raises(
        UserError, match=r"train.select_by=validation_crps is for models with noise"
    ):
        load_recipe("turbulence_small", ["train.select_by=validation_crps"])
    assert load_recipe("turbulence_small", [*tiny, "model.noise={}"]).train.most_members == 2
