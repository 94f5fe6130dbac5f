"""Tasks give the same results in the same order wherever they run."""

import socket
import sys
from contextlib import suppress

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.processes.tasks import AHEAD, tasks


def power(base, exponent):
    if exponent == 13:
        raise UserError("thirteen: found, expected none.")
    return base**exponent


def test_in_this_process():
    with tasks() as place:
        assert place.processes == 1
        assert list(place.map(power, 2, range(10))) == [2**n for n in range(10)]


def test_on_a_cluster(dask_address):
    with tasks(cluster=dask_address) as place:
        assert place.processes == 2
        assert list(place.map(power, 2, range(10))) == [2**n for n in range(10)]
        with pytest.raises(UserError, match="thirteen: found, expected none"):
            list(place.map(power, 2, range(20)))


@pytest.mark.filterwarnings("error")
def test_processes_beside_another_cluster():
    """Which has the port where people look for one."""
    pytest.importorskip("distributed")
    with socket.socket() as other:
        with suppress(OSError):  # somebody else has it already
            other.bind(("", 8787))
            other.listen()
        with tasks(2) as place:
            assert list(place.map(pow, 2, range(5))) == [1, 2, 4, 8, 16]


def test_few_tasks_are_under_way(dask_address):
    begun = []

    def items():
        for number in range(12):
            begun.append(number)
            yield number

    with tasks(cluster=dask_address) as place:
        results = place.map(power, 3, items())
        assert next(results) == 1
        assert len(begun) == AHEAD * place.processes
        assert list(results)[-1] == 3**11


def test_refusals(monkeypatch):
    with (
        pytest.raises(UserError, match="--workers and --dask exclude each other"),
        tasks(2, "tcp://a:1"),
    ):
        pass
    with pytest.raises(UserError, match="--dask nonsense://x: no Dask scheduler answers there"):  # noqa: SIM117
        with tasks(cluster="nonsense://x"):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"needs the package distributed\. Install it"), tasks(2):
        pass
