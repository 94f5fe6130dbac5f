"""Soundness of what is read: no infinite values, no undeclared missing ones, none that is impossible on Earth."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_time
from triton_earth.core.variables import Variable
from triton_earth.data.sources.channels import Channels
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.places.coordinates import Axis, describe_place
from triton_earth.data.sources.values.possible_values import Possible
from triton_earth.data.sources.values.stored_values import (
    bits_of,
    cleared,
    converted,
    converted_limits,
    few_at_once,
)
from triton_earth.data.sources.values.units import conversion

LARGEST = 0.999e15
"""No quantity of the Earth system is as large in SI units: what is, stands for a missing value."""
MARGIN = 1e-3
"""Share of the possible range by which a mean may lie outside, for rounding and interpolation."""
_NINES = tuple(
    10.0**digits - part for digits in range(3, 9) for part in (1.0, 0.1, 0.01)
)  # 999, 999.9, 999.99, 9999 …
_SHORT_NINES = tuple(nines * 10.0**power for nines in (9.9, 9.99, 9.999) for power in range(5, 15))
"""9.99e8 and the like, as texts have them."""
_STAND_INS = np.array(
    [*_NINES, *_SHORT_NINES, 777.0, 7777.0, 888.0, 8888.0, 32766.0, 32767.0, 32768.0, 65535.0, 2147483647.0,
     2147483648.0]
)  # fmt: skip
_ROUND = 10.0 ** np.arange(3, 16)
_OF_BYTES = np.array([127.0, 128.0, 254.0, 255.0])

Maps = Float64[np.ndarray, "time y x"]


def require_sound(
    stored: Shaped[np.ndarray, "time channel y x"],
    channels: Channels,
    source: str,
    times: np.ndarray,
    axes: tuple[Axis, Axis],
    allowed: Collection[str],
) -> None:
    """Refuse fields of one file that cannot be right.

    The extremes of sound values clear them; only where they do not are values converted and looked at one by one.

    Args:
        stored: Values as the file has them.
        channels: What they are.
        source: The file.
        times: Their times; empty for a variable without.
        axes: Their latitudes and longitudes.
        allowed: Variables whose values may look wrong.

    Raises:
        UnsoundDataError: naming file, variable, value, time and place, and what to do.
    """
    layout = channels.layouts[source]
    scale, offset = layout.scale, layout.offset
    for number, variable in enumerate(channels.variables):
        part = stored[:, number]
        what = f"{source}: variable '{variable.name}'"
        limits = converted_limits(extremes(part), scale, offset)
        lowest, highest = limits
        if not max(-lowest, highest) < LARGEST and not np.isnan(lowest):
            maps = converted(part, scale, offset, np.float64)
            too_large = np.abs(maps) >= LARGEST
            raise UnsoundDataError(_undeclared(what, maps, too_large, times, axes))
        if variable.name in allowed:
            continue
        if any(_may_stand_in(one, scale, offset, layout.packing) for one in limits):
            maps = converted(part, scale, offset, np.float64)
            wrong = stand_ins(maps, limits, scale, offset, layout.packing)
            if wrong is not None:
                raise UnsoundDataError(
                    f"{_undeclared(what, maps, wrong, times, axes)} If it is a value, say "
                    f"data.allow_implausible=[{variable.name}]."
                )
        if channels.known is not None:
            means = _Means(part, scale, offset)
            _require_possible_mean(means, limits, variable, channels.known, what, times)
        possible = channels.possible
        if possible is not None and not _is_within(limits, possible):
            maps = converted(part, scale, offset, np.float64)
            _require_possible(maps, limits, variable, possible, what, times, axes)


def require_percent(largest: float, channels: Channels, variable: Variable) -> None:
    """Refuse a variable in per cent of which no value at any time is above 1 %.

    Args:
        largest: The largest value of all.
        channels: What the values are.
        variable: Which of them.

    Raises:
        UnsoundDataError: saying that they look like fractions.
    """
    possible = channels.possible
    if possible is not None and possible.is_fraction(largest):
        source = next(source for source, layout in channels.layouts.items() if layout.in_percent)
        raise UnsoundDataError(
            f"{source}: variable '{variable.name}' is in '%', but the largest of all its values is "
            f"{100 * largest / (possible.whole or 1.0):.3g} %: they look like fractions with a wrong label. Say "
            f'`source_units: "1"` in data.variables; if they are right, data.allow_implausible=[{variable.name}].'
        )


def require_possible_fill(name: str, fill: float, possible: Possible | None) -> None:
    """Refuse to fill holes with a value that the variable cannot have.

    Raises:
        UserError: naming it.
    """
    if possible is not None and not possible.lowest <= fill <= possible.highest:
        raise UserError(
            f"data.variables: `fill` of '{name}' is {fill:g}, "
            f"{possible.describe(possible.lowest, possible.highest)}. Correct it."
        )


def extremes(values: Shaped[np.ndarray, "time ..."]) -> tuple[float, float]:
    """Return the lowest and highest value, NaN where there is none."""
    parts = [values[part] for part in few_at_once(values)]
    lowest = np.fmin.reduce([np.fmin.reduce(part, axis=None) for part in parts])
    return float(lowest), float(np.fmax.reduce([np.fmax.reduce(part, axis=None) for part in parts]))


def stand_ins(
    values: Float[np.ndarray, "..."],
    limits: tuple[float, float],
    scale: float,
    offset: float,
    packing: tuple[float, float] | None,
) -> Bool[np.ndarray, "..."] | None:
    """Return where a number stands that usually means a missing value, far from all others; None if nowhere.

    Such are -999, 9999, 32767, -1000 or 1e10, as stored or as packed, in any precision; far is farther from the others
    than these are from each other.

    Args:
        values: Values, NaN where there is none.
        limits: Their lowest and highest.
        scale: value = scale · value in the file + offset.
        offset: See `scale`.
        packing: (scale factor, offset) with value in the file = scale factor · packed number + offset, or None.
    """
    for extreme, far in zip(limits, (np.less, np.greater), strict=True):
        found = _may_stand_in(extreme, scale, offset, packing)
        if found is None:
            continue
        stored, strict, as_packed = found
        values = values.astype(np.float64, copy=False)
        same = np.abs(values - extreme) <= 1e-6 * abs(extreme)
        lowest, highest = extremes(np.where(same, np.nan, values))
        if np.isnan(lowest):  # every value is the same
            if strict and stored < 0:
                return same
            continue
        spread = highest - lowest
        edge = lowest - spread if far is np.less else highest + spread
        if far(extreme, edge) and (spread > 0 or strict or as_packed):
            return same
    return None


def _may_stand_in(
    extreme: float, scale: float, offset: float, packing: tuple[float, float] | None
) -> tuple[float, bool, bool] | None:
    """Return an extreme as stored, whether it is among the stand-ins, and whether it is so as packed; None if neither.

    A round number may be one too.
    """
    stored = (extreme - offset) / scale
    half = 0.0 if packing is None else 0.51 * abs(packing[0])
    strict = _is_among(stored, _STAND_INS, half)
    as_packed = packing is not None and _is_among(
        (stored - packing[1]) / packing[0], np.concatenate([_STAND_INS, _OF_BYTES])
    )
    if not (strict or as_packed or _is_among(stored, _ROUND, half)):
        return None
    return stored, strict, as_packed


def _is_among(number: float, numbers: np.ndarray, tolerance: float = 0.0) -> bool:
    distance = np.abs(abs(number) - numbers)
    return bool((distance <= np.maximum(1e-6 * numbers, tolerance)).any())


def _undeclared(
    what: str, maps: Maps, wrong: np.ndarray, times: np.ndarray, axes: tuple[Axis, Axis]
) -> str:
    return (
        f"{what} is {_first(maps, wrong, times, axes)}, which looks like a missing value that the file does not "
        "declare. Set its attribute _FillValue (NCO: ncatted)."
    )


def _first(
    maps: Maps,
    wrong: np.ndarray,
    times: np.ndarray,
    axes: tuple[Axis, Axis],
    units: str = "",
) -> str:
    """Return the first of some values, its time and place, and how many there are."""
    time, row, column = (int(index) for index in np.argwhere(wrong)[0])
    when = f" at {describe_time(times[time])}" if times.size else ""
    return (
        f"{maps[time, row, column]:.6g}{units}{when}, {describe_place(axes, row, column)} "
        f"({int(wrong.sum())} such values in the piece read)"
    )


def _is_within(limits: tuple[float, float], possible: Possible) -> bool:
    """Return whether values between these are possible, whatever their mean."""
    within = limits[0] >= possible.lowest and limits[1] <= possible.highest
    return within or bool(np.isnan(limits[0]))


class _Means:
    """Means of maps in the units of the store, computed where they are asked for.

    Attributes:
        stored: Values as the file has them.
        scale: value = scale · stored value + offset.
        offset: See `scale`.
    """

    def __init__(self, stored: Shaped[np.ndarray, "time y x"], scale: float, offset: float) -> None:
        self.stored, self.scale, self.offset = stored, scale, offset

    def __call__(self) -> Float64[np.ndarray, " time"]:
        """Return the mean of each map, NaN where it has no value."""
        means = np.full(len(self.stored), np.nan)
        for number, one in enumerate(self.stored):
            total = one.sum(dtype=np.float64)
            count = one.size
            if np.isnan(total):
                there = ~np.isnan(one)
                count = int(np.count_nonzero(there))
                total = cleared(one, bits_of(there, one.dtype)).sum(dtype=np.float64)
            if count:
                means[number] = self.scale * (total / count) + self.offset
        return means


def _require_possible(
    maps: Maps,
    limits: tuple[float, float],
    variable: Variable,
    possible: Possible,
    what: str,
    times: np.ndarray,
    axes: tuple[Axis, Axis],
) -> None:
    """Refuse values that the variable cannot have anywhere."""
    lowest, highest = possible.limits(float(np.nanmean(maps)), limits[1])
    wrong = (maps < lowest) | (maps > highest)
    if not wrong.any():
        return
    units = "" if possible.units == "1" else f" {possible.units}"
    raise UnsoundDataError(
        f"{what} is {_first(maps, wrong, times, axes, units)}, {possible.describe(lowest, highest)}."
        f"{possible.percent_hint(*limits)} Mask or repair such values, or correct the units (`source_units:`); if "
        f"they are right, say data.allow_implausible=[{variable.name}]."
    )


def _require_possible_mean(
    means_of_maps: _Means,
    limits: tuple[float, float],
    variable: Variable,
    known: KnownVariable,
    what: str,
    times: np.ndarray,
) -> None:
    """Refuse maps whose mean the known variable cannot have on Earth; without units it has been normalised."""
    to_known = known.conversion(variable.units)
    if to_known is None or variable.units == "1" != known.units:
        return
    margin = MARGIN * (known.highest - known.lowest)
    lowest, highest = sorted(to_known[0] * limit + to_known[1] for limit in limits)
    if lowest >= known.lowest and highest <= known.highest:
        return  # and so is every mean
    means = to_known[0] * means_of_maps() + to_known[1]
    wrong = (means < known.lowest - margin) | (means > known.highest + margin)
    if not wrong.any():
        return
    first = int(np.flatnonzero(wrong)[0])
    when = f" at {describe_time(times[first])}" if times.size else ""
    units = "" if known.units == "1" else f" {known.units}"
    raise UnsoundDataError(
        f"{what} has a mean over the map of {means[first]:.5g}{units}{when}, outside {known.lowest:g} to "
        f"{known.highest:g}{units}, what {known.long_name} can have on Earth.{units_hint(known, means[first])} Correct "
        "the file's units, or say `source_units:`; if the values are right, say "
        f"data.allow_implausible=[{variable.name}]."
    )


def units_hint(known: KnownVariable, mean: float) -> str:
    """Return a sentence that says in what units the values may be, if this mean were in the known variable's own."""
    celsius = conversion("degC", known.units) or (1.0, 0.0)
    if (
        celsius[1]
        and known.lowest <= mean + celsius[1] <= known.highest
        and not known.is_difference
    ):
        return " It looks like degC."
    if known.units == "1" and known.highest < mean <= 100 * known.highest:
        return " It looks like %."
    return ""
