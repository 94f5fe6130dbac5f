"""Units: what two spellings have in common, and the linear map from one unit to another where there is one."""

import re

_LINEAR: dict[str, tuple[str, float, float]] = {
    # unit: (what it measures, scale, offset), SI value = scale · value + offset
    "K": ("temperature", 1.0, 0.0),
    "degC": ("temperature", 1.0, 273.15),
    "degF": ("temperature", 5 / 9, 273.15 - 160 / 9),
    "Pa": ("pressure", 1.0, 0.0),
    "hPa": ("pressure", 100.0, 0.0),
    "kPa": ("pressure", 1000.0, 0.0),
    "dbar": ("pressure", 10000.0, 0.0),
    "m": ("length", 1.0, 0.0),
    "cm": ("length", 0.01, 0.0),
    "mm": ("length", 0.001, 0.0),
    "km": ("length", 1000.0, 0.0),
    "m s-1": ("speed", 1.0, 0.0),
    "cm s-1": ("speed", 0.01, 0.0),
    "km h-1": ("speed", 1 / 3.6, 0.0),
    "knot": ("speed", 1852 / 3600, 0.0),
    "mm s-1": ("speed", 0.001, 0.0),
    "mm h-1": ("speed", 0.001 / 3600, 0.0),
    "mm d-1": ("speed", 0.001 / 86400, 0.0),
    "m d-1": ("speed", 1 / 86400, 0.0),
    "1": ("ratio", 1.0, 0.0),
    "kg kg-1": ("ratio", 1.0, 0.0),
    "g kg-1": ("ratio", 0.001, 0.0),
    "1e-3": ("ratio", 0.001, 0.0),
    "%": ("ratio", 0.01, 0.0),
    "m2 s-2": ("geopotential", 1.0, 0.0),
    "s-1": ("rate", 1.0, 0.0),
    "W m-2": ("flux", 1.0, 0.0),
    "N m-2": ("stress", 1.0, 0.0),
    "kg m-2 s-1": ("mass flux", 1.0, 0.0),
    "kg m-2 d-1": ("mass flux", 1 / 86400, 0.0),
    "J m-2": ("energy", 1.0, 0.0),
    "Pa s-1": ("pressure tendency", 1.0, 0.0),
    "kg m-2": ("mass per area", 1.0, 0.0),
}

_SPELLINGS = {
    "K": ("kelvin", "degk", "deg_k", "k"),
    "degC": (
        "degc", "deg_c", "celsius", "c", "°c", "degreec", "degreesc", "degree_c", "degrees_c", "degree_celsius",
        "degrees_celsius", "degree celsius", "degrees celsius", "deg c", "deg celsius",
    ),
    "degF": ("degf", "deg_f", "fahrenheit", "°f", "degrees_fahrenheit"),
    "Pa": ("pascal", "pascals", "pa"),
    "hPa": ("millibar", "millibars", "mbar", "mb", "hpa"),
    "kPa": ("kpa",),
    "m": ("metre", "metres", "meter", "meters", "gpm", "m"),
    "knot": ("knots", "kt", "kts"),
    "1": ("", "none", "dimensionless", "unitless", "fraction", "(0 - 1)", "-"),
    "1e-3": ("psu", "ppt", "pss", "pss-78", "0.001", "practical_salinity_unit"),
    "%": ("percent", "per cent", "pct"),
}  # fmt: skip

_BY_SPELLING = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}


def canonical_units(text: str) -> str:
    """Return the usual spelling of a unit, ``m/s`` and ``m s**-1`` as ``m s-1``; an unknown one comes back as it is."""
    plain = " ".join(text.strip().split())
    if plain in _LINEAR:
        return plain
    if plain.lower() in _BY_SPELLING:
        return _BY_SPELLING[plain.lower()]
    spaced = re.sub(r"\*\*|\^", "", plain).replace("·", " ")
    spaced = re.sub(r"(?<=[A-Za-z0-9])\.(?=[A-Za-z])", " ", spaced)
    numerator, *denominators = spaced.split("/")
    inverse = [re.sub(r"^([A-Za-z]+)(\d*)$", _inverted, part.strip()) for part in denominators]
    joined = " ".join([numerator.strip(), *inverse])
    joined = re.sub(r"\bdays?-1\b", "d-1", re.sub(r"\b(hr|hour|hours)-1\b", "h-1", joined))
    if joined in _LINEAR:
        return joined
    # Some archives shout: M/S, DEG C.
    quiet = canonical_units(plain.lower()) if plain.isupper() else plain
    return quiet if quiet in _LINEAR else plain


def conversion(source: str, target: str) -> tuple[float, float] | None:
    """Return (scale, offset) with target value = scale · source value + offset, or None where units do not convert.

    Args:
        source: Units of the values.
        target: Units wanted.
    """
    source, target = canonical_units(source), canonical_units(target)
    if source == target:
        return 1.0, 0.0
    if source not in _LINEAR or target not in _LINEAR:
        return None
    kind, scale, offset = _LINEAR[source]
    other_kind, other_scale, other_offset = _LINEAR[target]
    if kind != other_kind:
        return None
    return scale / other_scale, (offset - other_offset) / other_scale


def _inverted(match: re.Match[str]) -> str:
    return f"{match[1]}-{match[2] or '1'}"
