import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.training.parallel.distributed import ALONE, Processes, joined, processes_of

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
SLURM = {"SLURM_PROCID": "5", "SLURM_NTASKS": "16", "SLURM_LOCALID": "2"}


def test_a_process_knows_who_it_is():
    assert processes_of({}) == ALONE
    assert processes_of(TORCHRUN) == Processes(3, 8, 1)
    assert processes_of(SLURM) == Processes(5, 16, 2)
    assert processes_of({**SLURM, **TORCHRUN}) == Processes(3, 8, 1)
    # An interactive SLURM job without srun has a number of tasks, but no number of its own.
    assert processes_of({"SLURM_NTASKS": "16"}) == ALONE


def test_processes_without_an_address_are_refused():
    with pytest.raises(UserError) as caught, joined(SLURM):
        pass
    assert str(caught.value) == (
        "16 processes were started, but MASTER_ADDR is not set, so they cannot meet. Start them with torchrun, or set "
        "it in the SLURM script."
    )


def test_alone_nothing_is_exchanged():
    module = torch.nn.Linear(1, 1)
    with joined({}) as processes:
        assert processes == ALONE
        assert processes.is_main
        assert processes.parallel(module, "ddp") is module
        assert processes.sums(1.5, 2.0) == [1.5, 2.0]
        assert processes.collected(1.5, 2.0) == [[1.5, 2.0]]
        assert processes.device(torch.device("cpu")) == torch.device("cpu")
        processes.wait()
        with processes.main_first():
            pass
    assert not torch.distributed.is_initialized()


def test_a_world_of_one_is_alone():
    with joined({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}) as processes:
        assert processes == ALONE
