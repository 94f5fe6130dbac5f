"""The command line: translates each verb into one function call. Imports torch only inside the verbs."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import triton_earth
from triton_earth.core.errors import UserError

app = typer.Typer(
    name="triton-earth",
    help="Train, run and judge AI forecasts of the Earth system over very long rollouts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Recipe file, or the name of a shipped recipe.")
]
StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Training store.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Overrides of the recipe: train.steps=10"),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished output.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command()
def prepare(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="New training store.")] = ...,
    device: Device = "auto",
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Make the training store of a recipe."""
    from triton_earth.workflow.prepare import prepare as run

    store = run(recipe, out, overrides, device=device, resume=resume, overwrite=overwrite)
    typer.echo(f"training store: {store.path} ({store.content_hash[:12]})")


@app.command()
def train(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    store: Annotated[Path, typer.Option(help="Training store.")] = ...,
    out: Annotated[Path, typer.Option(help="Run folder.")] = ...,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train the model of a recipe."""
    from triton_earth.workflow.train import train as run

    run(recipe, store, out, overrides, resume=resume, overwrite=overwrite)
    typer.echo(f"model: {out / 'forecaster'}")


@app.command()
def forecast(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Run folder or forecaster.")],
    store: StoreArgument,
    out: Annotated[Path, typer.Option(help="New forecast store.")],
    steps: Annotated[int, typer.Option(help="Number of leads.")] = 99,
    split: Annotated[str, typer.Option(help="Split whose trajectories are forecast.")] = "test",
    init: Annotated[
        list[str] | None, typer.Option(help="Initial time; may be given more than once.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Initial conditions forecast together.")] = 16,
    device: Device = "auto",
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Forecast from states of a training store."""
    from triton_earth.workflow.forecast import forecast as run

    run(
        model,
        store,
        out,
        steps=steps,
        split=split,
        init=init,
        batch_size=batch_size,
        device=device,
        resume=resume,
        overwrite=overwrite,
    )
    typer.echo(f"forecast: {out}")


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads stall beside any other
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("triton_earth").setLevel(logging.INFO)
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
