"""The commands that take from and give to other people's tools. Torch is imported inside only."""

from pathlib import Path
from typing import Annotated

import typer

from triton_earth.options import Overwrite


def convert(
    official: Annotated[
        Path, typer.Argument(metavar="OFFICIAL", help="Weights of the original system.")
    ],
    to: Annotated[Path, typer.Option("--to", help="New folder of the model.")],
    experiment: Annotated[
        str | None,
        typer.Option(help="weather, ocean, kuroshio or turbulence; found from the channels."),
    ] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Cells of the grid.")
    ] = None,
    mean: Annotated[
        Path | None, typer.Option(help="Means by channel, or the table of statistics by year.")
    ] = None,
    std: Annotated[Path | None, typer.Option(help="Standard deviations by channel.")] = None,
    climatology: Annotated[Path | None, typer.Option(help="Means by day of the year.")] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Where channels are defined; true is sea.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert weights that were published for the original system into a model."""
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
        overwrite=overwrite,
    )
    typer.echo(f"model: {to} ({model.parameter_count:,} parameters, {model.grid})")
