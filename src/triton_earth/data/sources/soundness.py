"""Soundness of what is read: no infinite values, no undeclared fill values, means that are possible on Earth."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float64

from triton_earth.core.time import describe_time
from triton_earth.core.variables import Variable
from triton_earth.data.sources.channels import Channels
from triton_earth.data.sources.coordinates import Axis, describe_place
from triton_earth.data.sources.errors import UnsoundDataError
from triton_earth.data.sources.known_variables import KnownVariable
from triton_earth.data.sources.units import conversion

LARGEST = 1e15
"""No quantity of the Earth system is larger in SI units: what is, stands for a missing value."""
FILL_VALUES = (-999.0, -9999.0, -32767.0, -32768.0, -99999.0)
"""Numbers that stand for a missing value in many archives."""
MARGIN = 1e-3
"""Share of the possible range by which a mean may lie outside, for rounding and interpolation."""

Maps = Float64[np.ndarray, "time y x"]


def require_sound(
    fields: Float64[np.ndarray, "time channel y x"],
    channels: Channels,
    source: str,
    times: np.ndarray,
    axes: tuple[Axis, Axis],
    allowed: Collection[str],
) -> None:
    """Refuse fields of one file that cannot be right.

    Args:
        fields: Values in the units of the store.
        channels: What they are.
        source: The file.
        times: Their times; empty for a variable without.
        axes: Their latitudes and longitudes.
        allowed: Variables whose values may look wrong.

    Raises:
        UnsoundDataError: naming file, variable, value, time and place, and what to do.
    """
    layout = channels.layouts[source]
    for number, variable in enumerate(channels.variables):
        maps = fields[:, number]
        what = f"{source}: variable '{variable.name}'"
        too_large = np.isinf(maps) | (np.abs(maps) > LARGEST)
        if too_large.any():
            raise UnsoundDataError(_undeclared(what, maps, too_large, times, axes))
        if variable.name in allowed:
            continue
        stand_ins = _stand_ins(maps, layout.scale, layout.offset)
        if stand_ins is not None:
            raise UnsoundDataError(
                f"{_undeclared(what, maps, stand_ins, times, axes)} If it is a value, say "
                f"data.allow_implausible=[{variable.name}]."
            )
        if channels.known is not None:
            _require_possible(maps, variable, channels.known, what, times)


def _undeclared(
    what: str, maps: Maps, wrong: np.ndarray, times: np.ndarray, axes: tuple[Axis, Axis]
) -> str:
    time, row, column = (int(index) for index in np.argwhere(wrong)[0])
    when = f" at {describe_time(times[time])}" if times.size else ""
    return (
        f"{what} is {maps[time, row, column]:g}{when}, {describe_place(axes, row, column)} "
        f"({int(wrong.sum())} such values in the piece read), which looks like a missing value that the file does not "
        "declare. Set its attribute _FillValue (NCO: ncatted)."
    )


def _stand_ins(maps: Maps, scale: float, offset: float) -> np.ndarray | None:
    """Return where a fill value stands that is farther from the other values than these are from each other."""
    lowest = float(np.fmin.reduce(maps, axis=None))
    stored = (lowest - offset) / scale
    if not any(abs(stored - fill) <= 1e-6 * abs(fill) for fill in FILL_VALUES):
        return None
    same = np.abs(maps - lowest) <= 1e-6 * abs(lowest)
    others = maps[~same & ~np.isnan(maps)]
    if others.size and lowest > 2 * others.min() - others.max():
        return None
    return same


def _require_possible(
    maps: Maps, variable: Variable, known: KnownVariable, what: str, times: np.ndarray
) -> None:
    """Refuse maps whose mean the known variable cannot have on Earth; without units it has been normalised."""
    to_known = known.conversion(variable.units)
    if to_known is None or variable.units == "1" != known.units:
        return
    there = ~np.isnan(maps)
    count = there.sum(axis=(1, 2))
    sums = np.where(there, maps, 0.0).sum(axis=(1, 2))
    means = to_known[0] * sums / np.maximum(count, 1) + to_known[1]
    margin = MARGIN * (known.highest - known.lowest)
    wrong = (means < known.lowest - margin) | (means > known.highest + margin)
    wrong &= count > 0
    if not wrong.any():
        return
    first = int(np.flatnonzero(wrong)[0])
    when = f" at {describe_time(times[first])}" if times.size else ""
    celsius = conversion("degC", known.units) or (1.0, 0.0)
    from_celsius = means[first] + celsius[1]
    hint = (
        " It looks like degC."
        if celsius[1] and known.lowest <= from_celsius <= known.highest and not known.is_difference
        else ""
    )
    raise UnsoundDataError(
        f"{what} has a mean over the map of {means[first]:.5g} {known.units}{when}, outside {known.lowest:g} to "
        f"{known.highest:g} {known.units}, what {known.long_name} can have on Earth.{hint} Correct the file's units, "
        f"or say `source_units:`; if the values are right, say data.allow_implausible=[{variable.name}]."
    )
