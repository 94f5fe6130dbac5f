"""Vectors on curvilinear grids: which variables are components along the axes of a grid, and are to be turned."""

import re
from dataclasses import dataclass

import xarray as xr

from triton_earth.core.errors import UserError, nearest
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.channels import Channels

_ALONG_GRID = re.compile(r"(^|_)(x|y)_(wind|velocity|stress|component)|grid_(eastward|northward)")
_TRUE = re.compile(r"(^|_)(eastward|northward)_")
_COMPONENT = re.compile(
    r"(u|v|x|y)_component|eastward|northward|zonal|meridional|\b[uvxyij][- ](component|velocity|wind|momentum|axis)"
    r"|^[uv] at ",
    re.IGNORECASE,
)
_OTHER = (("x_", "y_"), ("grid_eastward", "grid_northward"))


@dataclass(frozen=True)
class Turned:
    """A component to the east or north that is made of two along the axes of a grid.

    Attributes:
        along_rows: Name of the component along rows, in the direction in which columns count.
        along_columns: Name of the one a right angle to the left of it.
        is_east: Whether it is the component to the east.
    """

    along_rows: str
    along_columns: str
    is_east: bool


def turned_components(
    on_meshes: dict[str, tuple[list[Channels], xr.DataArray]],
    rotate: tuple[tuple[str, str], ...] | None,
    source: str,
) -> dict[str, Turned]:
    """Return which channels are turned, and of which two each is made.

    The standard name says whether a component points east (``eastward_wind``) or along the grid (``x_wind``); where it
    says neither, the recipe has to.

    Args:
        on_meshes: Variables on curvilinear grids, by their name in the recipe: their channels, and the variable in its
            first file.
        rotate: Pairs of names that the recipe asks to turn; None where it says nothing.
        source: What messages call the files.

    Raises:
        UserError: if nothing says where a component points, or its other one is not there.
    """
    pairs = list(rotate) if rotate is not None else _told(on_meshes, source)
    turned: dict[str, Turned] = {}
    for first, second in pairs:
        for name in (first, second):
            if name not in on_meshes:
                raise UserError(
                    f"data.rotate: '{name}' is not among the variables on curvilinear grids; {nearest(name, on_meshes)}"
                )
        along_rows, along_columns = (
            {
                variable.level: variable.name
                for each in on_meshes[name][0]
                for variable in each.variables
            }
            for name in (first, second)
        )
        if along_rows.keys() != along_columns.keys():
            raise UserError(
                f"data.rotate: '{first}' and '{second}' have different levels. Ask for the same ones."
            )
        for level, one in along_rows.items():
            other = along_columns[level]
            turned[one] = Turned(one, other, is_east=True)
            turned[other] = Turned(one, other, is_east=False)
    return turned


def _told(
    on_meshes: dict[str, tuple[list[Channels], xr.DataArray]], source: str
) -> list[tuple[str, str]]:
    """Return the pairs that standard names say to lie along the grid."""
    standard = {
        name: text_of(array, "standard_name") or "" for name, (_, array) in on_meshes.items()
    }
    pairs = []
    for name, (channels, array) in on_meshes.items():
        known = channels[0].known
        words = (
            known.name if known else "",
            text_of(array, "long_name") or "",
            text_of(array, "description") or "",
        )
        if _ALONG_GRID.search(standard[name]):
            others = [standard[name].replace(*pair) for pair in _OTHER if pair[0] in standard[name]]
            other = next((key for key, value in standard.items() if value in others), None)
            if others and other is None:
                raise UserError(
                    f"{source}: '{array.name}' lies along the rows of its curvilinear grid, and its other component, "
                    f"{others[0]}, is not among data.variables. Add it, with `keep: false` if it is of no use, or say "
                    "data.rotate: [] to take it as it is."
                )
            if other is not None:
                pairs.append((name, other))
            elif not any(
                value != standard[name] and value.replace(*pair) == standard[name]
                for value in standard.values()
                for pair in _OTHER
            ):
                raise UserError(
                    f"{source}: '{array.name}' lies along the columns of its curvilinear grid, and its other component "
                    "is not among data.variables. Add it, with `keep: false` if it is of no use, or say data.rotate: "
                    "[] to take it as it is."
                )
        elif not _TRUE.search(standard[name]) and any(_COMPONENT.search(one) for one in words):
            raise UserError(
                f"{source}: '{array.name}' is a component of a vector on a curvilinear grid, and nothing says whether "
                "it points east or north or along the rows and columns (standard_name). Say data.rotate: [[U, V]] with "
                "the names of both to turn them to east and north, or data.rotate: [] to take them as they are."
            )
    return pairs
