"""Commands in child processes that can be killed before a random operation on the file system."""

import os
import signal
import subprocess
import sys

from tests.builders import TINY_RECIPE

RECIPE = [*TINY_RECIPE, "data.batch_size=1", "train.steps=40", "train.validate_every=5"]
"""Small, but with many operations on the file system, so that there are many moments to die at."""

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")

CHILD = f"""
import os, signal, sys
moment, root = int(sys.argv.pop(1)), sys.argv.pop(1)
from triton_earth.cli import main
count = 0
def watch(event, arguments):
    global count
    if event in {OPERATIONS} and arguments and str(arguments[0]).startswith(root):
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
try:
    main()
finally:
    print("operations", count, file=sys.stderr)
"""  # fmt: skip
"""Dies before operation number `moment` on a path below `root`."""


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def run(root, *words, moment=0, timeout=300, memory=None):
    """Run a command; return its exit code and what it said, less the count of operations."""
    words = [sys.executable, "-c", CHILD, str(moment), str(root), "-q", *map(str, words)]
    if memory is not None:
        words = ["prlimit", f"--data={memory}", *words]
    done = subprocess.run(
        words, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
    )
    lines = done.stderr.splitlines()
    operations = [int(line.split()[1]) for line in lines if line.startswith("operations ")]
    said = [line for line in lines if not line.startswith("operations ")]
    return done.returncode, "\n".join(said), operations[0] if operations else None


def was_killed(code):
    return code == -signal.SIGKILL


def verbs(folder):
    """Each verb that writes, with its output; later ones need the earlier ones' outputs in `folder`."""
    store, trained, forecast = folder / "s.zarr", folder / "run", folder / "fc.zarr"
    return {
        "prepare": (["prepare", "turbulence_small", *RECIPE, "--out"], store),
        "train": (["train", "turbulence_small", *RECIPE, "--store", store, "--out"], trained),
        "forecast": (["forecast", trained, store, "--batch-size", 1, "--out"], forecast),
        "ensemble": (
            ["forecast", trained, store, "--members", 3, "--batch-size", 2, "--out"],
            folder / "ensemble.zarr",
        ),
        "evaluate": (
            ["evaluate", forecast, store, "--resamples", 20, "--out"],
            folder / "report",
        ),
    }


RESUMED = {"prepare", "train", "forecast", "ensemble"}
