"""Memory of batches: lent again only when nobody holds it."""

import gc

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from triton_earth.data.dataset import Buffers


def address(array):
    return array.__array_interface__["data"][0]


def test_what_nobody_holds_is_lent_again():
    buffers = Buffers()
    first = buffers.take((3, 4))
    where = address(first)
    assert address(buffers.take((3, 4))) != where
    del first
    gc.collect()
    assert where in {address(array) for array in [buffers.take((3, 4)) for _ in range(2)]}


@given(st.sampled_from(["row", "tensor", "part of a tensor", "array of a tensor", "transposed"]))
def test_a_part_keeps_the_whole(kind):
    buffers = Buffers()
    whole = buffers.take((3, 4))
    whole[:] = 7.0
    part = {
        "row": lambda: whole[1],
        "tensor": lambda: torch.from_numpy(whole),
        "part of a tensor": lambda: torch.from_numpy(whole)[1:, 2],
        "array of a tensor": lambda: torch.from_numpy(whole)[0].numpy(),
        "transposed": lambda: whole.T.reshape(2, 6)[1:],
    }[kind]()
    del whole
    gc.collect()
    others = [buffers.take((3, 4)) for _ in range(3)]
    for other in others:
        other[:] = -1.0
    assert (np.asarray(part) == 7.0).all()


def test_another_shape_lets_the_old_memory_go():
    buffers = Buffers()
    held = buffers.take((3, 4))
    assert buffers.take((2, 5)).shape == (2, 5)
    del held
    gc.collect()
    assert buffers.take((3, 4)).shape == (3, 4)
