"""Threads of one process read files one after another."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.gridded import dataset, recipe_values, write
from triton_earth.data.formats.groups import netcdf_groups
from triton_earth.data.preparation import pieces
from triton_earth.data.preparation.pieces import Piece, PieceWork, finish_piece
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.gridded import GriddedSource


def test_threads_of_a_worker_open_and_read_files_one_after_another(tmp_path, monkeypatch):
    inside, most = [], []

    def watched(function):
        def run(*arguments):
            inside.append(threading.get_ident())
            most.append(len(inside))
            time.sleep(0.005)
            try:
                return function(*arguments)
            finally:
                inside.pop()

        return run

    path = write(tmp_path / "a.nc", dataset())
    data = GriddedData.parse(recipe_values(path, memory_mb=20)["data"], "recipe")
    expected = GriddedSource(data).read(slice(0, 12))
    written = {}
    monkeypatch.setattr(pieces, "_opened", watched(lambda *_: GriddedSource(data)))
    monkeypatch.setattr(GriddedSource, "read", watched(GriddedSource.read))

    def write_times(_, __, times, fields):
        written[times.start] = fields[0]
        return [b"1"]

    monkeypatch.setattr(pieces, "write_times", write_times)
    work = PieceWork(data, [], None, {}, np.isfinite(expected[0]), tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: finish_piece(work, Piece(slice(n, n + 1), None)), range(12)))
    assert max(most) == 1
    np.testing.assert_array_equal([written[n] for n in range(12)], expected)


def test_threads_ask_for_the_groups_of_a_file_at_once(tmp_path):
    path = str(write(tmp_path / "a.nc", dataset()))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: netcdf_groups(path), range(80))) == [[]] * 80
