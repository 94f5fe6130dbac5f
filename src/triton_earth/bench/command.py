"""The command `triton-earth bench`: translates its arguments into one function call. Torch is imported inside only."""

from pathlib import Path
from typing import Annotated

import typer

from triton_earth.options import Dask, Force, Out, at_least


def bench(
    file: Annotated[
        Path, typer.Argument(metavar="BENCH", help="File with the variants and the budget.")
    ],
    out: Out,
    jobs: Annotated[
        int, typer.Option(callback=at_least(1, "--jobs"), help="Processes that share the work.")
    ] = 1,
    run: Annotated[
        int | None, typer.Option(metavar="INDEX", help="Number of the one piece of work to do.")
    ] = None,
    dask: Dask = None,
    force: Force = False,
) -> None:
    """Compare variants of a recipe with equal budgets. The same command goes on where it ended."""
    from triton_earth.bench.bench import bench as compare_variants
    from triton_earth.bench.table import markdown

    found = compare_variants(file, out, jobs=jobs, run=run, dask=dask, force=force)
    if found is not None:
        typer.echo(f"{markdown(found)}\nreport: {out / 'report' / 'report.html'}")
