"""Commands in processes that can be killed: each is forked from one that has imported the package."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 300.0
"""After this a command counts as one that hangs."""
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "Agg"}
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Exit code; negative for a signal.
        out: What it printed.
        err: What it said.
        operations: Operations on the file system, in the folder it ran in.
        seconds: How long it took.
        cpu: Seconds of processor time.
        memory: Most bytes of memory it had.
        hung: Whether it was ended because it took too long.
        left: Whether processes that it had started outlived it for long.
    """

    code: int
    out: str
    err: str
    operations: int
    seconds: float
    cpu: float
    memory: int
    hung: bool
    left: bool

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Running:
    """A command that was started."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def end(self) -> Ended:
        """Wait for its end."""
        with self._connection, self._connection.makefile("r") as stream:
            return Ended(**json.loads(stream.readline()))


class Commands:
    """Starts commands of the command line."""

    def __init__(self, address: str) -> None:
        self._address = address

    def start(
        self, folder, *words, moment=0, kill_after=None, journal=None, timeout=SECONDS, **env
    ) -> Running:
        """Start a command.

        Args:
            folder: Where it runs; operations below are counted.
            words: Of the command line.
            moment: Number of the operation before which it dies; 0 for none.
            kill_after: Seconds after which it dies.
            journal: File that gets what it does to names and what it has on the disk (`tests/faults/journal.py`).
            timeout: Seconds after which it counts as one that hangs.
            env: Additions to its environment.
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        asked = {
            "words": ["-q", *map(str, words)],
            "cwd": str(folder),
            "moment": moment,
            "kill_after": kill_after,
            "journal": None if journal is None else str(journal),
            "timeout": timeout,
            "env": env,
        }
        connection.sendall(json.dumps(asked).encode() + b"\n")
        return Running(connection)

    def run(self, folder, *words, **how) -> Ended:
        """Start a command and wait for its end."""
        return self.start(folder, *words, **how).end()


@contextlib.contextmanager
def commands(*, many: bool) -> Iterator[Commands]:
    """Start the process from which commands are forked, for many or a few of them; it ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        address = os.path.join(folder, "socket")
        environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm", address, *(["many"] if many else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Commands(address)
            process.stdin.close()


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_pair(given: Commands, folder, *words, how=({}, {}), **env) -> list[Running]:
    """Start two processes that train together, as srun would."""
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "SLURM_NTASKS": "2",
        "TRITON_EARTH_WAIT_MINUTES": "1",
    }
    return [
        given.start(folder, *words, **how[rank], **meeting, SLURM_PROCID=str(rank), **env)
        for rank in range(2)
    ]
