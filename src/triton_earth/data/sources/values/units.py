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
    "bar": ("pressure", 100000.0, 0.0),
    "atm": ("pressure", 101325.0, 0.0),
    "inHg": ("pressure", 3386.389, 0.0),
    "m": ("length", 1.0, 0.0),
    "cm": ("length", 0.01, 0.0),
    "mm": ("length", 0.001, 0.0),
    "km": ("length", 1000.0, 0.0),
    "dam": ("length", 10.0, 0.0),
    "inch": ("length", 0.0254, 0.0),
    "ft": ("length", 0.3048, 0.0),
    "m s-1": ("speed", 1.0, 0.0),
    "cm s-1": ("speed", 0.01, 0.0),
    "km h-1": ("speed", 1 / 3.6, 0.0),
    "knot": ("speed", 1852 / 3600, 0.0),
    "mile h-1": ("speed", 1609.344 / 3600, 0.0),
    "mm s-1": ("speed", 0.001, 0.0),
    "mm h-1": ("speed", 0.001 / 3600, 0.0),
    "mm d-1": ("speed", 0.001 / 86400, 0.0),
    "inch h-1": ("speed", 0.0254 / 3600, 0.0),
    "inch d-1": ("speed", 0.0254 / 86400, 0.0),
    "ft s-1": ("speed", 0.3048, 0.0),
    "cm d-1": ("speed", 0.01 / 86400, 0.0),
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
    "g m-2": ("mass per area", 0.001, 0.0),
    "kg m-3": ("density", 1.0, 0.0),
    "g m-3": ("density", 0.001, 0.0),
    "mg m-3": ("density", 1e-6, 0.0),
    "m3 m-3": ("water content", 1.0, 0.0),
    "K m2 kg-1 s-1": ("potential vorticity", 1.0, 0.0),
    "PVU": ("potential vorticity", 1e-6, 0.0),
}

_SPELLINGS = {
    "hPa": ("mb", "mbar", "mbars", "millibar", "millibars", "hpa"),
    "Pa": ("pa",),
    "kPa": ("kpa",),
    "m": (
        "gpm", "m of water", "m of water equivalent", "metre of water equivalent", "m water equivalent", "m we",
        "m w.e.", "geopotential meter", "geopotential meters", "geopotential metre", "geopotential metres",
    ),
    "dam": ("gpdm", "dagpm"),
    "m s-1": ("ms-1", "mps"),
    "km h-1": ("kmh", "kph"),
    "mile h-1": ("mph",),
    "1": (
        "", "none", "dimensionless", "unitless", "fraction", "fractional", "proportion", "ratio", "-", "0-1", "0 - 1",
        "0 to 1", "0..1", "fraction (0-1)", "fraction (0 - 1)", "m m-1", "g g-1",
    ),
    "1e-3": (
        "psu", "ppt", "pss", "pss-78", "pss78", "0.001", "1.e-3", "practical_salinity_unit", "practical salinity unit",
    ),
    "%": ("percent", "per cent", "percentage", "pct", "0-100", "0 - 100", "0 to 100"),
}  # fmt: skip
_BY_SPELLING = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}

_WORDS = {
    "m": ("meter", "meters", "metre", "metres"),
    "cm": ("centimeter", "centimeters", "centimetre", "centimetres"),
    "mm": ("millimeter", "millimeters", "millimetre", "millimetres"),
    "km": ("kilometer", "kilometers", "kilometre", "kilometres"),
    "dam": ("decameter", "decameters", "decametre", "decametres", "dekameter", "dekametre"),
    "s": ("sec", "secs", "second", "seconds"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
    "kg": ("kilogram", "kilograms", "kilogramme", "kilogrammes"),
    "g": ("gm", "gram", "grams", "gramme", "grammes"),
    "mg": ("milligram", "milligrams", "milligramme", "milligrammes"),
    "inch": ("in", "inches"),
    "ft": ("foot", "feet"),
    "PVU": ("pvu",),
    "K": ("kelvin", "kelvins"),
    "Pa": ("pa", "pascal", "pascals"),
    "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "dbar": ("decibar", "decibars"),
    "W": ("w", "watt", "watts"),
    "J": ("j", "joule", "joules"),
    "N": ("n", "newton", "newtons"),
    "knot": ("knots", "kt", "kts", "kn"),
    "mile": ("miles", "mi"),
}
_BY_WORD = {word: symbol for symbol, words in _WORDS.items() for word in words}

_TEMPERATURE = re.compile(
    r"(?:°|º|o(?=c$)|degrees?|degs?\.?)?[ _-]?(c|celsius|celcius|centigrade|k|kelvins?|(?<!^)f|fahrenheit)"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
_PART = re.compile(r"([A-Za-z]+)(-?\d+)?")


def canonical_units(text: str) -> str:
    """Return the usual spelling of a unit, ``m/s`` and ``meters second**-1`` as ``m s-1``.

    An unknown one comes back as it is.
    """
    plain = " ".join(text.strip().split())
    if plain in _LINEAR:
        return plain
    bare = plain[1:-1].strip() if plain[:1] + plain[-1:] in ("()", "[]") else plain
    lower = bare.lower()
    temperature = _TEMPERATURE.fullmatch(lower)
    if temperature:
        return {"k": "K", "f": "degF", "c": "degC"}[temperature[1][0]]
    # Some archives shout: M/S, DEG C.
    quiet = [lower, _joined(lower)] if bare.isupper() else []
    for spelled in [bare, _joined(bare), *quiet]:
        if spelled in _LINEAR:
            return spelled
        if spelled.lower() in _BY_SPELLING and bool(spelled) == bool(bare):
            return _BY_SPELLING[spelled.lower()]
    return plain


def _joined(text: str) -> str:
    """Return a unit as symbols with exponents, as in ``kg m-2 s-1``."""
    spaced = re.sub(r"\((-?\d+)\)", r"\1", text.translate(_SUPERSCRIPTS))
    spaced = re.sub(r"\*\*|\^|[{}$]", "", spaced)
    spaced = re.sub(r"[·⋅*]", " ", spaced)
    spaced = re.sub(r"(?<=[A-Za-z0-9])\.(?=[A-Za-z])", " ", spaced)
    spaced = re.sub(r"\bper\b", "/", spaced)
    spaced = re.sub(r"/\s*\(([^()]*)\)", r"/\1", spaced)
    numerator, *denominators = spaced.split("/")
    parts = [_symbol(part) for part in numerator.split() if part != "1"]
    for denominator in denominators:
        parts += [re.sub(_PART, _inverted, _symbol(part)) for part in denominator.split()]
    return " ".join(parts)


def _symbol(part: str) -> str:
    """Return a spelled-out unit with its exponent as a symbol with it."""
    match = _PART.fullmatch(part)
    return part if match is None else _BY_WORD.get(match[1].lower(), match[1]) + (match[2] or "")


def conversion(source: str, target: str) -> tuple[float, float] | None:
    """Return (scale, offset) with target value = scale · source value + offset, or None where units do not convert.

    Args:
        source: Units of the values.
        target: Units wanted.
    """
    source, target = canonical_units(source), canonical_units(target)
    if source == target or _joined(source) == _joined(target):
        return 1.0, 0.0
    if source not in _LINEAR or target not in _LINEAR:
        return None
    kind, scale, offset = _LINEAR[source]
    other_kind, other_scale, other_offset = _LINEAR[target]
    if kind != other_kind:
        return None
    return scale / other_scale, (offset - other_offset) / other_scale


def _inverted(match: re.Match[str]) -> str:
    exponent = match[2] or "1"
    return match[1] + (exponent if exponent.startswith("-") else f"-{exponent}")
