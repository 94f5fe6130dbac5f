"""Chosen variables: which variable of the files a recipe means, and what is known of it."""

from collections.abc import Mapping

import xarray as xr

from triton_earth.core.errors import UserError, nearest
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.config import VariableChoice
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.names import fields_of, is_vague, known_in_file, known_variable
from triton_earth.data.sources.places.levels import lies_under_water


def find_variable(choice: VariableChoice, files: Mapping[str, xr.Dataset]) -> tuple[str, str]:
    """Return the first file that has the variable that a recipe chooses, and its name there.

    Raises:
        UserError: if no file has it, or several variables may be it.
    """
    everywhere = {
        str(name): (source, dataset)
        for source, dataset in reversed(list(files.items()))
        for name in fields_of(dataset)
    }
    if choice.source is not None:
        candidates = [choice.source] if choice.source in everywhere else []
    elif choice.name in everywhere:
        candidates = [choice.name]
    else:
        wanted = known_variable(choice.name)
        candidates = [
            name
            for name, (_, dataset) in everywhere.items()
            if wanted is not None and _meaning(dataset, dataset[name]) is wanted
        ]
    if len(candidates) > 1:
        raise UserError(
            f"data.variables: '{choice.name}' may be any of {sorted(candidates)} in the files; say which one with "
            "`source:`."
        )
    if not candidates:
        raise UserError(
            f"{next(iter(files))}: there is no variable '{choice.source or choice.name}' for '{choice.name}'; "
            f"{nearest(choice.source or choice.name, everywhere)} Correct data.variables."
        )
    source, _ = everywhere[candidates[0]]
    return source, candidates[0]


def meant_variable(
    choice: VariableChoice, dataset: xr.Dataset, array: xr.DataArray
) -> KnownVariable | None:
    """Return the known variable of the recipe's name, else of the file's name."""
    named = None if is_vague(choice.name) else known_variable(choice.name)
    return named or _meaning(dataset, array)


def _meaning(dataset: xr.Dataset, array: xr.DataArray) -> KnownVariable | None:
    return known_in_file(
        str(array.name),
        text_of(array, "standard_name"),
        under_water=lies_under_water(dataset, array.dims),
    )
