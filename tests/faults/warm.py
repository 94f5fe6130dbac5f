"""A process that has imported the package and forks for each command: a command costs no imports, and can be killed.

Run as ``python -m tests.faults.warm SOCKET [many]``; `tests/faults/commands.py` talks to it.
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
"""Audit events of the file system before which a command may die."""
IMPORTED = (
    "triton_earth.cli", "triton_earth.data.preparation.gridded", "triton_earth.workflow.prepare",
    "triton_earth.workflow.train", "triton_earth.workflow.forecast", "triton_earth.workflow.evaluate",
    "triton_earth.workflow.plan", "triton_earth.workflow.inspect", "triton_earth.bench.bench",
    "triton_earth.evaluation.verdict.summary", "triton_earth.exchange.convert", "triton_earth.exchange.export_forecast",
    "triton_earth.exchange.push", "torch.distributed", "netCDF4", "xarray.backends.zarr", "matplotlib.pyplot",
    "matplotlib.backends.backend_svg", "PIL.Image", "dask.array", "click", "concurrent.futures.process",
)  # fmt: skip
SLOW = ("torch._dynamo", "torch.utils.flop_counter")
"""Imported beforehand if many commands are to come."""
MOST_DATA = 8 * 2**30
"""Bytes that no command comes near; a bad input is not to take the memory of all others on the machine."""
LEFT_SECONDS = 20.0
"""How long processes that a killed command has started may outlive it."""


def serve(path: str, *, many: bool) -> None:
    """Fork for each connection, until standard input ends."""
    for name in (*IMPORTED, *(SLOW if many else ())):
        importlib.import_module(name)
    importlib.import_module("PIL.Image").init()
    # What pictures show is not tested here, and drawing it takes most of the time of an evaluation.
    importlib.import_module("matplotlib.figure").Figure.draw = lambda *_: None
    assert len(os.listdir("/proc/self/task")) == 1, "threads do not live on in a fork"
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([server, 0], [], [])
        if 0 in ready:
            return
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _attend(connection)
            return
        connection.close()


def _attend(connection: socket.socket) -> None:
    """Run one command in a child of this process, and tell how it ended."""
    asked = json.loads(connection.makefile("r").readline())
    streams = [os.memfd_create(name) for name in ("out", "err")]
    count = mmap.mmap(-1, 8)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        connection.close()
        _command(asked, streams, count)
        return
    watched = os.pidfd_open(child)
    ends = started + asked["timeout"]
    kills_at = started + asked["kill_after"] if asked["kill_after"] else ends
    while not select.select([watched], [], [], max(0.0, min(ends, kills_at) - time.monotonic()))[0]:
        hung = kills_at >= ends
        if hung:
            # First it says where it hangs.
            os.kill(child, signal.SIGUSR1)
            select.select([watched], [], [], 1.0)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        else:
            os.kill(child, signal.SIGKILL)
        kills_at = ends
    seconds = time.monotonic() - started
    _, status, usage = os.wait4(child, 0)
    texts = []
    for stream in streams:
        os.lseek(stream, 0, os.SEEK_SET)
        with open(stream, errors="replace") as file:
            texts.append(file.read())
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "out": texts[0],
        "err": texts[1],
        "operations": int.from_bytes(count[:8], "little"),
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * 1024,
        "hung": seconds >= asked["timeout"],
        "left": _left(child),
    }
    connection.sendall(json.dumps(told).encode() + b"\n")


def _left(group: int) -> bool:
    """Return whether processes of a group outlive their first for long; they are ended."""
    ends = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < ends:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return True


def _command(asked: dict, streams: list[int], count: mmap.mmap) -> None:
    """Become the command line."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA, MOST_DATA))
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    for number, stream in ((0, os.open(os.devnull, os.O_RDONLY)), (1, streams[0]), (2, streams[1])):
        os.dup2(stream, number)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    sys.argv = ["triton-earth", *asked["words"]]
    if asked["journal"]:
        from tests.faults.journal import record

        record(Path(asked["journal"]), Path(asked["cwd"]))
    root, moment = asked["cwd"], asked["moment"]
    done = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal done
        if event in OPERATIONS and arguments and isinstance(arguments[0], str | bytes | Path):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(root):
                done += 1
                count[:8] = done.to_bytes(8, "little")
                if done == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    from triton_earth.cli import main

    main()


if __name__ == "__main__":
    serve(sys.argv[1], many=sys.argv[2:] == ["many"])
