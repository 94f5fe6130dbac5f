"""The direct writer of the store's files, against Zarr's own."""

import hashlib

import numpy as np
import pytest
import zarr
from zarr.codecs import Crc32cCodec

from triton_earth.data.store.shard_writer import write_plain_file
from triton_earth.data.store.writer import time_digests

IN_FILE, FIELDS = 4, (2, 3, 5)


def fields(times):
    made = np.random.default_rng(times).standard_normal((times, *FIELDS)).astype(np.float32)
    made[0, 0, 1] = np.nan
    return made


def with_zarr(path, values):
    array = zarr.create_array(
        path,
        shape=(1, IN_FILE, *FIELDS),
        chunks=(1, 1, *FIELDS),
        shards=(1, IN_FILE, *FIELDS),
        dtype="float32",
        fill_value=np.nan,
        compressors=[Crc32cCodec()],
        config={"write_empty_chunks": True},
    )
    array[0, : len(values)] = values
    return (path / "c" / "0" / "0" / "0" / "0" / "0").read_bytes()


@pytest.mark.parametrize("times", [1, IN_FILE - 1, IN_FILE])
def test_a_file_has_the_bytes_that_zarr_writes(tmp_path, times):
    values = fields(times)
    path = tmp_path / "c" / "0" / "0"
    digests = write_plain_file(path, values, IN_FILE)
    assert path.read_bytes() == with_zarr(tmp_path / "zarr", values)
    assert digests == [hashlib.sha256(one.tobytes()).digest() for one in values]


def test_values_in_another_order_or_of_other_bytes_are_written_as_any(tmp_path):
    values = fields(IN_FILE)
    turned = np.ascontiguousarray(values.swapaxes(-1, -2)).swapaxes(-1, -2).astype(">f4", order="K")
    write_plain_file(tmp_path / "one", values, IN_FILE)
    digests = write_plain_file(tmp_path / "other", turned, IN_FILE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert digests == time_digests(values)


def test_a_time_without_values_is_written_too(tmp_path):
    empty = np.full((IN_FILE, *FIELDS), np.nan, dtype=np.float32)
    write_plain_file(tmp_path / "file", empty, IN_FILE)
    assert (tmp_path / "file").stat().st_size == IN_FILE * (empty[0].nbytes + 4 + 16) + 4
