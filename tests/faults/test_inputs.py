"""Damaged and hostile inputs from a seeded generator: refused in one line, or taken without any change.

`FAULTS_SEED` and `FAULTS_INPUTS` choose others and more of them; `make faults` tries 1000.
"""

import logging
import os
import random
import shutil
import sys

import numpy as np
import pytest

from tests.builders import TINY_RECIPE, files_below
from triton_earth.cli import main
from triton_earth.rollout.storage.forecast_store import ForecastStore

SEED = int(os.environ.get("FAULTS_SEED", "0"))
INPUTS = int(os.environ.get("FAULTS_INPUTS", "12"))
VALUES = (
    "1e300", "-1", "0", ".inf", ".nan", "9" * 30, "9" * 5000, "[" * 500, "{", "null", "''", "../..", "2001-99-99",
    "&a [*a]", "!!python/name:os.system", "\u2028", "1e-300", "true", "[[1]]", "{a: 1}", "x" * 300, "1000000000000",
)  # fmt: skip
KEYS = (
    "title", "seed", "data.splits.train", "data.source.snapshots", "data.source.time_step", "data.source.warm_up",
    "data.source.grid", "data.source.seed", "data.batch_size", "model.network.spatial_hidden_dim",
    "model.network.num_spatial_layers", "model.history", "train.steps", "train.batch_size", "train.noise",
    "train.learning_rate", "train.loss", "train.curriculum", "train.memory_gb", "forecast.steps", "data.source.kind",
)  # fmt: skip
OPTIONS = {
    "--steps": ("0", "-1", "1000000000000", "x", "1e9"),
    "--members": ("0", "1000000000", "-3"),
    "--leads": ("1..1000000000000", "0", "5..1", "," * 50, "1/0"),
    "--perturb-size": ("inf", "nan", "1e300", "-1"),
    "--seed": ("-1", "9" * 30, "9" * 19),
    "--init": ("..", "9999999", "2001-99-99", "", "1..2..3"),
    "--region": ("1:2", "nan:nan,nan:nan", "x" * 300),
    "--variables": ("*", "nothing", "a" * 400, "["),
    "--out": ("gs://bucket/x", "x" * 300, "hf:a/b", "s3://a/b"),
}


def damaged(folder, chance):
    """Damage one file below a folder, in one of several ways, and say which and how."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    how = chance.choice(["flip", "cut", "empty", "lose", "noise", "digit"])
    if how == "flip" and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del content[chance.randrange(len(content) + 1) :]
    elif how == "empty":
        content.clear()
    elif how == "noise":
        content[:] = chance.randbytes(len(content))
    elif how == "digit":
        digits = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
        if digits:
            content[chance.choice(digits)] = 48 + chance.randrange(10)
    path.unlink()
    if how != "lose":
        path.write_bytes(content)
    return path, how


@pytest.fixture
def say(monkeypatch, capsys):
    def run(*words):
        root, ours = logging.getLogger(), logging.getLogger("triton_earth")
        handlers, level = root.handlers, ours.level
        root.handlers = []
        monkeypatch.setattr(sys, "argv", ["triton-earth", "-q", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            root.handlers = handlers
            ours.setLevel(level)
        return code, capsys.readouterr().err

    return run


def assert_clear(code, said):
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    assert code != 2 or said.splitlines()[-1].startswith("error: "), said


@pytest.mark.parametrize("number", range(INPUTS))
def test_hostile_inputs(say, tmp_path, tiny_store, tiny_run, tiny_forecast, number):
    chance = random.Random(10_000 * SEED + number)
    case = chance.choice(["recipe", "option", "store", "run", "forecast", "forecaster"])
    out = tmp_path / "out"
    if case == "recipe":
        override = f"{chance.choice(KEYS)}={chance.choice(VALUES)}"
        words = ["prepare", "turbulence_small", *TINY_RECIPE, override, "--out", out]
        if chance.random() < 0.5:
            words = ["plan", "turbulence_small", *TINY_RECIPE, override]
    elif case == "option":
        name = chance.choice(sorted(OPTIONS))
        value = chance.choice(OPTIONS[name])
        words = ["forecast", tiny_run, tiny_store, "--out", out, f"{name}={value}"]
    elif case == "store":
        copy = shutil.copytree(tiny_store, tmp_path / "copy.zarr")
        damaged(copy, chance)
        words = chance.choice([["inspect", copy], ["forecast", tiny_run, copy, "--out", out]])
    elif case == "run":
        copy = shutil.copytree(tiny_run, tmp_path / "copy")
        damaged(copy, chance)
        words = ["train", "turbulence_small", *TINY_RECIPE, "--store", tiny_store, "--out", copy]
        words.append("--resume")
    elif case == "forecast":
        copy = shutil.copytree(tiny_forecast, tmp_path / "copy.zarr")
        damaged(copy, chance)
        words = ["evaluate", copy, tiny_store, "--resamples", 5, "--out", out]
    else:
        copy = shutil.copytree(tiny_run / "forecaster", tmp_path / "copy")
        damaged(copy, chance)
        words = ["forecast", copy, tiny_store, "--out", out]
    before = files_below(tmp_path)
    code, said = say(*words)
    assert_clear(code, said)
    if code == 2 and case != "run":
        assert files_below(tmp_path) == before, said
    if code == 0 and words[0] == "forecast" and case in ("store", "forecaster"):
        made, whole = (ForecastStore.open(path) for path in (out, tiny_forecast))
        for lead in range(len(whole.lead_times)):
            np.testing.assert_array_equal(
                made.read(slice(None), lead), whole.read(slice(None), lead)
            )
