"""Two processes that share each batch: the weights of one process, and an end for all when one ends."""

import os
import random
import signal
import socket
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

from tests.builders import TINY_RECIPE
from triton_earth.core.exit_codes import LOST, REQUEUE
from triton_earth.training.checkpoint import NAME, read_training_state
from triton_earth.training.interruption import INTERRUPTED

pytestmark = pytest.mark.slow

LONGER = [*TINY_RECIPE, "train.steps=20", "train.noise=0.1"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def train_words(store, out, *recipe):
    words = ["train", "turbulence_small", store, *recipe, "--out", out]
    return list(map(str, words))


def alone(*words):
    command = [sys.executable, "-m", "triton_earth", "-q", *words]
    subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True)


def start_pair(*words, program=("-m", "triton_earth"), **environment):
    """Start two processes as srun would, with everything but the launcher."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "SLURM_NTASKS": "2"}
    return [
        subprocess.Popen(
            [sys.executable, *program, "-q", *words],
            env={**os.environ, **ONE_THREAD, **meeting, "SLURM_PROCID": str(rank), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def outcomes(pair, seconds=60):
    """Return exit code and error text of each; none may take longer than a minute."""
    texts = [process.communicate(timeout=seconds)[1] for process in pair]
    return [(process.returncode, text) for process, text in zip(pair, texts, strict=True)]


def weights(run):
    return safetensors.torch.load_file(run / "forecaster" / "weights.safetensors")


def log(run):
    return [line.rsplit(",", 1)[0] for line in (run / "log.csv").read_text().splitlines()]


def assert_equal_runs(one, other):
    assert log(one) == log(other)
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


def wait_for_rows(run, count):
    path = run / "log.csv"
    while not (path.exists() and path.read_text().count("\n") > count):
        time.sleep(0.01)


def test_torchrun_gives_the_bits_of_one_process_with_two_parts(tiny_store, tmp_path):
    """Noise and dropped paths included: they belong to a part of the batch, not to a process."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "triton_earth", "-q",
    ]  # fmt: skip
    words = train_words(tiny_store, tmp_path / "two", *LONGER)
    done = subprocess.run(
        [*command, *words], env={**os.environ, **ONE_THREAD}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"model: {tmp_path / 'two' / 'forecaster'}\n"
    alone(*train_words(tiny_store, tmp_path / "one", *LONGER, "train.accumulate=2"))
    assert log(tmp_path / "one") == log(tmp_path / "two")
    assert_equal_runs(tmp_path / "one", tmp_path / "two")


def require_alike(one, two):
    """Compare all weights but the biases that a group norm of single channels takes away again.

    Their gradient is rounding error, which Adam scales to steps of full size.
    """
    assert one.keys() == two.keys()
    compared = [
        name
        for name, tensor in one.items()
        if tensor.is_floating_point() and not name.endswith(("first.bias", "second.bias"))
    ]
    distance = sum((one[name] - two[name]).square().sum() for name in compared).sqrt()
    assert distance < 1e-5 * sum(one[name].square().sum() for name in compared).sqrt()


def test_two_processes_agree_with_one_at_equal_batch(tiny_store, tmp_path):
    """Only the order of summation differs: 1e-5 of losses, scores and the weights' norm after 20 steps."""
    recipe = [*TINY_RECIPE, "train.steps=20", "train.horizon=2"]
    recipe += ["model.network.drop_path=0.0", "train.noise=0.0"]
    assert outcomes(start_pair(*train_words(tiny_store, tmp_path / "two", *recipe))) == [
        (0, ""), (0, ""),
    ]  # fmt: skip
    alone(*train_words(tiny_store, tmp_path / "one", *recipe))
    require_alike(weights(tmp_path / "one"), weights(tmp_path / "two"))
    losses = [
        [float(line.split(",")[column]) for line in log(tmp_path / name)[1:] for column in (2, 5)]
        for name in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_everything_that_saves_memory_works_in_two_processes(tiny_store, tmp_path):
    """Steps computed again, gradients through the last ones, and parts: the losses of one process."""
    recipe = [*LONGER, "train.steps=10", "train.horizon=3", "train.gradient_steps=2"]
    recipe += ["train.recompute_steps=true"]
    words = train_words(tiny_store, tmp_path / "two", *recipe, "train.accumulate=2")
    assert outcomes(start_pair(*words), 120) == [(0, ""), (0, "")]
    alone(*train_words(tiny_store, tmp_path / "one", *recipe, "train.accumulate=4"))
    losses = [
        [float(line.split(",")[2]) for line in log(tmp_path / name)[1:]] for name in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_signal_to_one_process_saves_and_ends_both(tiny_store, tmp_path):
    recipe = [*LONGER, "train.steps=400", "train.validate_every=100"]
    words = train_words(tiny_store, tmp_path / "cut", *recipe)
    pair = start_pair(*words)
    wait_for_rows(tmp_path / "cut", 2)
    pair[1].send_signal(signal.SIGUSR1)
    (code, text), (other_code, other_text) = outcomes(pair)
    assert (code, other_code, other_text) == (REQUEUE, REQUEUE, "")
    assert text.startswith("stopped by another process after step ")
    assert text.endswith("; the same command with --resume goes on.\n")
    assert [code for code, _ in outcomes(start_pair(*words, "--resume"), 120)] == [0, 0]
    assert outcomes(start_pair(*train_words(tiny_store, tmp_path / "whole", *recipe)), 120) == [
        (0, ""), (0, ""),
    ]  # fmt: skip
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


SLOW_SAVE = """
import os, sys, time
from pathlib import Path
from triton_earth.training import checkpoint
folder, rank = Path(sys.argv.pop(1)), os.environ["RANK"]
(folder / f"pid{rank}").write_text(str(os.getpid()))
write = checkpoint.write_bytes
def slowly(path, content):
    time.sleep(3)
    write(path, content)
    (folder / "saved").write_text(str(time.time()))
checkpoint.write_bytes = slowly
from triton_earth.cli import main
try:
    main()
finally:
    (folder / f"end{rank}").write_text(str(time.time()))
"""


def test_under_torchrun_no_process_goes_before_everything_is_saved(tiny_store, tmp_path):
    """Else torchrun would end the one that writes. It hides the exit code: the run folder says how it ended."""
    (tmp_path / "program.py").write_text(SLOW_SAVE)
    words = train_words(
        tiny_store, tmp_path / "cut", *LONGER, "train.steps=400", "train.validate_every=400"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher = subprocess.Popen(
        [*torchrun, tmp_path / "program.py", tmp_path, "-q", *words],
        env={**os.environ, **ONE_THREAD},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_rows(tmp_path / "cut", 2)
    os.kill(int((tmp_path / "pid1").read_text()), signal.SIGTERM)
    _, text = launcher.communicate(timeout=100)
    assert launcher.returncode == 1
    assert "stopped by another process after step" in text
    saved, *ends = (float((tmp_path / name).read_text()) for name in ("saved", "end0", "end1"))
    assert min(ends) >= saved
    state = read_training_state(tmp_path / "cut" / NAME)
    assert (tmp_path / "cut" / INTERRUPTED).read_text() == (
        f"another process, step {state['step']}\n"
    )


def test_a_process_that_dies_ends_the_other_and_the_run_goes_on(tiny_store, tmp_path):
    recipe = [*LONGER, "train.steps=400", "train.validate_every=10"]
    words = train_words(tiny_store, tmp_path / "cut", *recipe)
    pair = start_pair(*words)
    wait_for_rows(tmp_path / "cut", 4)
    pair[1].kill()
    (code, text), _ = outcomes(pair)
    assert code not in (0, REQUEUE)
    assert text.startswith("error: another of the 2 processes has ended")
    assert text.count("\n") == 1
    assert [code for code, _ in outcomes(start_pair(*words, "--resume"), 120)] == [0, 0]
    alone(*train_words(tiny_store, tmp_path / "whole", *recipe, "train.accumulate=2"))
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_one_process_ends_both_within_a_minute(tiny_store, tmp_path, failing):
    program = f"""
import os
from triton_earth.cli import main
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
batch, calls = ForecastDataset.batch, []
def broken(self, *which):
    calls.append(which)
    if len(calls) == 12 and os.environ["SLURM_PROCID"] == "{failing}":
        raise UserError("the disk is gone")
    return batch(self, *which)
ForecastDataset.batch = broken
main()
"""
    words = train_words(tiny_store, tmp_path / "run", *LONGER, "train.steps=400")
    found = outcomes(start_pair(*words, program=("-c", program)))
    of_process = f" of process {failing}" if failing else ""
    assert found[failing] == (2, f"error{of_process}: the disk is gone\n")
    code, text = found[1 - failing]
    assert code == LOST
    assert text.startswith("error: another of the 2 processes has ended")


BROKEN = """
import os, sys, time
from triton_earth.cli import main
from triton_earth.data.dataset import ForecastDataset
if os.environ["SLURM_PROCID"] == "1":
    {}
main()
"""


def test_a_recipe_that_is_missing_on_one_machine_ends_all(tiny_store, tmp_path):
    program = BROKEN.format("sys.argv[3] = 'gone.yaml'")
    words = train_words(tiny_store, tmp_path / "run", *LONGER)
    (code, text), other = outcomes(start_pair(*words, program=("-c", program)))
    assert other[0] == 2
    assert other[1].startswith("error of process 1: gone.yaml: no such file")
    assert code == LOST
    assert text.startswith("error: another of the 2 processes has ended")
    assert not (tmp_path / "run").exists()


def test_a_process_that_never_comes_is_not_waited_for(tiny_store, tmp_path):
    program = BROKEN.format("sys.exit(3)")
    words = train_words(tiny_store, tmp_path / "run", *LONGER)
    pair = start_pair(*words, program=("-c", program), TRITON_EARTH_JOIN_SECONDS="5")
    (code, text), other = outcomes(pair)
    assert (code, other) == (LOST, (3, ""))
    assert text.splitlines()[-1].startswith("error: not all of the 2 processes met at 127.0.0.1:")
    assert "within 5 seconds (TRITON_EARTH_JOIN_SECONDS)" in text


def test_a_process_that_hangs_is_not_waited_for(tiny_store, tmp_path):
    program = BROKEN.format("ForecastDataset.batch = lambda *_: time.sleep(40)")
    words = train_words(tiny_store, tmp_path / "run", *LONGER)
    pair = start_pair(*words, program=("-c", program), TRITON_EARTH_WAIT_MINUTES="0.1")
    text = pair[0].communicate(timeout=60)[1]
    pair[1].kill()
    outcomes(pair[1:])
    assert pair[0].returncode == LOST
    assert "has not answered for 0.1 minutes (TRITON_EARTH_WAIT_MINUTES)" in text


def test_a_few_kills_of_two_processes_change_no_bit(tiny_store, tmp_path):
    recipe = [*LONGER, "train.steps=300", "train.validate_every=7", "train.validation_leads=[1, 3]"]
    words = train_words(tiny_store, tmp_path / "cut", *recipe)
    moments = random.Random(1)
    log_file = tmp_path / "cut" / "log.csv"
    for _ in range(4):
        before = log_file.stat().st_mtime_ns if log_file.exists() else 0
        pair = start_pair(*words, "--resume")
        while not (log_file.exists() and log_file.stat().st_mtime_ns > before):
            time.sleep(0.005)
            assert pair[0].poll() is None
        time.sleep(moments.uniform(0, 0.5))
        pair[moments.randrange(2)].kill()
        for process in pair:
            process.kill()
        outcomes(pair)
    assert [code for code, _ in outcomes(start_pair(*words, "--resume"), 300)] == [0, 0]
    alone(*train_words(tiny_store, tmp_path / "whole", *recipe, "train.accumulate=2"))
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    for name in ("losses.csv", "validation.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_what_the_main_process_refuses_ends_both(tiny_store, tmp_path):
    (tmp_path / "run").mkdir()
    (code, text), (other_code, other_text) = outcomes(
        start_pair(*train_words(tiny_store, tmp_path / "run", *LONGER))
    )
    assert (code, other_code, other_text) == (2, 2, "")
    assert text.startswith(f"error: {tmp_path / 'run'} exists already.")


def test_a_batch_that_cannot_be_shared_ends_both(tiny_store, tmp_path):
    words = train_words(tiny_store, tmp_path / "run", *LONGER, "train.batch_size=5")
    found = outcomes(start_pair(*words))
    assert [code for code, _ in found] == [2, 2]
    assert found[0][1] == (
        "error: train.batch_size=5 cannot be shared by 2 processes with train.accumulate=1; take a multiple of 2.\n"
    )
    assert not (tmp_path / "run").exists()


def test_sharded_training_agrees_with_whole_weights(tiny_store, tmp_path):
    """Same losses, scores and weights to rounding; and a run that is resumed goes on with the same bits."""
    recipe = [*LONGER, "train.horizon=2", "train.precision=float32", "train.validate_every=5"]
    for name, extra in (("ddp", []), ("fsdp", ["train.parallel=fsdp"])):
        words = train_words(tiny_store, tmp_path / name, *recipe, *extra)
        assert outcomes(start_pair(*words), 120) == [(0, ""), (0, "")]
    require_alike(weights(tmp_path / "ddp"), weights(tmp_path / "fsdp"))
    words = train_words(tiny_store, tmp_path / "resumed", *recipe, "train.parallel=fsdp")
    pair = start_pair(*words)
    wait_for_rows(tmp_path / "resumed", 2)
    for process in pair:
        process.kill()
    outcomes(pair)
    assert outcomes(start_pair(*words, "--resume"), 120) == [(0, ""), (0, "")]
    assert_equal_runs(tmp_path / "fsdp", tmp_path / "resumed")
