"""The number of torch's threads."""

import pytest
import torch

from triton_earth.core.processes.workers import torch_threads


@pytest.mark.parametrize(("number", "inside"), [(2, 2), (None, 1)])
def test_holds_inside_the_block_only(number, inside):
    def fail():
        with torch_threads(number):
            assert torch.get_num_threads() == inside
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == 1
