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


def start(*words, cwd=None):
    return subprocess.Popen(
        [sys.executable, "-m", "triton_earth", "-q", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=cwd,
    )


def finish(*words, cwd=None):
    assert start(*words, cwd=cwd).wait() == 0


@pytest.fixture
def folders(tmp_path):
    """Two folders in which commands have the same words, and their outputs the same provenance and seals."""
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    return tmp_path / "whole", tmp_path / "cut"


def kill_when(process, reached):
    """Kill the process as soon as it has come far enough, and say whether it was still at work."""
    while process.poll() is None and not reached():
        time.sleep(0.002)
    time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def assert_goes_on(folders, words, begun, files):
    """Kill a command as soon as a folder of its output has so many files, go on, and compare all files."""
    whole, cut = folders
    finish(*words, "--out", "out.zarr", cwd=whole)
    place = cut / "out.zarr.partial" / begun
    assert kill_when(
        start(*words, "--out", "out.zarr", cwd=cut),
        lambda: place.exists() and len(os.listdir(place)) > files,
    )
    assert not (cut / "out.zarr").exists()
    finish(*words, "--out", "out.zarr", "--resume", cwd=cut)
    one, other = files_below(whole), files_below(cut)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == other[name], name


def test_prepare_goes_on_after_a_kill(folders):
    words = ["prepare", "turbulence_small", *LONGER, "data.batch_size=1"]
    assert_goes_on(folders, words, "state/c", 9)


def test_forecast_goes_on_after_a_kill(folders, tiny_run, tiny_store):
    words = ["forecast", tiny_run, tiny_store, "--steps", 400, "--batch-size", 1]
    assert_goes_on(folders, words, "vorticity/c/0", 99)


@pytest.mark.parametrize("how", [["--mean-and-spread"], ["--perturb", "bred"]])
def test_an_ensemble_goes_on_after_a_kill(how, folders, tiny_run, tiny_store):
    latest = TrainingStore.open(tiny_store).times[-1]
    how = [*how, "--members", 3, "--init", latest, "--batch-size", 2, "--steps", 200]
    assert_goes_on(folders, ["forecast", tiny_run, tiny_store, *how], "vorticity/c/0/0", 99)
    assert ForecastStore.open(folders[1] / "out.zarr").members == 3


def test_train_goes_on_after_a_kill(tmp_path, tiny_store):
    recipe = [*TINY_RECIPE, "train.steps=90", "train.validate_every=10"]
    words = ["train", "turbulence_small", tiny_store, *recipe, "--out"]
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
