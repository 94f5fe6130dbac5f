"""Channels: a recipe's choice of a variable found in the files, with the units and levels it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float64, Shaped

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role, Variable
from triton_earth.data.sources.attributes import packing_of, text_of
from triton_earth.data.sources.chosen_variables import find_variable, meant_variable
from triton_earth.data.sources.config import VariableChoice
from triton_earth.data.sources.errors import READ_ERRORS, first_line
from triton_earth.data.sources.known_variables import BY_NAME, KnownVariable
from triton_earth.data.sources.names import fields_of, known_variable
from triton_earth.data.sources.places.coordinates import Axis, find_axis
from triton_earth.data.sources.places.levels import (
    NEAR_GROUND,
    level_indices,
    level_values,
    single_level,
)
from triton_earth.data.sources.places.other_dimensions import (
    only_other_dimension,
    other_dimensions,
    what_to_do_with,
)
from triton_earth.data.sources.times.axis import (
    bare_time,
    find_time,
    no_times,
    without_coordinate,
)
from triton_earth.data.sources.times.cell_methods import Aggregation, aggregation_of
from triton_earth.data.sources.values.possible_values import Possible, possible_values
from triton_earth.data.sources.values.stored_values import converted
from triton_earth.data.sources.values.units import canonical_units, conversion


@dataclass(frozen=True)
class Layout:
    """How one file holds a variable.

    Attributes:
        scale: value = scale · stored value + offset.
        offset: See `scale`.
        level: Level dimension, or None.
        indices: Index of each channel's level.
        only_level: The level of a variable that has one and is asked for none, or None.
        has_time: Whether the variable changes in time.
        time: Its coordinate of time, which may be a single value; None where it has none.
        packing: (scale factor, offset) with stored value = scale factor · packed number + offset, or None.
        in_percent: Whether the file says that its values are per cent.
    """

    scale: float
    offset: float
    level: str | None
    indices: tuple[int, ...]
    only_level: float | None
    has_time: bool
    time: str | None
    packing: tuple[float, float] | None = None
    in_percent: bool = False


@dataclass(frozen=True)
class Channels:
    """One variable of the files, as one or several channels of the store.

    Attributes:
        source_name: Name in the files.
        variables: What each channel is.
        layouts: How each file that has the variable holds it, by the file's name.
        known: What is known of the variable, or None.
        aggregation: What becomes of its values on a longer step; None where nobody says it.
        possible: What its values can be, or None.
    """

    source_name: str
    variables: tuple[Variable, ...]
    layouts: dict[str, Layout]
    known: KnownVariable | None
    aggregation: Aggregation | None
    possible: Possible | None = None

    @property
    def has_time(self) -> bool:
        """Whether the variable changes in time."""
        return next(iter(self.layouts.values())).has_time

    @property
    def in_percent(self) -> bool:
        """Whether a file says that the values are per cent, of a whole that is 1."""
        shares = self.possible is not None and self.possible.whole is not None
        return shares and any(layout.in_percent for layout in self.layouts.values())

    def read(
        self,
        dataset: xr.Dataset,
        times: dict[str, slice] | None,
        latitude: Axis,
        longitude: Axis,
        source: str,
    ) -> Float64[np.ndarray, "time channel y x"]:
        """Read some times of one file, as `read_stored` does, in the units of the store."""
        stored = self.read_stored(dataset, times, latitude, longitude, source)
        layout = self.layouts[source]
        return converted(stored, layout.scale, layout.offset, np.float64)

    def read_stored(
        self,
        dataset: xr.Dataset,
        times: dict[str, slice] | None,
        latitude: Axis,
        longitude: Axis,
        source: str,
    ) -> Shaped[np.ndarray, "time channel y x"]:
        """Read some times of one file, as they are in it.

        Args:
            dataset: The file.
            times: Its time dimension and which times; None for a variable without.
            latitude: Rows to take.
            longitude: Columns to take.
            source: The file's name, for the message.

        Raises:
            UserError: if the file is damaged.
        """
        layout = self.layouts[source]
        rows, columns = _enclosing(latitude.order), _enclosing(longitude.order)
        chosen = dataset[self.source_name].isel(
            {**(times or {}), latitude.name: rows, longitude.name: columns}
        )
        order = [
            *(times or {}),
            *([layout.level] if layout.level else []),
            latitude.name,
            longitude.name,
        ]
        try:
            if layout.level is not None:
                chosen = chosen.isel({layout.level: list(layout.indices)})
            values = (
                chosen.squeeze([d for d in chosen.dims if d not in order], drop=True)
                .transpose(*order)
                .to_numpy()
            )
        except READ_ERRORS as error:
            raise UserError(
                f"{source}: variable '{self.source_name}' cannot be read ({first_line(error)}). "
                "The file is damaged; fetch it again."
            ) from error
        if times is None:
            values = values[None]
        if layout.level is None:
            values = values[:, None]
        values = _in_order(values, latitude.order - rows.start, axis=-2)
        return _in_order(values, longitude.order - columns.start, axis=-1)


def choose_channels(choice: VariableChoice, files: Mapping[str, xr.Dataset]) -> list[Channels]:
    """Find a recipe's variable in the files, and its units and levels in each of them.

    Args:
        choice: What the recipe says.
        files: Opened files by name.

    Returns:
        The channels it becomes; several sets of them where some files hold some of the levels and others the others.

    Raises:
        UserError: if the variable, a level or the time is missing, it is no map of numbers, or its units are unknown or
            cannot be converted; if files hold it in ways that cannot be brought together.
    """
    first, name = find_variable(choice, files)
    holding = [source for source, dataset in files.items() if name in fields_of(dataset)]
    if choice.levels is None:
        return [_channels(choice, files, holding, name, first, None)]
    by_levels = _level_sets(files, holding, name)
    if len(by_levels) < 2:
        return [_channels(choice, files, holding, name, first, choice.levels)]
    asked = {
        levels: tuple(one for one in choice.levels if _is_among(one, levels))
        for levels in by_levels
    }
    missing = sorted(set(choice.levels) - {one for some in asked.values() for one in some})
    if missing:
        known = ", ".join(f"{one:g}" for one in sorted({one for some in by_levels for one in some}))
        raise UserError(
            f"{first}: variable '{name}': level {missing[0]:g} is in none of {len(holding)} files; they have {known}."
        )
    return [
        _channels(choice, files, by_levels[levels], name, by_levels[levels][0], some)
        for levels, some in asked.items()
        if some
    ]


def _channels(
    choice: VariableChoice,
    files: Mapping[str, xr.Dataset],
    holding: list[str],
    name: str,
    first: str,
    levels: tuple[float, ...] | None,
) -> Channels:
    """Return the channels that some files hold."""
    array = files[first][name]
    standard_name = text_of(array, "standard_name")
    known = meant_variable(choice, files[first], array)
    stated = choice.source_units if choice.source_units is not None else text_of(array, "units")
    units = choice.units or (known.units if known else stated)
    layouts = {
        source: _layout(choice, source, files[source], name, known, units, levels)
        for source in holding
    }
    for source in holding:
        if source != first:
            _require_same_kind(name, first, layouts[first], source, layouts[source])
    # A file's `u` may be wind or current: only a canonical or standard name says in words what it is.
    described = BY_NAME.get(choice.name) or known_variable(standard_name)
    own_words = text_of(array, "long_name") or choice.name
    long_name = choice.long_name or (described.long_name if described else own_words)
    variables = tuple(
        Variable(
            choice.name if each is None else f"{choice.name}_{each:g}",
            canonical_units(units or ""),
            long_name if each is None else f"{long_name} at {each:g}",
            each,
            choice.role,
        )
        for each in levels or (None,)
    )
    time = layouts[first].time
    names = ("time",) if time is None else (time, *map(str, files[first].variables[time].dims))
    how = choice.aggregate or aggregation_of(array, known, names)
    called = (choice.name, name, standard_name, text_of(array, "long_name"))
    possible = possible_values(known, variables[0].units, called)
    return Channels(name, variables, layouts, known, how, possible)


def _level_sets(
    files: Mapping[str, xr.Dataset], holding: list[str], name: str
) -> dict[tuple[float, ...], list[str]]:
    """Return which files hold which levels, where no two sets share a level; nothing where they do."""
    sets: dict[tuple[float, ...], list[str]] = {}
    for source in holding:
        dataset, array = files[source], files[source][name]
        what = f"{source}: variable '{name}'"
        level = find_axis(dataset, "level", array.dims)
        single = single_level(dataset, array, what)
        if level is None and single is None:
            return {}
        values = [single] if level is None else level_values(dataset, level, what)
        sets.setdefault(tuple(sorted(round(float(one or 0.0), 3) for one in values)), []).append(
            source
        )
    together = [one for levels in sets for one in levels]
    return sets if len(set(together)) == len(together) else {}


def _is_among(level: float, levels: tuple[float, ...]) -> bool:
    return any(abs(abs(one) - abs(level)) <= 1e-3 * max(abs(level), 1.0) for one in levels)


def _layout(
    choice: VariableChoice,
    source: str,
    dataset: xr.Dataset,
    name: str,
    known: KnownVariable | None,
    units: str | None,
    levels: tuple[float, ...] | None,
) -> Layout:
    """Return how one file holds the variable; `units` are those of the store."""
    array = dataset[name]
    what = f"{source}: variable '{name}'"
    for key in ("scale_factor", "add_offset"):
        packing = array.encoding.get(key, array.attrs.get(key, 1.0))
        if np.asarray(packing).dtype.kind not in "iuf":
            raise UserError(
                f"{what} has the attribute {key} {packing!r}, which is no number. Correct it (NCO: ncatted)."
            )
    if array.dtype.kind not in "iufb":
        raise UserError(
            f"{what} is of type {array.dtype}, which holds no numbers. Choose another variable, or leave the file out."
        )
    _require_map(dataset, array, what)
    time = find_time(dataset, array.dims)
    single = time is not None and dataset.variables[time].ndim == 0
    is_static = choice.role is Role.STATIC
    has_time = time is not None and not (
        is_static and (single or array.sizes[_along(dataset, time)] == 1)
    )
    if not has_time and not is_static:
        bare = bare_time(dataset, array.dims) or only_other_dimension(dataset, array)
        if bare is not None and bare not in dataset.variables:
            raise without_coordinate(what, bare, array.sizes[bare])
        if bare is not None:
            raise no_times(what, bare, dataset.variables[bare])
        raise UserError(
            f"{what} has dimensions {array.dims} without time. Give it `role: static` if it never changes; else give "
            "the file its time (xarray: ds.expand_dims(time=[DATE]))."
        )
    others = other_dimensions(dataset, array, time)
    level, indices, only = _levels(levels, dataset, array, others, what)
    others = [one for one in others if one != level]
    if others:
        raise UserError(f"{what} also depends on {others}. {what_to_do_with(others, dataset)}")
    scale, offset = _units(choice, array, known, units, what)
    stated = choice.source_units if choice.source_units is not None else text_of(array, "units")
    in_percent = canonical_units(stated or "") == "%"
    packing = packing_of(array)
    return Layout(scale, offset, level, indices, only, has_time, time, packing, in_percent)


def _along(dataset: xr.Dataset, time: str) -> str:
    return str(dataset.variables[time].dims[0])


def _require_same_kind(name: str, first: str, one: Layout, source: str, other: Layout) -> None:
    """Refuse files of which one has time, or another single level, and the other has not."""
    if one.has_time != other.has_time:
        having, lacking = (first, source) if one.has_time else (source, first)
        raise UserError(
            f"{lacking}: variable '{name}' has no time, but in {having} it has. Leave one of the files out."
        )
    heights = (one.only_level, other.only_level)
    if None in heights or max(abs(float(height or 0.0)) for height in heights) <= NEAR_GROUND:
        return
    if one.only_level != other.only_level:
        raise UserError(
            f"{source}: variable '{name}' is at level {other.only_level}, but in {first} at {one.only_level}. Choose "
            "one with `levels: [...]`, and files that have it."
        )


def _require_map(dataset: xr.Dataset, array: xr.DataArray, what: str) -> None:
    for kind in ("latitude", "longitude"):
        name = find_axis(dataset, kind, array.dims) or find_axis(dataset, kind)
        if name is not None and not set(dataset.variables[name].dims[-2:]) <= set(array.dims):
            raise UserError(
                f"{what} has dimensions {array.dims} without {kind}; it is no map. Choose another variable."
            )


def _levels(
    asked: tuple[float, ...] | None,
    dataset: xr.Dataset,
    array: xr.DataArray,
    others: list[str],
    what: str,
) -> tuple[str | None, tuple[int, ...], float | None]:
    """Return the level dimension, the index of each level, and the only level of a variable that is asked for none."""
    name = find_axis(dataset, "level", array.dims)
    if name is None:
        single = single_level(dataset, array, what)
        if asked is None:
            return None, (), single
        bare = next((one for one in others if one not in dataset.variables), None)
        if single is None and bare is not None:
            raise UserError(
                f"{what} has the dimension '{bare}' of {array.sizes[bare]} fields, but the file has no coordinate of "
                f"that name, so nobody can tell which levels these are. Give it one in hPa or m (xarray: "
                f"ds.assign_coords({bare}=[…]), with the attribute `units`)."
            )
        if single is None:
            raise UserError(
                f"{what} has no levels (dimensions {array.dims}). Leave out `levels`, or the file."
            )
        for level in asked:
            if not _is_among(level, (single,)):
                raise UserError(f"{what}: level {level:g} is not there; the file has {single:g}.")
        return None, (), None
    dimension = str(dataset.variables[name].dims[0])
    if asked is None:
        values = level_values(dataset, name, what)
        if array.sizes[dimension] == 1:
            return None, (), float(values[0])
        known = ", ".join(f"{value:g}" for value in values[:40])
        raise UserError(f"{what} has levels {known}; choose some with `levels: [...]`.")
    return dimension, tuple(level_indices(dataset, name, asked, what)), None


def _units(
    choice: VariableChoice,
    array: xr.DataArray,
    known: KnownVariable | None,
    wanted: str | None,
    what: str,
) -> tuple[float, float]:
    """Return the linear map from a file's units to those of the store; nothing is guessed."""
    stated = choice.source_units if choice.source_units is not None else text_of(array, "units")
    if stated is None or wanted is None:
        raise UserError(
            f"{what} does not say its units{f'; expected {wanted}' if wanted else ''}. "
            "Say them in data.variables with `source_units:`."
        )
    found = units_conversion(stated, wanted, known)
    if found is None:
        raise UserError(
            f"{what} is in '{stated}', which cannot be converted to '{wanted}'. Correct `source_units:`, or keep the "
            f"file's own with `units: {stated}`."
        )
    names = (choice.name, str(array.name), text_of(array, "standard_name") or "")
    if text_of(array, "units_metadata") == "temperature: difference" or any(
        "anom" in name.lower() for name in names
    ):
        return found[0], 0.0
    return found


def units_conversion(
    stated: str, wanted: str, known: KnownVariable | None
) -> tuple[float, float] | None:
    """Return (scale, offset) between units of a variable, by way of its canonical ones where they are known."""
    to, back = (known.conversion(stated), known.conversion(wanted)) if known else (None, None)
    if to is None or back is None:
        return conversion(stated, wanted)
    return to[0] / back[0], (to[1] - back[1]) / back[0]


def _in_order(values: np.ndarray, order: np.ndarray, *, axis: int) -> np.ndarray:
    """Return cells in an order along an axis, without a copy where that is the order there is, or its reverse."""
    along = np.arange(values.shape[axis])
    if np.array_equal(order, along):
        return values
    if np.array_equal(order, along[::-1]):
        return np.flip(values, axis)
    return np.take(values, order, axis)


def _enclosing(order: np.ndarray) -> slice:
    return slice(int(order.min()), int(order.max()) + 1)
