"""Groups within a file: which of them hold fields, and what they take over from the groups that they lie in."""

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any

import netCDF4
import xarray as xr
import zarr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from triton_earth.core.errors import UserError, nearest

ALL_GROUPS = ("*",)
"""Every group that holds fields."""
_SEPARATOR = ", group "

Opened = list[tuple[str, xr.Dataset]]


def file_of(source: str) -> str:
    """Return the file of a source, which may be a group in it."""
    return source.partition(_SEPARATOR)[0]


def group_of(source: str) -> str:
    """Return the group within the file of a source, empty for the outermost."""
    return source.partition(_SEPARATOR)[2]


def source_of(path: str, group: str) -> str:
    """Return the name of a file's group for messages; the outermost group has the name of the file."""
    return f"{path}{_SEPARATOR}{group}" if group else path


def in_groups(
    path: str,
    open_group: Callable[[str], xr.Dataset],
    groups_with_fields: Callable[[], list[str]],
    wanted: tuple[str, ...],
) -> Opened:
    """Open the groups of a file that are wanted; each is a source of its own.

    Args:
        path: The file.
        open_group: Opens one of its groups, '' for the outermost.
        groups_with_fields: Lists the groups that hold fields.
        wanted: Names of groups, or `ALL_GROUPS`; where there is none, the outermost, or the only one that has fields.

    Returns:
        (source, dataset) of each.

    Raises:
        UserError: if a group is not there; if none is wanted and several have fields.
    """
    outermost = open_group("")
    if wanted in ((), ALL_GROUPS) and _has_fields(outermost):
        return [(path, outermost)]
    found = groups_with_fields()
    if wanted in ((), ALL_GROUPS):
        if not found:
            return [(path, outermost)]
        if len(found) > 1 and not wanted:
            raise UserError(
                f"{path}: the fields lie in the groups {', '.join(found)}. Say which with data.group, one or a list."
            )
        names = found
    else:
        names = [name.strip("/") for name in wanted]
    for name in names:
        if name not in found:
            raise UserError(
                f"{path}: there is no group '{name}' with fields in it; {nearest(name, found)} Correct data.group."
                if found
                else f"{path}: data.group is '{name}', but the file has no groups. Leave it out."
            )
    return [(source_of(path, name), _with_inherited(open_group, outermost, name)) for name in names]


def netcdf_groups(file: Any) -> list[str]:
    """Return the groups of a NetCDF-4 file that hold fields; a path, or a file object."""

    def within(group: Any, path: str) -> Iterable[str]:
        for name, inner in group.groups.items():
            at = f"{path}/{name}".strip("/")
            if any(len(variable.dimensions) > 1 for variable in inner.variables.values()):
                yield at
            yield from within(inner, at)

    if isinstance(file, str):
        # The C library crashes when two threads are in it; xarray holds this lock whenever it reads.
        with NETCDF4_PYTHON_LOCK, netCDF4.Dataset(file) as outermost:
            return list(within(outermost, ""))
    import h5netcdf

    with h5netcdf.File(file, "r") as outermost:
        return list(within(outermost, ""))


def zarr_groups(group: zarr.Group) -> list[str]:
    """Return the groups within a Zarr group that hold fields."""
    members = group.members(max_depth=None)
    parents = [
        str(PurePosixPath(name).parent)
        for name, member in members
        if isinstance(member, zarr.Array) and member.ndim > 1
    ]
    return sorted({name for name in parents if name != "."})


def _has_fields(dataset: xr.Dataset) -> bool:
    return any(variable.ndim > 1 for variable in dataset.variables.values())


def _with_inherited(
    open_group: Callable[[str], xr.Dataset], outermost: xr.Dataset, name: str
) -> xr.Dataset:
    """Return a group with the coordinates of its dimensions that only the groups around it have (CF 1.11, 2.7.1)."""
    dataset = open_group(name)
    around = [str(parent) for parent in PurePosixPath(name).parents if str(parent) != "."]
    for outer in [*(open_group(parent) for parent in around), outermost]:
        inherited = {
            key: outer[key].variable
            for key, variable in outer.variables.items()
            if key not in dataset.variables
            and set(variable.dims) <= set(dataset.dims)
            and (variable.ndim < 2 or key in outer.coords)
        }
        dataset = dataset.assign_coords(inherited)
    return dataset
