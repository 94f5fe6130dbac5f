"""A process that is killed outright, and goes on: the same bytes as without."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.builders import TINY_RECIPE, files_below
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.rollout.storage.forecast_store import ForecastStore

pytestmark = pytest.mark.slow

LONGER = [*TINY_RECIPE, "data.source.snapshots=60", "data.splits={train: 24, valid: 2, test: 2}"]


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "triton_earth", "-q", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(*words):
    assert start(*words).wait() == 0


def kill_when(process, reached):
    """Kill the process as soon as it has come far enough, and say whether it was still at work."""
    while process.poll() is None and not reached():
        time.sleep(0.002)
    time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_prepare_goes_on_after_a_kill(tmp_path):
    # The same path and therefore the same provenance, in two folders.
    words = ["prepare", "turbulence_small", *LONGER, "data.batch_size=1", "--out"]
    whole, cut = tmp_path / "whole.zarr", tmp_path / "cut.zarr"
    finish(*words, whole)
    fields = cut.with_name("cut.zarr.partial") / "state" / "c"
    assert kill_when(
        start(*words, cut), lambda: fields.exists() and len(list(fields.iterdir())) > 9
    )
    assert not cut.exists()
    finish(*words, cut, "--resume")
    assert_same_but_for_the_path(whole, cut)


def test_forecast_goes_on_after_a_kill(tmp_path, tiny_run, tiny_store):
    words = ["forecast", tiny_run, tiny_store, "--steps", 400, "--batch-size", 1, "--out"]
    whole, cut = tmp_path / "whole.zarr", tmp_path / "cut.zarr"
    finish(*words, whole)
    leads = cut.with_name("cut.zarr.partial") / "vorticity" / "c" / "0"
    assert kill_when(start(*words, cut), lambda: leads.exists() and len(list(leads.iterdir())) > 99)
    assert not cut.exists()
    finish(*words, cut, "--resume")
    assert_same_but_for_the_path(whole, cut)


@pytest.mark.parametrize("how", [["--mean-and-spread"], ["--perturb", "bred"]])
def test_an_ensemble_goes_on_after_a_kill(how, tmp_path, tiny_run, tiny_store):
    latest = TrainingStore.open(tiny_store).times[-1]
    how = [*how, "--members", 3, "--init", latest, "--batch-size", 2, "--steps", 200]
    words = ["forecast", tiny_run, tiny_store, *how, "--out"]
    whole, cut = tmp_path / "whole.zarr", tmp_path / "cut.zarr"
    finish(*words, whole)
    leads = cut.with_name("cut.zarr.partial") / "vorticity" / "c" / "0" / "0"
    assert kill_when(start(*words, cut), lambda: leads.exists() and len(os.listdir(leads)) > 99)
    assert not cut.exists()
    finish(*words, cut, "--resume")
    assert ForecastStore.open(cut).members == 3
    assert_same_but_for_the_path(whole, cut)


def test_train_goes_on_after_a_kill(tmp_path, tiny_store):
    recipe = [*TINY_RECIPE, "train.steps=90", "train.validate_every=10"]
    words = ["train", "turbulence_small", *recipe, "--store", tiny_store, "--out"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finish(*words, whole)
    log = cut / "log.csv"
    assert kill_when(start(*words, cut), lambda: log.exists() and log.read_text().count("\n") > 4)
    finish(*words, cut, "--resume")
    weights = [folder / "forecaster" / "weights.safetensors" for folder in (whole, cut)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    rows = [
        [line.rsplit(",", 1)[0] for line in (folder / "log.csv").read_text().splitlines()]
        for folder in (whole, cut)
    ]
    assert rows[0] == rows[1]


def assert_same_but_for_the_path(whole, cut):
    one, other = files_below(whole), files_below(cut)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].replace(b"whole.zarr", b"cut.zarr") == other[name], name
