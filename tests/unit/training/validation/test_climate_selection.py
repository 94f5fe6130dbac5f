"""Weights that are kept for the climate of their runs."""

import copy
import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import daily_store, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training.config import TrainConfig
from triton_earth.training.loop import fit
from triton_earth.training.validation.climate_selection import ClimateSelection


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two hundred days for training, as many for validation, with forcings that end with them."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(200) * np.timedelta64(1, "D")
    folder = tmp_path_factory.mktemp("climate")
    return daily_store(folder / "a.zarr", times, sunshine=False, splits=("train", "valid"))


@pytest.fixture(scope="module")
def selection(store):
    return ClimateSelection.of(tiny_forecaster(store), store, 60, 3)


def test_runs_start_in_the_training_and_the_validation_split_alone(selection, store):
    assert selection.trajectories == [0, 0, 1]
    assert selection.starts[0] == 0
    assert selection.starts[-1] == 198


def test_a_broken_run_has_no_skill_and_the_score_is_repeatable(selection, store):
    forecaster = tiny_forecaster(store, prediction="state", noise={"scales": [1, 4]})
    one = replace(selection, trajectories=[0], starts=[0])
    first, second = one.score(forecaster), one.score(forecaster)
    assert first == second
    assert 0 < first <= 1
    with torch.no_grad():
        next(forecaster.network.parameters()).fill_(torch.nan)
    assert one.score(forecaster) == 1


@pytest.mark.slow
def test_training_keeps_the_weights_of_the_best_climate(store, tmp_path):
    config = TrainConfig(
        steps=4, batch_size=4, warmup_steps=1, validate_every=2, validation_windows=4,
        select_by="climate", climate_steps=60, climate_starts=1,
    )  # fmt: skip
    kept = []
    data = [
        ForecastDataset(store, Windows(store.segments(s), 2), 1, 1.0) for s in ("train", "valid")
    ]
    fit(
        tiny_forecaster(store), *data, config, 0, tmp_path,
        lambda forecaster, weights, scores: kept.append(scores["climate"]),
    )  # fmt: skip
    with (tmp_path / "log.csv").open() as stream:
        logged = [float(row["climate"]) for row in csv.DictReader(stream)]
    assert len(logged) == 2
    assert kept[-1] == min(logged)


def test_what_cannot_be_compared_is_refused(store, waves):
    with pytest.raises(UserError) as caught:
        ClimateSelection.of(tiny_forecaster(store), store, 40, 3)
    assert str(caught.value) == (
        "train.climate_steps=40: a run is judged by at least two windows of means, which are 60 steps. Raise it."
    )
    with pytest.raises(
        UserError, match=r"select_by=climate: the training split of .* is too short to be compared"
    ):
        ClimateSelection.of(tiny_forecaster(waves), short(waves), 40, 3)


def short(store):
    """A store whose training split is a single short trajectory."""
    part = copy.copy(store)
    part.split = store.split.copy()
    part.split[1:] = "valid"
    return part
