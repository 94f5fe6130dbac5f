"""Training with the real compiler, in a process of its own: the checks of array shapes in tests cannot be compiled."""

import csv

import pytest

from tests.builders import TINY_RECIPE
from tests.integration.test_killed import finish

pytestmark = pytest.mark.slow


def test_a_compiled_network_learns_the_same(tiny_store, tmp_path):
    """Losses to a thousandth: only the rounding differs."""
    losses = []
    for wanted in ("false", "true"):
        out = tmp_path / wanted
        recipe = [*TINY_RECIPE, "model.network.drop_path=0.0", "train.noise=0", "train.horizon=2"]
        words = ["train", "turbulence_small", tiny_store, *recipe, f"train.compile={wanted}"]
        finish(*words, "--out", out)
        with (out / "log.csv").open(newline="", encoding="utf-8") as stream:
            losses.append([float(row["loss"]) for row in csv.DictReader(stream)])
    assert len(losses[0]) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
