"""The last net: however a command ends, it says one line and gives one of the exit codes of `core/exit_codes.py`."""

import asyncio
import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from triton_earth.core import exit_codes
from triton_earth.training.interruption import Interrupted, ProcessLost

ZARR_SECONDS = 60.0
"""How long the thread that reads and writes for Zarr may take to end; Zarr itself waits 0.2 s and then complains."""

UsageError: Any = typer.BadParameter.__base__  # typer has no public name for it


def ending_of(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code.

    Args:
        command: Returns nothing or an exit code, and may raise whatever it likes.
    """
    code = _run(command)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _failed(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else it is tried again in the end
    atexit.register(gc.freeze)  # a last search for garbage would take up to a second
    if "zarr" in sys.modules:
        # Before Zarr's own end, which is registered already, and after that of all threads that still wait for Zarr.
        atexit.unregister(_end_thread_of_zarr)
        atexit.register(_end_thread_of_zarr)
    return code


def rank() -> int:
    """Return the number of this process among those that torchrun or srun started."""
    text = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    return int(text) if text.isascii() and text.isdecimal() else 0


def _run(command: Callable[[], Any]) -> int:
    try:
        code = command()
        if code == exit_codes.INTERRUPTED:  # typer turns a KeyboardInterrupt into this
            raise KeyboardInterrupt
        return int(code or 0)
    except UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        _say(f"error: {message}. See `{error.ctx.command_path} --help`.")
        return exit_codes.USER
    except KeyboardInterrupt:
        _say(f"interrupted; {_again()}")
        return exit_codes.INTERRUPTED
    except ProcessLost as error:
        _say(f"error: {error}")
        return exit_codes.LOST
    except Interrupted as stop:
        if rank() == 0:
            _say(str(stop))
        return exit_codes.REQUEUE
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    """Print the error in one line and return the exit code."""
    if isinstance(error, BrokenPipeError):
        return exit_codes.PIPE
    known = exit_codes.explain(error)
    of = f" of process {rank()}" if rank() else ""
    _say(f"error{of}: {known or exit_codes.report(error)}")
    return exit_codes.USER if known else exit_codes.UNEXPECTED


def _end_thread_of_zarr() -> None:
    """End the thread in which Zarr reads and writes: on a busy machine Zarr does not wait long enough for its end."""
    zarr = sys.modules.get("zarr.core.sync")
    if zarr is None or zarr.loop[0] is None:
        return
    loop = zarr.loop[0]

    async def cancel_all() -> None:
        """Cancel what still reads for a command that failed; asyncio complains of tasks that never end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(ZARR_SECONDS)
    with contextlib.suppress(KeyboardInterrupt):
        loop.call_soon_threadsafe(loop.stop)
        zarr.iothread[0].join(ZARR_SECONDS)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        typer.echo(line, err=True)


def _again() -> str:
    """Return the advice after Ctrl-C: not every verb can go on."""
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if verb in ("prepare", "train", "forecast"):
        return "the same command with --resume goes on."
    if verb == "demo":
        return "the same command goes on."
    return "nothing was changed; the same command starts again."
