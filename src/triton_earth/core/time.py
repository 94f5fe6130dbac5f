"""Time: calendar time as datetime64, model time without a calendar as float64, and steps between either."""

import math
import re
from typing import Any

import numpy as np
from jaxtyping import Float64

from triton_earth.core.errors import UserError

Duration = np.timedelta64 | float
"""A span of time: timedelta64 for calendar time, float for model time."""

MEAN_MONTH = np.timedelta64(2629746 * 10**9, "ns")
"""A twelfth of the mean Gregorian year, 30.436875 days."""

MEAN_YEAR = 12 * MEAN_MONTH
"""365.2425 days."""


_SECONDS = {
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "mo": 365.2425 / 12 * 86400,
    "y": 365.2425 * 86400,
}
"""Seconds of each unit of a length; a year is the mean Gregorian one."""


def uniform_step(times: np.ndarray) -> Duration:
    """Return the step between successive times.

    Args:
        times: At least two ascending times, datetime64 or float64.

    Returns:
        The step, timedelta64 or float.

    Raises:
        UserError: if there are fewer than two times or the steps differ by more than rounding (1e-6 of the step).
    """
    if times.size < 2:
        raise UserError(f"a time axis needs at least two times to have a step; found {times.size}.")
    steps = np.diff(times)
    step = np.median(steps.astype(np.float64))
    if step <= 0 or np.any(np.abs(steps.astype(np.float64) - step) > 1e-6 * step):
        worst = int(np.argmax(np.abs(steps.astype(np.float64) - step)))
        raise UserError(
            f"times must ascend in equal steps; the step after {describe_time(times[worst])} is {steps[worst]} "
            f"where the usual one is {np.median(steps.astype(np.float64)).astype(steps.dtype)}."
        )
    if np.issubdtype(times.dtype, np.datetime64):
        middle: np.timedelta64 = np.sort(steps)[steps.size // 2]
        return middle
    return float(times[-1] - times[0]) / (times.size - 1)


def same_duration(a: Duration, b: Duration) -> bool:
    """Return whether two spans are equal to rounding (1e-6)."""
    if isinstance(a, np.timedelta64) != isinstance(b, np.timedelta64):
        return False
    first, second = _seconds(a), _seconds(b)
    return abs(first - second) <= 1e-6 * max(abs(first), abs(second))


def encode_duration(step: Duration) -> dict[str, Any]:
    """Return a span as plain values for JSON."""
    if isinstance(step, np.timedelta64):
        return {"nanoseconds": int(step.astype("timedelta64[ns]").astype(np.int64))}
    return {"model_time": float(step)}


def decode_duration(values: dict[str, Any]) -> Duration:
    """Read back what `encode_duration` gave.

    Raises:
        UserError: if the values are of another form.
    """
    if "nanoseconds" in values:
        return np.timedelta64(int(values["nanoseconds"]), "ns")
    if "model_time" in values:
        return float(values["model_time"])
    raise UserError(f"expected a time step in nanoseconds or model_time, found {values}.")


def steps_in(length: str, step: Duration) -> int:
    """Return how many whole steps a length of time holds.

    Args:
        length: A number with one of the units min, h, d, w, mo, y: ``365d``, ``1y`` (365.2425 days, twelve months of
            30.436875); without unit where the step is a number.
        step: Time step.

    Raises:
        UserError: if the text is no length of the kind that the step is, or is shorter than one step.
    """
    expected = (
        "a length such as 36h, 365d, 4w, 6mo, 1y"
        if isinstance(step, np.timedelta64)
        else "a number, as the model has no calendar"
    )
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", length.lower())
    if found is None or (found[2] in _SECONDS) != isinstance(step, np.timedelta64):
        raise UserError(f"length '{length}': expected {expected}.")
    span = float(found[1]) * _SECONDS.get(found[2], 1.0)
    steps = math.floor(span / _seconds(step) + 1e-6)
    if steps < 1:
        raise UserError(
            f"length '{length}' is shorter than one step of {describe_duration(step)}. Make it longer."
        )
    return steps


def describe_duration(step: Duration) -> str:
    """Return a span in words, for example ``1 d`` or ``0.055``."""
    if not isinstance(step, np.timedelta64):
        return f"{step:g}"
    seconds = _seconds(step)
    for name, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds % size == 0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"


def describe_time(time: float | np.datetime64) -> str:
    """Return a time in words, as briefly as it can be told: ``2005-04-01``, ``2005-04-01T12:00`` or ``4.555``."""
    if not isinstance(time, np.datetime64):
        return f"{time:g}"
    return next(
        (
            str(time.astype(f"datetime64[{unit}]"))
            for unit in ("D", "m", "s")
            if time.astype(f"datetime64[{unit}]") == time
        ),
        str(time),
    )


def year_fraction(times: np.ndarray) -> Float64[np.ndarray, " time"]:
    """Return the elapsed fraction of the calendar year, 0 … 1: 0 is 1 January 00:00; leap years are a day longer.

    Args:
        times: Times, datetime64 [time].
    """
    start = times.astype("datetime64[Y]")
    length = (start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")
    return (times - start.astype(times.dtype)) / length


def day_fraction(times: np.ndarray) -> Float64[np.ndarray, " time"]:
    """Return the elapsed fraction of the day in UTC, 0 … 1.

    Args:
        times: Times, datetime64 [time].
    """
    return (times - times.astype("datetime64[D]").astype(times.dtype)) / np.timedelta64(1, "D")


def _seconds(step: Duration) -> float:
    if isinstance(step, np.timedelta64):
        return float(step / np.timedelta64(1, "s"))
    return float(step)
