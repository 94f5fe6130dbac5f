"""The commands that list what comes with the package: recipes, their schema, networks and models."""

import json
from typing import Annotated

import typer


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Recipe to print, for a copy.")
    ] = None,
) -> None:
    """List the shipped recipes, or print one of them."""
    from triton_earth.workflow.recipes.recipe import find_recipe, recipe_titles

    if name is not None:
        typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)
        return
    for recipe, title in recipe_titles().items():
        typer.echo(f"{recipe:20s} {title}")


def schema() -> None:
    """Print the JSON schema of a recipe. Editors complete and check its keys by it."""
    from triton_earth.workflow.recipes.recipe_schema import recipe_schema

    typer.echo(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))


def models() -> None:
    """List networks, shipped models and reference forecasts."""
    from triton_earth.models.references import REFERENCES
    from triton_earth.models.registry import describe_network, origins
    from triton_earth.models.zoo import shipped_models

    for name, origin in origins().items():
        typer.echo(f"{name:20s} {origin:20s} {describe_network(name)}".rstrip())
    typer.echo("\nModels that are shipped (triton-earth forecast NAME STORE):")
    for shipped in shipped_models().values():
        typer.echo(shipped.describe())
    typer.echo(
        "\nReference forecasts (triton-earth forecast NAME STORE --steps N), fitted to STORE:"
    )
    for reference, words in REFERENCES.items():
        typer.echo(f"{reference:20s} {words}")


COMMANDS = (recipes, schema, models)
"""Commands of this file, in the order of the help."""
