"""The commands that take from and give to other people's tools. Torch is imported inside only."""

from pathlib import Path
from typing import Annotated

import typer

from triton_earth.options import Force, ModelArgument, Out, Overwrite, Resume


def convert(
    official: Annotated[
        Path, typer.Argument(metavar="OFFICIAL", help="Weights of the original system.")
    ],
    to: Annotated[Path, typer.Option("--to", help="New folder of the model.")],
    experiment: Annotated[
        str | None,
        typer.Option(
            help="weather, ocean, kuroshio or turbulence. By default found from the channels."
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="ROWSxCOLUMNS", help="Number of cells of the grid, as 64x64."),
    ] = None,
    mean: Annotated[
        Path | None, typer.Option(help="Means by channel, or the table of statistics by year.")
    ] = None,
    std: Annotated[Path | None, typer.Option(help="Standard deviations by channel.")] = None,
    climatology: Annotated[Path | None, typer.Option(help="Means by day of the year.")] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Mask of the cells where channels are defined; true is sea.")
    ] = None,
    normalised: Annotated[
        bool,
        typer.Option(
            "--normalised", help="Fields stay normalised, as the weather experiment's files are."
        ),
    ] = False,
    overwrite: Overwrite = False,
    force: Force = False,
) -> None:
    """Make a model of the published weights of the original."""
    from triton_earth.exchange.convert import convert as run
    from triton_earth.exchange.convert import parse_shape

    model = run(
        official,
        to,
        experiment=experiment,
        shape=None if shape is None else parse_shape(shape),
        mean=mean,
        std=std,
        climatology=climatology,
        mask=mask,
        normalised=normalised,
        overwrite=overwrite,
        force=force,
    )
    typer.echo(f"model: {to} ({model.parameter_count:,} parameters, {model.grid})")


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="New file.")],
    format: Annotated[
        str | None, typer.Option(help="onnx or pt2. By default the ending of FILE.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a step of a model as ONNX or a program of torch. Normalisation is inside."""
    from triton_earth.exchange.export_model import export as run

    made = run(model, out, format=format, overwrite=overwrite)
    typer.echo(
        f"{made} ({made.stat().st_size / 1e6:.1f} MB, the same as the model on random states)"
    )


def export_forecast(
    forecast: Annotated[Path, typer.Argument(metavar="FORECAST", help="Stored forecast.")],
    out: Out,
    layout: Annotated[str, typer.Option(help="Layout: weatherbench, oceanbench, cmip or netcdf.")],
    initial: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="Training store whose initial states become lead 0."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    force: Force = False,
) -> None:
    """Write a stored forecast in the layout of another tool."""
    from triton_earth.exchange.export_forecast import export_forecast as run

    made = run(
        forecast,
        out,
        layout=layout,
        initial=initial,
        resume=resume,
        overwrite=overwrite,
        force=force,
    )
    typer.echo(f"{layout}: {made}")


def push(
    model: ModelArgument,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Name on the Hub.")],
    licence: Annotated[
        str | None, typer.Option(help="Licence of the model, as apache-2.0.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of an evaluation; the card quotes its scores."),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Show the model to its owner only.")
    ] = False,
    force: Force = False,
) -> None:
    """Publish a model and its card on the Hugging Face Hub."""
    from triton_earth.exchange.push import push as run

    made = run(model, name, licence=licence, scores=scores, private=private, force=force)
    typer.echo(f"model: {made}")


COMMANDS = (convert, export, export_forecast, push)
"""All of them, in the order of the help."""
