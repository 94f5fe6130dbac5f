"""Words, numbers and units as people read them, from the attributes that travel with the data."""

import math
import re

import xarray as xr

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FACTOR = re.compile(r"([A-Za-z]+)(-?\d+)?")
_CELSIUS = re.compile(r"\b(degC|deg_C|degrees?_?[Cc](elsius)?|[Cc]elsius)\b")
_SMALLEST = 1e-300
_NO_UNITS = {"", "1", "-", "none", "dimensionless"}


BASELINES = (
    "persistence",
    "damped_persistence",
    "climatology",
    "linear_inverse_model",
    "damped_linear",
)
"""Names of the simple forecasts that every model is compared with, as `baseline_key` gives them."""


def baseline_key(name: str) -> str:
    """Return a name as `BASELINES` has it, whatever stands between its words."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def is_baseline(name: str) -> bool:
    """Return whether a forecast of this name is one of the simple ones that every model is compared with."""
    return baseline_key(name) in BASELINES


def pretty_units(units: str) -> str:
    """Return UDUNITS-style units as printed ones: ``m2 s-1`` gives ``m² s⁻¹``; dimensionless gives nothing."""
    if units.strip().lower() in _NO_UNITS:
        return ""
    units = _CELSIUS.sub("°C", units)
    squared = re.fullmatch(r"\(([A-Za-z\d\- ]+)\)2", units.strip())
    factors = squared[1].split() if squared else []
    if factors and all(_FACTOR.fullmatch(factor) for factor in factors):
        units = " ".join(_squared(factor) for factor in factors)
    return re.sub(
        r"(?<=[A-Za-z)])(?:\^|\*\*)?(-?\d+)", lambda found: _raise(found[1]), units.strip()
    )


def shortened(text: str, longest: int = 48) -> str:
    """Return a text that fits into a figure: what is longer ends in dots."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def variable_names(data: xr.Dataset | xr.DataArray) -> list[str]:
    """Return the names along the dimension ``variable``, in order."""
    return [str(name) for name in data["variable"].values]


LONG_NAMES = "variable_long_name"
"""Coordinate along ``variable`` that says in words what the variables are."""


def variable_words(data: xr.Dataset | xr.DataArray, variable: str) -> str:
    """Return a variable in words: its long name where `LONG_NAMES` has one, else its name.

    A level at the end of the name that the long name lacks is added in brackets, and the name where two variables have
    the same long name.
    """
    named: dict[str, str] = {}
    if LONG_NAMES in data.coords:
        named = {
            name: _with_level(str(words), name)
            for name, words in zip(variable_names(data), data[LONG_NAMES].values, strict=True)
        }
    words = named.get(variable, "")
    if words and list(named.values()).count(words) > 1:
        return f"{words} ({variable})"
    return words or variable.replace("_", " ")


def variable_title(data: xr.Dataset | xr.DataArray, variable: str) -> str:
    """Return a variable in words as `variable_words` does, with a capital."""
    words = variable_words(data, variable)
    return f"{words[:1].upper()}{words[1:]}"


def _with_level(words: str, name: str) -> str:
    level = name.rpartition("_")[2]
    if words and level not in words and any(letter.isdigit() for letter in level):
        words = f"{words} ({level})"
    return words.replace("_", " ")


def long_name(array: xr.DataArray) -> str:
    """Return the name of an array in words: its ``long_name``, else its name with spaces."""
    return str(array.attrs.get("long_name") or str(array.name or "").replace("_", " "))


def units_of(array: xr.DataArray) -> str:
    """Return printed units of an array, its own or those of the variable that was selected from it."""
    own = str(array.attrs.get("units", ""))
    selected = array.coords.get("units")
    if not own and selected is not None and selected.ndim == 0:
        own = str(selected.values)
    return (
        "; ".join(pretty_units(part) or "1" for part in own.split("; "))
        if "; " in own
        else pretty_units(own)
    )


def one_variable(array: xr.DataArray, variable: str) -> xr.DataArray:
    """Return a score of one variable, with the units of that variable.

    Args:
        array: A score with the dimension ``variable``; where the units of variables differ, its attribute ``units``
            lists them in order, parted by semicolons.
        variable: Which variable.
    """
    selected = array.sel(variable=variable)
    each = str(array.attrs.get("units", "")).split("; ")
    names = variable_names(array)
    if len(each) == len(names) > 1:
        selected.attrs["units"] = each[names.index(variable)]
    return selected


def with_units(words: str, units: str) -> str:
    """Return ``words (units)``, or the words alone where there are no units."""
    return f"{words} ({units})" if units else words


def axis_title(array: xr.DataArray) -> str:
    """Return the title of an axis along which an array is drawn: its long name and units."""
    name = long_name(array)
    return with_units(name[:1].upper() + name[1:], units_of(array))


def number(value: float, digits: int = 3) -> str:
    """Return a number to a few significant digits: ``0.0123``, ``4.56 × 10⁻⁷``, ``not finite`` or ``–`` for NaN."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "not finite"
    if abs(value) < _SMALLEST:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    mantissa = round(value / 10.0**exponent, digits - 1)
    if abs(mantissa) >= 10:
        mantissa, exponent = mantissa / 10, exponent + 1
    if -4 <= exponent < 5:
        decimals = max(digits - 1 - exponent, 0)
        return f"{value:.{decimals}f}".replace("-", "−")
    return f"{mantissa:.{digits - 1}f} × 10{_raise(str(exponent))}".replace("-", "−")


def power_of_ten(value: float) -> str:
    """Return a tick of a logarithmic axis, for example ``10⁻³``; nothing where the value is no power of ten."""
    exponent = round(math.log10(value)) if value > 0 else 0
    return f"10{_raise(str(exponent))}" if math.isclose(value, 10.0**exponent) else ""


def interval(lower: float, upper: float) -> str:
    """Return an interval as ``0.12 to 0.34``; nothing where an end is missing or neither is finite."""
    if math.isnan(lower) or math.isnan(upper) or (math.isinf(lower) and math.isinf(upper)):
        return ""
    return f"{number(lower)} to {'∞' if upper == math.inf else number(upper)}"


def _squared(factor: str) -> str:
    name, power = _FACTOR.fullmatch(factor).groups()  # type: ignore[union-attr]
    return f"{name}{2 * int(power or 1)}"


def _raise(text: str) -> str:
    return text.translate(_SUPERSCRIPTS)


def told_apart(
    value: float | None, lower: float | None, upper: float | None
) -> tuple[str, str, str]:
    """Return a value and its bounds with as many digits, three to seven, as tell the value from both.

    What is None is no bound.
    """
    for digits in range(3, 8):
        shown, low, high = (
            "no bound" if one is None else f"{one:.{digits}g}" for one in (value, lower, upper)
        )
        if shown not in (low, high):
            break
    return shown, low, high
