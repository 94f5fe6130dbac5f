"""Independent tasks one after the other, in processes of this machine, or on a Dask cluster; results come in order."""

import importlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from triton_earth.core.errors import UserError
from triton_earth.core.processes.machine import require_workers

Item = TypeVar("Item")
Result = TypeVar("Result")
Shared = TypeVar("Shared")

AHEAD = 2
"""Tasks that are under way for each process, so that none waits for the next."""


class InThisProcess:
    """One task after the other.

    Attributes:
        processes: One.
    """

    processes = 1

    def map(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield `function(shared, item)` for each item, in their order."""
        for item in items:
            yield function(shared, item)


class OnCluster:
    """Tasks on the workers of a Dask cluster.

    Attributes:
        processes: Threads of all workers together.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.processes = max(1, sum(client.nthreads().values()))

    def map(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield `function(shared, item)` for each item, in their order; `shared` goes to each process once.

        After an error the tasks under way are finished, the others not begun.
        """
        everywhere = self._client.scatter(shared, broadcast=True, hash=False)
        pending: list[Any] = []
        try:
            for item in items:
                pending.append(self._client.submit(function, everywhere, item, pure=False))
                if len(pending) >= AHEAD * self.processes:
                    yield pending.pop(0).result()
            while pending:
                yield pending.pop(0).result()
        finally:
            for future in pending:
                future.exception()


Tasks = InThisProcess | OnCluster
"""What `tasks` opens."""


@contextmanager
def tasks(workers: int = 1, cluster: str | None = None) -> Iterator[Tasks]:
    """Open a place for tasks.

    Args:
        workers: Processes on this machine; 1 works in this one.
        cluster: Address of a Dask scheduler, for example ``tcp://10.0.0.1:8786``, whose workers do them instead.

    Raises:
        UserError: if both are asked for, the package `distributed` is missing, or nobody answers at the address.
    """
    if cluster is None and workers == 1:
        yield InThisProcess()
        return
    if cluster is None:
        require_workers(workers)
    if cluster is not None and workers != 1:
        raise UserError("--workers and --dask exclude each other; give one of them.")
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise UserError(
            "work in several processes needs the package distributed. Install it "
            "(pip install 'triton-earth[cluster]'), or leave out --workers and --dask."
        ) from error
    if cluster is not None:
        try:
            client = distributed.Client(cluster, timeout="10s", set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--dask {cluster}: no Dask scheduler answers there ({type(error).__name__}). Correct the address, "
                "for example tcp://10.0.0.1:8786."
            ) from error
        with client:
            if not client.nthreads():
                raise UserError(f"--dask {cluster}: the cluster has no workers. Start some.")
            yield OnCluster(client)
        return
    with (
        _without_messages("distributed"),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield OnCluster(client)


@contextmanager
def _without_messages(name: str) -> Iterator[None]:
    """Keep a package's messages about its own comings and goings from the user; errors reach them as exceptions."""
    its = logging.getLogger(name)
    level = its.level
    its.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        its.setLevel(level)
