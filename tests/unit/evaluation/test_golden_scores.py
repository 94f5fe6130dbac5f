"""No score changes unnoticed: those of two small evaluations are what they were (tests/golden/scores)."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.golden.scores.scored import evaluated, numbers

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "scores" / "scores.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return {
        name: numbers(scores)
        for name, scores in evaluated(tmp_path_factory.mktemp("scores")).items()
    }


@pytest.mark.parametrize("name", GOLDEN)
def test_scores_are_what_they_were(found, name):
    assert found[name].keys() == GOLDEN[name].keys()
    changed = {
        score: (numbers_now, GOLDEN[name][score])
        for score, numbers_now in found[name].items()
        if not np.allclose(numbers_now, GOLDEN[name][score], rtol=1e-5, atol=1e-9)
    }
    assert changed == {}
