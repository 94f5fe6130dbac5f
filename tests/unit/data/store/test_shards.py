"""The direct reader of the store's files, against Zarr's own."""

import os

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from triton_earth.data.store.shards import Shards

TRAJECTORIES, TIMES, IN_FILE = 2, 11, 4
BLOSC = BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")


def array(path, compressors=BLOSC, **changes):
    layout = {
        "shape": (TRAJECTORIES, TIMES, 2, 3, 5),
        "chunks": (1, 1, 2, 3, 5),
        "shards": (1, IN_FILE, 2, 3, 5),
        "dtype": "float32",
        "fill_value": np.nan,
        "compressors": compressors,
    }
    made = zarr.create_array(path, **(layout | changes))
    made[:] = np.random.default_rng(0).standard_normal(made.shape).astype(made.dtype)
    return made


def read(shards, trajectory, start, stop):
    out = np.full((stop - start, 2, 3, 5), -1.0, dtype=np.float32)
    shards.read(trajectory, start, out)
    return out


@pytest.fixture(
    scope="module",
    params=[BLOSC, ZstdCodec(level=0), [BLOSC, Crc32cCodec()], None, [Crc32cCodec()]],
    ids=["blosc", "zstd", "checked", "plain", "plain checked"],
)
def both(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "state"
    made = array(path, request.param)
    return made[:], Shards.of(path, made)


@settings(max_examples=40, deadline=None)
@given(
    trajectory=st.integers(0, TRAJECTORIES - 1),
    bounds=st.lists(st.integers(0, TIMES), min_size=2, max_size=2).map(sorted),
)
def test_it_reads_what_zarr_reads(both, trajectory, bounds):
    values, shards = both
    start, stop = bounds
    assert (
        read(shards, trajectory, start, stop).tobytes() == values[trajectory, start:stop].tobytes()
    )


def test_times_in_any_order_within_a_file(tmp_path):
    """Zarr may append a chunk that is written again behind the others."""
    made = array(tmp_path / "state")
    for time in (2, 0):
        made[0, time] = 7.0 + time
    shards = Shards.of(tmp_path / "state", zarr.open_array(tmp_path / "state"))
    np.testing.assert_array_equal(read(shards, 0, 0, TIMES), made[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"shards": None},
        {"chunks": (1, 1, 1, 3, 5)},
        {"dtype": "float64"},
        {"chunk_key_encoding": {"name": "v2", "separator": "."}},
        {"compressors": [ZstdCodec(level=0), ZstdCodec(level=0)]},
        {"zarr_format": 2, "shards": None, "compressors": None},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_other_layouts_are_left_to_zarr(tmp_path, changes):
    assert Shards.of(tmp_path / "state", array(tmp_path / "state", **changes)) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "checksum"),
        (lambda content: content[:20], "cut off"),
        (lambda content: b"", "cut off"),
        (
            lambda content: content[: len(content) // 3] + content[-68:],
            "cut off|decompress|size|length",
        ),
        (lambda content: content[:-8] + b"\x07" + content[-7:], "checksum"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, message):
    made = array(tmp_path / "state")
    file = tmp_path / "state" / "c" / "1" / "2" / "0" / "0" / "0"
    file.write_bytes(damage(file.read_bytes()))
    shards = Shards.of(tmp_path / "state", made)
    read(shards, 1, 0, 8)
    with pytest.raises((ValueError, RuntimeError), match=message):
        read(shards, 1, 6, TIMES)


@pytest.mark.parametrize("codecs", [[BLOSC], []], ids=["packed", "plain"])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_no_flipped_bit_goes_unnoticed(tmp_path_factory, codecs, position, bit):
    path = tmp_path_factory.mktemp("flipped") / "state"
    made = array(path, [*codecs, Crc32cCodec()])
    file = path / "c" / "1" / "1" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"the checksum of time [4-7] is wrong|a file's checksum"):
        read(Shards.of(path, made), 1, 0, 11)


@pytest.mark.parametrize("codecs", [[BLOSC], []], ids=["packed", "plain"])
def test_a_wrong_time_is_named(tmp_path, codecs):
    path = tmp_path / "state"
    made = array(path, [*codecs, Crc32cCodec()])
    file = path / "c" / "1" / "1" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[30] ^= 1
    file.write_bytes(content)
    shards = Shards.of(path, made)
    read(shards, 1, 0, 4)
    with pytest.raises(ValueError, match="the checksum of time 4 is wrong"):
        read(shards, 1, 2, 6)


def test_a_time_that_was_never_written_is_refused(tmp_path):
    made = array(tmp_path / "state")
    made[1, 5] = np.nan
    shards = Shards.of(tmp_path / "state", made)
    read(shards, 1, 0, 5)
    with pytest.raises(ValueError, match="a time has no value at all"):
        read(shards, 1, 4, 7)
    (tmp_path / "state" / "c" / "0" / "1" / "0" / "0" / "0").unlink()
    with pytest.raises(FileNotFoundError):
        read(shards, 0, 0, 5)


def test_more_times_than_a_system_call_takes(tmp_path):
    times = 1500  # each has two buffers; Linux takes 1024 at once
    made = array(
        tmp_path / "state", Crc32cCodec(), shape=(1, times, 2, 3, 5), shards=(1, times, 2, 3, 5)
    )
    shards = Shards.of(tmp_path / "state", made)
    np.testing.assert_array_equal(read(shards, 0, 1, times), made[0, 1:])


def test_a_file_that_comes_in_small_portions(tmp_path, monkeypatch):
    made = array(tmp_path / "state", Crc32cCodec())
    shards = Shards.of(tmp_path / "state", made)
    whole = os.preadv

    def portion(descriptor, buffers, offset):
        return whole(descriptor, [buffers[0][:7]], offset)

    monkeypatch.setattr(os, "preadv", portion)
    np.testing.assert_array_equal(read(shards, 1, 0, TIMES), made[1])


def test_a_plain_time_of_another_length_is_refused(tmp_path):
    made = array(tmp_path / "state", Crc32cCodec())
    file = tmp_path / "state" / "c" / "1" / "1" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    index = np.frombuffer(content[-16 * IN_FILE - 4 : -4], "<u8").reshape(-1, 2).copy()
    index[1, 1] -= 4
    content[-16 * IN_FILE - 4 : -4] = index.tobytes()
    content[-4:] = google_crc32c.value(index.tobytes()).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(ValueError, match="a time has a wrong length"):
        read(Shards.of(tmp_path / "state", made), 1, 0, TIMES)
