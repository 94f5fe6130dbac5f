"""The learning-rate range finder, on a network of one weight and through the command line."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.builders import TINY_RECIPE, ScaledSum, tiny_forecaster
from triton_earth.cli import app
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.rate_finder import RateScan, scan_rates

CONFIG = TrainConfig(batch_size=4, weight_decay=0.0)


def scan(store, steps=60):
    forecaster = tiny_forecaster(store)
    forecaster.network = ScaledSum(1.0)
    training = ForecastDataset(store, Windows(store.segments("train"), 2), 1, 1.0)
    return forecaster, scan_rates(forecaster, training, CONFIG, 0, steps)


def test_rates_rise_geometrically_and_the_weights_stay(waves):
    forecaster, found = scan(waves)
    ratios = np.diff(np.log(found.rates))
    np.testing.assert_allclose(ratios, np.log(1e6) / 59)
    assert found.rates[0] == 1e-6
    assert forecaster.network.factor.item() == 1.0
    assert found == scan(waves)[1]


def test_the_loss_falls_before_it_rises(waves):
    _, found = scan(waves)
    lowest = found.losses.index(min(found.losses))
    assert found.losses[lowest] < 0.9 * found.losses[0]
    # A weight at 1 whose best value is near 0 gets there with steps of about a tenth.
    assert 1e-3 < found.suggested < 0.1
    assert found.suggested == pytest.approx(0.1 * found.rates[lowest])


def test_the_suggestion_is_a_tenth_of_the_best():
    assert RateScan((1e-4, 1e-3, 1e-2), (2.0, 1.0, 3.0)).suggested == pytest.approx(1e-4)


def test_the_scan_ends_when_the_loss_is_no_number(waves, monkeypatch):
    original, calls = ScaledSum.forward, []

    def broken(self, x):
        calls.append(1)
        return original(self, x) * (torch.nan if len(calls) > 5 else 1.0)

    monkeypatch.setattr(ScaledSum, "forward", broken)
    assert len(scan(waves)[1].rates) == 5


def test_the_command(tiny_store, monkeypatch):
    monkeypatch.setattr(
        "triton_earth.workflow.running.find_rate.scan_rates", lambda *_: RateScan((2e-2,), (1.0,))
    )
    words = ["plan", "turbulence_small", *TINY_RECIPE, "--find-rate"]
    done = CliRunner().invoke(app, [*words, "--store", str(tiny_store)])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].split() == ["train.learning_rate,", "try", "2.0e-03"]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, UserError)
    assert (
        str(refused.exception) == "--find-rate trains a little and needs data: add --store STORE."
    )
