"""`triton-earth bench`: from a file of variants to a table that can be believed."""

from pathlib import Path
from typing import Any

from triton_earth.bench.config import load_bench
from triton_earth.bench.folder import BenchFolder
from triton_earth.bench.needs import require_bench_fits, require_references
from triton_earth.bench.report import write_results, write_tables
from triton_earth.bench.results import Results, results
from triton_earth.bench.runs import measure_costs, require_affordable, run_variant, search_rate
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import own_path
from triton_earth.core.outputs.files import require_apart
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.core.processes.tasks import tasks
from triton_earth.workflow.prepare import prepare


def bench(
    file: Path,
    out: Path,
    *,
    jobs: int = 1,
    run: int | None = None,
    dask: str | None = None,
    force: bool = False,
) -> Results | None:
    """Train, forecast and judge every variant with every seed, and write the table.

    What is done already stays; a start after a kill goes on with the run that it ended. A variant or run that fails is
    a row with its reason.

    Args:
        file: The bench.
        out: Its folder: ``table.md``, ``results.json``, ``report/report.html``, the store and all runs.
        jobs: Processes on this machine that share the work.
        run: Do this piece of work alone: with V variants and S seeds, 0 … V − 1 are the searches of the learning rate,
            V … V + V·S − 1 the runs, the first seed of all variants first.
        dask: Address of a Dask scheduler whose workers share the work.
        force: Go on though memory or disk do not suffice.

    Returns:
        What the table has; None after a single piece.

    Raises:
        UserError: if the file is wrong, a variant or a reference forecast cannot run on the grid, the budget pays for
            no variant, memory or disk do not suffice, or `out` belongs to something else or is being written by another
            process that does not do single pieces too.
    """
    config = load_bench(file)
    folder = BenchFolder(own_path(out, resume=True), config)
    pieces = [
        *((name, None) for name in config.variants),
        *((name, seed) for seed in config.seeds for name in config.variants),
    ]
    if run is not None and not 0 <= run < len(pieces):
        count = len(config.variants)
        raise UserError(
            f"--run: expected 0 to {count - 1} for the searches of {count} variants, or {count} to {len(pieces) - 1} "
            f"for the runs; found {run}."
        )
    require_apart(out, [file, *([] if config.store is None else [config.store])])
    with sole_use(folder.path, shared=run is not None):
        if not force:
            require_bench_fits(folder, jobs)
        folder.claim()
        if config.store is None:
            first = next(iter(config.variants))
            prepare(
                config.recipe, folder.store, config.assignments(first), resume=True, force=force
            )
        require_references(folder)
        return _done(folder, pieces, jobs, run, dask)


def _done(
    folder: BenchFolder,
    pieces: list[tuple[str, int | None]],
    jobs: int,
    run: int | None,
    dask: str | None,
) -> Results | None:
    """Do one piece of work or all of them."""
    config = folder.config
    measured = config.variants if run is None else [pieces[run][0]]
    measure_costs(folder, measured)
    if run is not None:
        _do(folder, pieces[run])
        return None
    require_affordable(folder)
    searches, runs = pieces[: len(config.variants)], pieces[len(config.variants) :]
    with tasks(jobs, dask) as places:
        for part in (searches, runs):
            for _ in places.map(_do, folder, part):
                write_tables(folder, results(folder))
    found = results(folder)
    write_results(folder, found)
    return found


def _do(folder: BenchFolder, piece: tuple[str, int | None]) -> dict[str, Any]:
    """Do one piece of work: a search or a run."""
    variant, seed = piece
    return search_rate(folder, variant) if seed is None else run_variant(folder, variant, seed)
