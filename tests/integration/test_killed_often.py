"""A training run that is killed twenty times at random moments ends with the bits of one that never was."""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.builders import TINY_RECIPE
from tests.integration.test_killed import finish, start
from triton_earth.core.exit_codes import REQUEUE
from triton_earth.training.checkpoint import NAME, read_training_state

pytestmark = pytest.mark.slow

KILLS = 20
LONG = [
    *TINY_RECIPE,
    "train.steps=600",
    "train.validate_every=7",
    "train.noise=0.1",
    "train.validation_leads=[1, 3]",
    "train.curriculum=[{from_step: 0, horizon: 1}, {from_step: 100, horizon: 2}]",
]


def words(store, out, recipe=LONG):
    return ["train", "turbulence_small", store, *recipe, "--out", out]


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def assert_same_run(whole, cut):
    weights = [run / "forecaster" / "weights.safetensors" for run in (whole, cut)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert same(*(read_training_state(run / NAME) for run in (whole, cut)))
    for name in ("losses.csv", "validation.csv"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()
    logs = [
        [line.rsplit(",", 1)[0] for line in (run / "log.csv").read_text().splitlines()]
        for run in (whole, cut)
    ]
    assert logs[0] == logs[1]
    assert sorted(path.name for path in whole.iterdir()) == sorted(
        path.name for path in cut.iterdir()
    )


def test_twenty_kills_change_no_bit(tmp_path, tiny_store):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finish(*words(tiny_store, whole))
    moments = random.Random(0)
    kills = 0
    while kills < KILLS:
        log = cut / "log.csv"
        before = log.stat().st_mtime_ns if log.exists() else 0
        process = start(*words(tiny_store, cut), *(["--resume"] if cut.exists() else []))
        while process.poll() is None and not (log.exists() and log.stat().st_mtime_ns > before):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run is too short to be killed so often"
        kills += 1
    finish(*words(tiny_store, cut), "--resume")
    assert_same_run(whole, cut)


def test_a_request_to_stop_saves_and_says_so(tmp_path, tiny_store):
    recipe = [*TINY_RECIPE, "train.steps=400", "train.validate_every=100"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finish(*words(tiny_store, whole, recipe))
    process = subprocess.Popen(
        [sys.executable, "-m", "triton_earth", "-q", *map(str, words(tiny_store, cut, recipe))],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    log = cut / "log.csv"
    while not (log.exists() and log.read_text().count("\n") > 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, text = process.communicate(timeout=60)
    assert process.returncode == REQUEUE
    assert text.startswith("stopped by SIGTERM after step ")
    assert text.endswith("; the same command with --resume goes on.\n")
    finish(*words(tiny_store, cut, recipe), "--resume")
    assert same(*(read_training_state(run / NAME) for run in (whole, cut)))


def test_a_full_disk_is_one_clear_line(tmp_path, tiny_store):
    """A limit on the size of files stands for the full disk: the log still fits, the training state does not."""
    recipe = [*TINY_RECIPE, "train.steps=9"]
    limit = 40_000

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "triton_earth",
            "-q",
            *map(str, words(tiny_store, tmp_path / "run", recipe)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=small_files,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: {tmp_path / 'run' / 'training_state.pt.new'} cannot be written (File too large"
    )
    assert done.stderr.count("\n") == 1
    finish(*words(tiny_store, tmp_path / "run", recipe), "--resume")
    finish(*words(tiny_store, tmp_path / "whole", recipe))
    weights = [tmp_path / run / "forecaster" / "weights.safetensors" for run in ("run", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
