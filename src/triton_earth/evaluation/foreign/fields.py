"""Fields of a dataset made elsewhere: variables under canonical names and units, south to north, west to east."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float32

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import Grid, LatLonGrid, box_of, grid_from_dict
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.channels import Channels, Layout, units_conversion
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.names import known_in_file
from triton_earth.data.sources.places.coordinates import (
    Axis,
    find_axis,
    latitude_axis,
    longitude_axis,
)
from triton_earth.data.sources.places.levels import level_values, lies_under_water
from triton_earth.data.sources.values.units import canonical_units

_MAPPING = "THEIRS=OURS, for example t2m=2m_temperature"


class Fields:
    """Maps of a dataset by canonical name.

    Attributes:
        source: Where they come from, for messages.
        grid: Where the cells are.
        variables: What each channel is.
        remarks: What was assumed and what is left out, in sentences.
    """

    def __init__(
        self,
        template: xr.Dataset,
        source: str,
        time: str,
        *,
        rename: Mapping[str, str],
        wanted: Variables | None,
    ) -> None:
        """Find the variables that are maps along a dimension of time.

        Args:
            template: The dataset without its other dimensions (leads, members).
            source: Where it comes from, for messages.
            time: Dimension that becomes the first one.
            rename: Canonical names of variables whose name is not known, by their names; those of other datasets too.
            wanted: Variables that are looked for, and their units; None: all, in canonical units.

        Raises:
            UserError: if there is no grid, or none of the variables wanted.
        """
        self.source, self._time = source, time
        self._rows, self._columns, self.grid = _axes(template, source)
        self.remarks: list[str] = []
        self._channels: list[Channels] = []
        found: list[Variable] = []
        for name, array in template.data_vars.items():
            if not {time, self._rows.name, self._columns.name} <= set(array.dims):
                continue
            channels, variables = self._channels_of(str(name), array, template, rename, wanted)
            if variables:
                self._channels.append(channels)
                found += variables
        self._require_any(found, template, wanted)
        order = [one.name for one in found] if wanted is None else wanted.names
        self.variables = Variables(tuple(found)).select(
            [name for name in order if name in {one.name for one in found}]
        )
        self._order = [[one.name for one in found].index(name) for name in self.variables.names]

    def read(self, dataset: xr.Dataset, times: slice) -> Float32[np.ndarray, "time channel y x"]:
        """Read all variables at some times.

        Args:
            dataset: The template with fields of one lead and member.
            times: Which times.

        Raises:
            UserError: if the data cannot be read.
        """
        parts = [
            channels.read(dataset, {self._time: times}, self._rows, self._columns, self.source)
            for channels in self._channels
        ]
        return np.concatenate(parts, axis=1)[:, self._order].astype(np.float32)

    def require_plausible(self, fields: Float32[np.ndarray, "channel y x"]) -> None:
        """Refuse maps whose mean a known variable cannot have on Earth: their units are not what they seem.

        Raises:
            UserError: naming the variable and its mean.
        """
        if not isinstance(self.grid, LatLonGrid):
            return
        known = {
            variable.name: (channels.known, variable)
            for channels in self._channels
            for variable in channels.variables
        }
        for name, field in zip(self.variables.names, fields, strict=True):
            of, variable = known[name]
            finite = field[np.isfinite(field)]
            scale = None if of is None else of.conversion(variable.units)
            if of is None or scale is None or not finite.size:
                continue
            mean = scale[0] * float(finite.mean(dtype=np.float64)) + scale[1]
            if not of.lowest <= mean <= of.highest:
                raise UserError(
                    f"{self.source}: the mean of '{name}' is {mean:.4g} {of.units} in the first field; on Earth it is "
                    f"between {of.lowest:g} and {of.highest:g}. Correct the attribute `units` of the variable."
                )

    def _channels_of(
        self,
        name: str,
        array: xr.DataArray,
        dataset: xr.Dataset,
        rename: Mapping[str, str],
        wanted: Variables | None,
    ) -> tuple[Channels, list[Variable]]:
        """Return how a variable is read, and the channels of it that are wanted."""
        what = f"{self.source}: variable '{name}'"
        known = known_in_file(
            rename.get(name, name),
            None if name in rename else text_of(array, "standard_name"),
            under_water=lies_under_water(dataset, array.dims),
        )
        base = rename.get(name) or (name if wanted is not None and name in wanted else None)
        base = base or (known.name if known else name)
        level = find_axis(dataset, "level", array.dims)
        dimension = None if level is None else str(dataset.variables[level].dims[0])
        others = {*array.dims} - {self._time, self._rows.name, self._columns.name, dimension}
        if others and any(array.sizes[other] > 1 for other in others):
            raise UserError(
                f"{what} also depends on {sorted(map(str, others))}. Choose one value of each dimension (xarray: "
                "ds.isel), or leave the variable out (ds.drop_vars)."
            )
        levels: dict[int, float | None] = {0: None}
        if level is not None:
            levels = dict(enumerate(level_values(dataset, level, what).tolist()))
            if len(levels) == 1 and (wanted is None or base in wanted):
                levels, dimension = {0: None}, None
        chosen = {
            index: Variable(
                base if value is None else f"{base}_{value:g}", "", "", value, Role.PROGNOSTIC
            )
            for index, value in levels.items()
        }
        if wanted is not None:
            targets = {index: _wanted(one, wanted) for index, one in chosen.items()}
            chosen = {index: one for index, one in targets.items() if one is not None}
        layout, variables = self._in_units(what, array, chosen, known, wanted is not None)
        own = Layout(*layout, dimension, tuple(chosen), None, has_time=True, time=None)
        return Channels(name, tuple(variables), {self.source: own}, known, None), variables

    def _in_units(
        self,
        what: str,
        array: xr.DataArray,
        chosen: Mapping[int, Variable],
        known: KnownVariable | None,
        given: bool,
    ) -> tuple[tuple[float, float], list[Variable]]:
        """Return (scale, offset) to the units wanted, and the variables with their units."""
        variables = list(chosen.values())
        if not variables:
            return (1.0, 0.0), []
        stated = text_of(array, "units")
        units = variables[0].units if given else (known.units if known else stated)
        if units is None:
            raise UserError(
                f"{what} does not say its units, and its name is not in the table of known variables. Add them "
                f"(xarray: ds['{array.name}'].attrs['units'] = 'm s-1'), or leave the variable out (ds.drop_vars)."
            )
        if stated is None:
            stated = units
            self.remarks.append(f"{what} does not say its units; they are taken to be {units}.")
        scale = units_conversion(stated, units, known)
        if scale is None:
            raise UserError(
                f"{what} is in '{stated}', which cannot be converted to '{units}', the units it is judged in. Correct "
                "the attribute `units`, or leave the variable out (xarray: ds.drop_vars)."
            )
        if not given:
            long_name = known.long_name if known else text_of(array, "long_name") or ""
            variables = [
                Variable(
                    one.name,
                    canonical_units(units),
                    long_name if one.level is None else f"{long_name} at {one.level:g}",
                    one.level,
                    one.role,
                )
                for one in variables
            ]
        return scale, variables

    def _require_any(
        self, found: Iterable[Variable], template: xr.Dataset, wanted: Variables | None
    ) -> None:
        names = [one.name for one in found]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UserError(
                f"{self.source}: more than one variable may be {repeated}; it has "
                f"{sorted(map(str, template.data_vars))}. Leave all but one out (xarray: ds.drop_vars)."
            )
        if not names:
            looked = f"none is among {wanted.names}" if wanted else "none is a map in time"
            raise UserError(
                f"{self.source}: no variable can be judged: {looked}; it has {sorted(map(str, template.data_vars))}. "
                f"Say what a variable is with --rename {_MAPPING}."
            )


def parse_rename(rename: Mapping[str, str] | Iterable[str] | None) -> dict[str, str]:
    """Return canonical names by their names, from a mapping or from texts ``THEIRS=OURS``.

    Raises:
        UserError: if a text has another form.
    """
    if rename is None:
        return {}
    if isinstance(rename, Mapping):
        return dict(rename)
    found = {}
    for text in [rename] if isinstance(rename, str) else rename:
        theirs, equals, ours = text.partition("=")
        if not (equals and theirs and ours):
            raise UserError(f"--rename {text}: expected {_MAPPING}.")
        found[theirs] = ours
    return found


def require_renamed(rename: Mapping[str, str], datasets: Iterable[xr.Dataset]) -> None:
    """Refuse names to rename that no dataset has.

    Raises:
        UserError: naming the nearest that there is.
    """
    there = sorted({str(name) for one in datasets for name in one.data_vars})
    for theirs, ours in rename.items():
        if theirs not in there:
            raise UserError(
                f"--rename {theirs}={ours}: no dataset has a variable '{theirs}'; {nearest(theirs, there)}"
            )


def _axes(dataset: xr.Dataset, source: str) -> tuple[Axis, Axis, Grid]:
    """Return rows and columns in canonical order, and the grid; a box says in its attributes what it is."""
    described = _as_stored(dataset.attrs.get("grid")) or box_of(dataset.attrs)
    if find_axis(dataset, "latitude") is None and isinstance(described, dict):
        grid = grid_from_dict(described)
        rows, columns = (
            Axis(name, np.arange(values.size), values)
            for name, values in zip(grid.axes, (grid.y, grid.x), strict=True)
        )
        return rows, columns, grid
    latitude = latitude_axis(dataset, source, None)
    longitude = longitude_axis(dataset, source, None)
    grid = LatLonGrid(tuple(latitude.values), tuple(longitude.values))
    return latitude, longitude, grid


def _as_stored(grid: Any) -> Any:
    """Return the attribute ``grid`` of a store of ours, which is JSON text; None where it is another's text."""
    try:
        return json.loads(grid) if isinstance(grid, str) else grid
    except ValueError:
        return None


def _wanted(variable: Variable, wanted: Variables) -> Variable | None:
    """Return the variable that is looked for under this name, to a thousandth of its level."""
    if variable.name in wanted:
        return wanted.select([variable.name]).channels[0]
    if variable.level is None:
        return None
    base = variable.name.rpartition("_")[0]
    for one in wanted:
        if one.level is None or one.name.rpartition("_")[0] != base:
            continue
        if abs(abs(one.level) - abs(variable.level)) <= 1e-3 * max(abs(one.level), 1.0):
            return one
    return None
