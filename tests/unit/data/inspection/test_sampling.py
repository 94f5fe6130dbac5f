"""Fields are read in blocks of whole chunks, and what goes wrong while the next are read is not lost."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.data.inspection import sampling
from triton_earth.data.inspection.sampling import blocks

FIELDS = np.arange(50 * 3 * 4, dtype=np.float32).reshape(50, 3, 4)


def array(chunks=None):
    made = xr.DataArray(FIELDS, dims=("time", "y", "x"), name="t")
    if chunks is not None:
        made.encoding["chunksizes"] = (chunks, 3, 4)
    return made


@pytest.mark.parametrize(
    ("chunks", "lengths"),
    [(None, [23, 23, 4]), (5, [20, 20, 10]), (23, [23, 23, 4]), (40, [23, 23, 4])],
)
def test_blocks_are_whole_chunks_where_some_fit(monkeypatch, chunks, lengths):
    monkeypatch.setattr(sampling, "BLOCK_BYTES", 23 * 8 * 12)
    found = list(blocks(array(chunks), "time", np.arange(50), ("y", "x")))
    assert [len(indices) for _, indices in found] == lengths
    assert [one for _, indices in found for one in indices] == list(range(50))
    np.testing.assert_array_equal(np.concatenate([block for block, _ in found]), FIELDS)


def test_times_apart_are_read_by_themselves():
    chosen = np.array([0, 1, 2, 30, 49])
    found = list(blocks(array(), "time", chosen, ("y", "x")))
    assert [indices for _, indices in found] == [[0, 1, 2], [30], [49]]
    np.testing.assert_array_equal(np.concatenate([block for block, _ in found]), FIELDS[chosen])
    assert list(blocks(array(), "time", chosen[:0], ("y", "x"))) == []


def test_a_block_that_cannot_be_read_is_an_error_when_its_turn_comes(monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK_BYTES", 10 * 8 * 12)
    original = sampling._floats

    def damaged(values):
        if values[0, 0, 0] == FIELDS[20, 0, 0]:
            raise OSError("damaged")
        return original(values)

    monkeypatch.setattr(sampling, "_floats", damaged)
    several = blocks(array(), "time", np.arange(50), ("y", "x"))
    assert [next(several)[1][0] for _ in range(2)] == [0, 10]
    with pytest.raises(OSError, match="damaged"):
        next(several)
