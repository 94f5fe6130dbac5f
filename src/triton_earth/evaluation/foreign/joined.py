"""Forecasts whose variables and members are files of their own, as CMIP has them, put together start by start."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError, first_line
from triton_earth.evaluation.foreign.layouts import find_coordinate


def joined(parts: Sequence[tuple[str, xr.Dataset]]) -> list[tuple[str, xr.Dataset]]:
    """Return one dataset for each start, where each dataset has a single start and several have the same.

    Args:
        parts: Datasets with their names for messages.

    Returns:
        The datasets; those that were given where no start occurs twice, or one has several starts.

    Raises:
        UserError: if datasets of a start have a variable twice, or are on other cells, levels or times.
    """
    starts = [_value(dataset, "init") for _, dataset in parts]
    if None in starts or len(set(starts)) == len(starts):
        return list(parts)
    found = []
    for start in dict.fromkeys(starts):
        own = [part for part, begins in zip(parts, starts, strict=True) if begins == start]
        found.append((own[0][0], _members(own)))
    return found


def _members(parts: list[tuple[str, xr.Dataset]]) -> xr.Dataset:
    """Return the datasets of a start with their members along a dimension, if they have some."""
    numbers = [_value(dataset, "member") for _, dataset in parts]
    groups = [
        _variables([part for part, own in zip(parts, numbers, strict=True) if own == number])
        for number in dict.fromkeys(numbers)
    ]
    if len(groups) == 1:
        return groups[0]
    name = find_coordinate(groups[0], "member")
    try:
        return xr.concat(
            groups, name, join="exact", data_vars="all", coords="minimal", compat="override"
        )
    except ValueError as error:
        raise _unlike(parts, error) from error


def _variables(parts: list[tuple[str, xr.Dataset]]) -> xr.Dataset:
    """Return the variables of some datasets together."""
    names = [str(name) for _, dataset in parts for name in dataset.data_vars]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(
            f"{parts[0][0]}: the variable '{twice[0]}' of this start is in more than one of the files. Leave one of "
            "them out."
        )
    try:
        return xr.merge([dataset for _, dataset in parts], join="exact", compat="override")
    except ValueError as error:
        raise _unlike(parts, error) from error


def _unlike(parts: list[tuple[str, xr.Dataset]], error: ValueError) -> UserError:
    return UserError(
        f"{parts[0][0]}: files of the same start cannot be put together ({first_line(error)}). Give forecasts of each "
        "kind by itself."
    )


def _value(dataset: xr.Dataset, kind: str) -> tuple[str, str] | None:
    """Return the only initial time or member of a dataset, in a form that can be compared; None where there is none."""
    name = find_coordinate(dataset, kind)
    if name is None or name not in dataset.variables or dataset.variables[name].ndim:
        return None
    variable = dataset.variables[name]
    return str(np.asarray(variable.values).item()), str(variable.attrs.get("units", ""))
