"""Every end has one line; nobody sees a traceback who did not ask for it."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from triton_earth.core import exit_codes
from triton_earth.core.errors import UserError
from triton_earth.ending import ending_of
from triton_earth.training.interruption import Interrupted, ProcessLost


def raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("a\nb"), 2, "error: a\\nb\n"),
        (OSError(errno.ENOSPC, "x", "out"), 2, "error: out: the disk is full: make room.\n"),
        (
            OSError(errno.ENAMETOOLONG, "x", "o"),
            2,
            "error: o: the name is too long: choose a shorter",
        ),
        (MemoryError("13 GB"), 2, "error: memory does not suffice (13 GB)."),
        (RuntimeError("[enforce] can't allocate memory: 9 bytes"), 2, "error: memory does not suf"),
        (ProcessLost("another"), 76, "error: another\n"),
        (Interrupted("SIGTERM", 3), 75, "stopped by SIGTERM after step 3; the same command with"),
        (KeyboardInterrupt(), 130, "interrupted; "),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_is_expected_is_one_line(capsys, error, code, line):
    assert ending_of(raising(error)) == code
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == (1 if line else 0)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), RecursionError(), KeyError("y"), AssertionError("a\nb")]
)
def test_what_nobody_expected_is_a_bug_with_its_traceback_in_a_file(capsys, monkeypatch, error):
    assert ending_of(raising(error)) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: unexpected {type(error).__name__}: ")
    file = Path(re.search(r"what led to it is in (\S+), please", line)[1])
    assert "Traceback (most recent call last)" in file.read_text()
    file.unlink()
    monkeypatch.setenv(exit_codes.DEBUG, "1")
    assert ending_of(raising(error)) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_no_place_for_the_traceback(capsys, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(exit_codes.tempfile, "mkstemp", full)
    assert ending_of(raising(ZeroDivisionError())) == 70
    assert "no traceback could be written" in capsys.readouterr().err


def test_success_and_findings():
    assert ending_of(lambda: None) == 0
    assert ending_of(lambda: exit_codes.FINDING) == 1
    assert os.environ.get(exit_codes.DEBUG) is None


SLOW_READER = """
import asyncio, sys, time
from concurrent.futures import ThreadPoolExecutor
import zarr
from zarr.core.sync import _get_loop, sync
from triton_earth.ending import ending_of

pool = ThreadPoolExecutor(1)

def read():
    sync(asyncio.sleep(0.5))
    print("read", flush=True)
    _get_loop().call_soon_threadsafe(time.sleep, 1.0)

def command():
    pool.submit(read)

sys.exit({call})
"""


@pytest.mark.parametrize(("call", "clean"), [("ending_of(command)", True), ("command()", False)])
def test_the_thread_of_zarr_ends_after_those_that_read_and_before_zarr_complains(call, clean):
    # As on a busy machine, the thread takes a second to end; Zarr alone does not wait for it.
    program = SLOW_READER.format(call=call)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "read\n")
    assert (done.stderr == "") is clean


FAILED_READER = """
import asyncio, sys
import zarr
from zarr.core.sync import sync
from triton_earth.ending import ending_of

def command():
    async def fail():
        asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0.01)
    sync(fail())

sys.exit({call})
"""


@pytest.mark.parametrize(("call", "clean"), [("ending_of(command)", True), ("command()", False)])
def test_reads_that_nobody_waits_for_end_in_silence(call, clean):
    program = FAILED_READER.format(call=call)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert ("Task was destroyed" not in done.stderr) is clean
