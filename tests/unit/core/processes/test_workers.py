"""Pieces side by side."""

import threading

import pytest
import torch

from triton_earth.core.processes.workers import Workers


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_results_keep_their_order_and_pieces_have_one_thread(two_threads):
    meet = threading.Barrier(2)

    def piece(number):
        meet.wait(timeout=20)  # passes only if two pieces run at once
        return number, torch.get_num_threads()

    with Workers(4) as workers:
        assert workers.map(piece, range(4)) == [(number, 1) for number in range(4)]
        assert torch.get_num_threads() == 2


def test_a_single_piece_has_all_threads(two_threads):
    with Workers(1) as workers:
        assert workers.map(lambda _: torch.get_num_threads(), [0]) == [2]


def test_an_error_of_a_piece_is_raised_and_the_threads_come_back(two_threads):
    def fail(number):
        raise ValueError(f"piece {number}")

    with Workers(2) as workers:
        with pytest.raises(ValueError, match="piece 0"):
            workers.map(fail, range(2))
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("columns", [16, 32, 64])
def test_a_transform_as_first_work_of_a_thread_has_the_bits_of_one_thread(columns):
    fields = torch.randn(2, 4, 64, columns)
    alone = [torch.fft.rfft(field) for field in fields]
    torch.set_num_threads(3)
    try:
        with Workers(2) as workers:
            together = workers.map(torch.fft.rfft, fields)
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(*pair) for pair in zip(alone, together, strict=True))
