"""The processes of a run: one, or many on one or several machines that share each batch."""

import contextlib
import ctypes
import datetime
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from triton_earth.core.errors import UserError
from triton_earth.training.interruption import ProcessLost

JOIN_SECONDS, WAIT_MINUTES = "TRITON_EARTH_JOIN_SECONDS", "TRITON_EARTH_WAIT_MINUTES"
"""Environment variables: longest wait for all processes to come, and for one to answer."""

WAITS = {JOIN_SECONDS: 60.0, WAIT_MINUTES: 30.0}
"""What they are if not set; a process does not answer while it computes statistics or saves."""

LOST = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "NCCL",
    "Timed out waiting",
)
"""What messages of the communication libraries hold when another process has ended or does not answer."""


@dataclass(frozen=True)
class Processes:
    """Who of how many this process is.

    Attributes:
        rank: Number of this process, from 0.
        count: How many there are.
        local_rank: Number of this process on its machine, and of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def device(self, device: torch.device) -> torch.device:
        """Return this process's own device of a kind."""
        if device.type == "cuda" and self.count > 1:
            # Some launchers show each process its own GPU only.
            own = torch.device("cuda", self.local_rank % torch.cuda.device_count())
            torch.cuda.set_device(own)
            return own
        return device

    def parallel(self, module: nn.Module, how: str) -> nn.Module:
        """Return the module whose gradients are the means over all processes; one that is sharded sees to it itself."""
        if self.count == 1 or how == "fsdp":
            return module
        return DistributedDataParallel(module)

    def sums(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same bits on each."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(total)
        return total.tolist()

    def collected(self, *values: float) -> list[list[float]]:
        """Return the values of each process, in their order, the same bits on each."""
        slots = [0.0] * (len(values) * self.count)
        slots[self.rank * len(values) : (self.rank + 1) * len(values)] = values
        total = self.sums(*slots)
        return [total[first : first + len(values)] for first in range(0, len(total), len(values))]

    def wait(self) -> None:
        """Wait for all processes."""
        if self.count > 1:
            distributed.barrier()

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the main process do something before the others; where it fails, all end.

        Raises:
            SystemExit: in the other processes, if the main one failed.
        """
        if not self.is_main:
            self._require_success()
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            if self.is_main and self.count > 1:
                distributed.broadcast(torch.tensor([succeeded]), src=0)

    def from_main(self, make: Callable[[], bytes]) -> bytes:
        """Return the bytes that the main process makes; where it fails, all end."""
        content = b""
        with self.main_first():
            if self.is_main:
                content = make()
        if self.count == 1:
            return content
        size = torch.tensor([len(content)])
        distributed.broadcast(size, src=0)
        sent = torch.zeros(int(size), dtype=torch.uint8)
        if self.is_main:
            sent = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        distributed.broadcast(sent, src=0)
        return sent.numpy().tobytes()

    def _require_success(self) -> None:
        succeeded = torch.zeros(1, dtype=torch.bool)
        distributed.broadcast(succeeded, src=0)
        if not succeeded:
            raise SystemExit(2)


ALONE = Processes()


@contextlib.contextmanager
def joined(environment: Mapping[str, str] | None = None) -> Iterator[Processes]:
    """Join the processes that torchrun or srun started; without either this process is alone.

    Args:
        environment: RANK, WORLD_SIZE, LOCAL_RANK of torchrun, or SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID of srun,
            with MASTER_ADDR and MASTER_PORT, and how long to wait; by default the process's own.

    Raises:
        UserError: if there are several processes, but no address at which they could meet.
        ProcessLost: if not all processes come, or one ends or does not answer before the work is done.
    """
    environment = os.environ if environment is None else environment
    processes = processes_of(environment)
    if processes.count == 1:
        yield processes
        return
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if name not in environment:
            raise UserError(
                f"{processes.count} processes were started, but {name} is not set, so they cannot meet. Start them "
                "with torchrun, or set it in the SLURM script."
            )
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    join, wait = (_wait(environment, name) for name in (JOIN_SECONDS, WAIT_MINUTES))
    address = f"{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}"
    try:
        meeting = distributed.rendezvous(
            f"tcp://{address}",
            rank=processes.rank,
            world_size=processes.count,
            timeout=datetime.timedelta(seconds=join),
        )
        store, _, _ = next(meeting)
        distributed.init_process_group(
            backend,
            store=store,
            rank=processes.rank,
            world_size=processes.count,
            timeout=datetime.timedelta(minutes=wait),
        )
    except distributed.DistError as error:
        raise ProcessLost(
            f"not all of the {processes.count} processes met at {address} within {join:g} seconds ({JOIN_SECONDS}). "
            "See whether the others have started, and reach this address."
        ) from error
    try:
        with warnings.catch_warnings():
            # Kernels in channels-last order cost a copy when gradients are exchanged; nothing is wrong.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            # Nothing changes a block's output in place.
            warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
            yield processes
    except RuntimeError as error:
        if not any(sign in str(error) for sign in LOST):
            raise
        _never_released(distributed.group.WORLD)
        raise ProcessLost(
            f"another of the {processes.count} processes has ended, or has not answered for {wait:g} minutes "
            f"({WAIT_MINUTES}); its own message says why. Nothing saved is lost: the same command with --resume goes "
            "on."
        ) from error
    finally:
        distributed.destroy_process_group()


def _never_released(group: object) -> None:
    """Keep a group until the process ends: its destructor waits for answers of the lost process that never come."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(group))


def _wait(environment: Mapping[str, str], name: str) -> float:
    text = environment.get(name, str(WAITS[name]))
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UserError(f"{name}: expected a positive number, found '{text}'.")
    return value


def processes_of(environment: Mapping[str, str]) -> Processes:
    """Return the place of this process among all, from the variables of torchrun or srun."""
    for rank, count, local_rank in (
        ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
        ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ):
        if rank in environment and count in environment:
            return Processes(
                *(_whole(environment, name) for name in (rank, count, local_rank)),
            )
    return ALONE


def _whole(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "0")
    if not (text.isascii() and text.isdecimal()):
        raise UserError(f"{name}: expected a whole number, as launchers set it, found '{text}'.")
    return int(text)
