import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.data.windows import batch_indices
from triton_earth.training.config import TrainConfig
from triton_earth.training.parallel.batch_parts import own_parts, part_seed, shares
from triton_earth.training.parallel.distributed import ALONE, Processes

CONFIG = TrainConfig(steps=5, batch_size=12)


def test_alone_and_at_once_a_share_is_the_batch():
    found = list(shares(30, CONFIG, 3, 2, ALONE))
    expected = [batch_indices(30, 12, 3, step) for step in (2, 3, 4)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("count", "accumulate"), [(2, 1), (1, 4), (2, 3), (3, 2)])
def test_the_shares_of_all_processes_make_the_batch(count, accumulate):
    config = CONFIG.model_copy(update={"accumulate": accumulate})
    per_process = [
        np.stack(list(shares(30, config, 3, 0, Processes(rank, count)))).reshape(5, accumulate, -1)
        for rank in range(count)
    ]
    together = np.concatenate(per_process, axis=1).reshape(5, 12)
    expected = [batch_indices(30, 12, 3, step) for step in range(5)]
    np.testing.assert_array_equal(together, expected)


def test_parts_are_numbered_over_all_processes():
    config = CONFIG.model_copy(update={"accumulate": 2})
    assert [list(own_parts(config, Processes(rank, 3))) for rank in range(3)] == [
        [0, 1], [2, 3], [4, 5],
    ]  # fmt: skip


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(UserError) as caught:
        own_parts(TrainConfig(batch_size=10, accumulate=2), Processes(0, 2))
    assert str(caught.value) == (
        "train.batch_size=10 cannot be shared by 2 processes with train.accumulate=2; take a multiple of 4."
    )


def test_every_part_of_every_step_has_a_seed_of_its_own():
    seeds = {
        part_seed(seed, step, part) for seed in range(3) for step in range(5) for part in range(4)
    }
    assert len(seeds) == 60
