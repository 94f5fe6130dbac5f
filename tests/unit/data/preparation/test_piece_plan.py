"""Pieces fit into the memory together with the chunks of the files, and follow them where they can."""

import logging

import pytest

from tests.gridded import dataset, recipe_values, source
from triton_earth.data.preparation import pieces
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.preparation.pieces import COPIES_IN_MEMORY, COPIES_OF_CHUNKS, plan_pieces
from triton_earth.data.sources.chunks import SourceChunk
from triton_earth.data.sources.config import GriddedData

ONE = 10**6 // COPIES_IN_MEMORY  # bytes of a time that takes 1 MB in all


def chunk(times, megabytes, side_by_side=1, at_once=1):
    return SourceChunk("t2m", int(megabytes * 1e6 / COPIES_OF_CHUNKS), times, side_by_side, at_once)


def test_without_chunks_pieces_fill_the_memory():
    assert plan_pieces(1000, ONE, None, 30.0).length == 30
    assert plan_pieces(20, ONE, None, 30.0).length == 20
    assert plan_pieces(1000, ONE, None, 0.1).length == 1


@pytest.mark.parametrize("megabytes", [0.1, 1.0, 5.0])
def test_pieces_are_whole_chunks_and_fit_with_them(megabytes):
    plan = plan_pieces(1000, ONE, chunk(7, megabytes), 50.0)
    assert plan.length % 7 == 0
    assert plan.readings == 1
    assert 25 < plan.megabytes <= 50.0


def test_pieces_are_whole_parts_of_longer_chunks():
    plan = plan_pieces(1000, ONE, chunk(60, 5.0), 30.0)
    assert (plan.length, plan.readings) == (20, 3)
    assert plan.megabytes <= 30.0


def test_chunks_side_by_side_count_as_many_as_are_unpacked_at_once():
    one = plan_pieces(1000, ONE, chunk(10, 1.0), 40.0)
    many = plan_pieces(1000, ONE, chunk(10, 1.0, side_by_side=100, at_once=10), 40.0)
    assert many.megabytes == pytest.approx(many.length + 10)
    assert one.length >= many.length


def test_a_chunk_larger_than_the_memory_leaves_half_of_it_for_the_piece():
    plan = plan_pieces(1500, ONE, chunk(1500, 100.0), 30.0)
    assert 10 <= plan.length <= 15
    assert plan.megabytes == pytest.approx(plan.length + 100)
    assert plan.readings == 1500 // plan.length


@pytest.fixture
def zarr_in_chunks(tmp_path):
    def write(times, version=2):
        path = tmp_path / f"{times}.zarr"
        encoding = {"t2m": {"chunks": (times, 8, 12)}}
        data = dataset()[["t2m"]].drop_encoding()
        data.to_zarr(path, zarr_format=version, consolidated=version == 2, encoding=encoding)
        return path

    return write


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_are_those_of_the_files(zarr_in_chunks, version):
    path = zarr_in_chunks(10, version)
    found = source(path, variables=["t2m"]).largest_chunk
    assert (found.variable, found.times, found.nbytes) == ("t2m", 10, 10 * 96 * 8)
    assert source(path, variables=["t2m"], step="2 d").largest_chunk.times == 5


def test_chunks_read_again_are_said_from_a_size_that_takes_time(
    zarr_in_chunks, tmp_path, caplog, monkeypatch
):
    little = 40 * 96 * 8 / 1e6

    def remarks(worth):
        monkeypatch.setattr(pieces, "WORTH_A_REMARK", worth)
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="triton_earth"):
            pieces.pieces_of(source(path, variables=["t2m"]), 8 * little, 1)
        return caplog.messages

    path = zarr_in_chunks(40)
    assert len(remarks(0)) == 1
    assert remarks(1e9) == []


def test_a_chunk_larger_than_the_memory_is_said_with_a_remedy(
    zarr_in_chunks, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(pieces, "WORTH_A_REMARK", 0)

    def prepared(path, out, memory_mb):
        values = recipe_values(path, variables=["t2m"], memory_mb=memory_mb)["data"]
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="triton_earth"):
            return prepare_gridded(
                GriddedData.parse(values, "recipe"), tmp_path / out, {}, window=2
            )

    little = 40 * 96 * 8 / 1e6
    store = prepared(zarr_in_chunks(40), "a.zarr", little)
    (line,) = caplog.messages
    assert (
        "the files have chunks of 0.0307 MB with 40 times of 't2m'; within data.memory_mb=" in line
    )
    assert (
        "each is read 20 times. Say data.memory_mb=1, or rewrite the files in smaller chunks"
        in line
    )
    again = prepared(zarr_in_chunks(4), "b.zarr", 1)
    assert caplog.messages == []
    assert again.content_hash == store.content_hash
