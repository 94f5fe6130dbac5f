"""The processes of a run: one, or many on one or several machines that share each batch."""

import contextlib
import datetime
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from triton_earth.core.errors import UserError
from triton_earth.training.interruption import ProcessLost

TIMEOUT = datetime.timedelta(minutes=30)
"""Longest wait for another process: longer than preparing statistics or a validation takes."""

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")
"""What messages of the communication libraries hold when another process has ended."""


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
            torch.cuda.set_device(self.local_rank)
            return torch.device("cuda", self.local_rank)
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
            with MASTER_ADDR and MASTER_PORT; by default the process's own.

    Raises:
        UserError: if there are several processes, but no address at which they could meet.
        ProcessLost: if another process ends before its work is done.
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
    distributed.init_process_group(
        backend,
        init_method=f"tcp://{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}",
        rank=processes.rank,
        world_size=processes.count,
        timeout=TIMEOUT,
    )
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
        raise ProcessLost(
            f"another of the {processes.count} processes has ended, its own message says why. Nothing saved is lost: "
            "the same command with --resume goes on."
        ) from error
    finally:
        distributed.destroy_process_group()


def processes_of(environment: Mapping[str, str]) -> Processes:
    """Return what torchrun's or srun's variables say about this process."""
    for rank, count, local_rank in (
        ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
        ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ):
        if rank in environment and count in environment:
            return Processes(
                int(environment[rank]),
                int(environment[count]),
                int(environment.get(local_rank, 0)),
            )
    return ALONE
