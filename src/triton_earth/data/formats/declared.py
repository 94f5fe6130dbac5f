"""Fields as their attributes declare them: outside the valid range there is no value, and a flag is none."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool
from xarray.backends import BackendArray
from xarray.core import indexing

FEW = 0.01
"""A valid range that takes less than this share of what the packed type can hold may be meant for unpacked values."""


@dataclass(frozen=True)
class Declaration:
    """What a variable's attributes declare as no value, in unpacked units.

    Attributes:
        text: The attributes, for messages.
        lowest: Least valid value.
        highest: Largest valid value.
        otherwise: (least, largest) valid value if the attributes are meant for unpacked values; None where they cannot
            be.
        flags: Numbers that are flags.
        only_flags: Whether a field of flags alone is one: a mask whose values they are.
        tolerance: Half a step of the packed type, or rounding.
    """

    text: str
    lowest: float
    highest: float
    otherwise: tuple[float, float] | None
    flags: tuple[float, ...]
    only_flags: bool
    tolerance: float

    def missing(self, values: np.ndarray) -> Bool[np.ndarray, "..."]:
        """Return where values are none."""
        outside = self._beyond(values, self.lowest, self.highest)
        if self.otherwise is not None and outside.any():
            there = int((~np.isnan(values)).sum())
            unpacked = self._beyond(values, *self.otherwise)
            if 2 * int(outside.sum()) > there > 2 * int(unpacked.sum()):
                outside = unpacked
        if self.flags:
            flagged = np.zeros(values.shape, dtype=bool)
            for flag in self.flags:
                flagged |= np.abs(values - flag) <= self.tolerance
            if not self.only_flags or not (flagged | outside | np.isnan(values)).all():
                outside |= flagged
        return outside

    def _beyond(self, values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
        return (values < lowest - self.tolerance) | (values > highest + self.tolerance)


def declared_by(stored: xr.Variable) -> Declaration | None:
    """Return the values that a stored variable's attributes declare as missing; None where they declare none.

    Limits of an integer type are those of packed values, others those of unpacked ones (NetCDF Users' Guide, Attribute
    Conventions). Limits that are no numbers, or the wrong way round, declare nothing.
    """
    dtype = stored.dtype
    if str(stored.attrs.get("_Unsigned", "")).lower() == "true" and dtype.kind == "i":
        dtype = np.dtype(f"u{dtype.itemsize}")
    scale, offset = (
        _only(_numbers(stored, name, dtype), default)
        for name, default in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    is_packed = dtype.kind in "iu" and (scale, offset) != (1.0, 0.0)
    lowest, highest, text, of_packed = _limits(stored, dtype)
    otherwise = None
    if is_packed and of_packed:
        held = np.iinfo(dtype)
        if highest - lowest < FEW * (float(held.max) - float(held.min)):
            otherwise = lowest, highest
        lowest, highest = sorted((scale * lowest + offset, scale * highest + offset))
    flags: tuple[float, ...] = ()
    if dtype.kind in "iu" and "flag_masks" not in stored.attrs:
        flags = tuple(scale * flag + offset for flag in _numbers(stored, "flag_values", dtype))
        text = " and ".join([*filter(None, [text]), *(["flag_values"] if flags else [])])
    if not text:
        return None
    largest = max((abs(one) for one in (lowest, highest) if np.isfinite(one)), default=0.0)
    tolerance = 0.5 * abs(scale) if dtype.kind in "iu" else 1e-6 * largest
    return Declaration(text, lowest, highest, otherwise, flags, not is_packed, tolerance)


def _limits(stored: xr.Variable, dtype: np.dtype) -> tuple[float, float, str, bool]:
    """Return the least and largest valid value, what declares them, and whether they are of an integer type."""
    found = {
        name: _numbers(stored, name, dtype) for name in ("valid_range", "valid_min", "valid_max")
    }
    if len(found["valid_range"]) == 2:
        (lowest, highest), names = found["valid_range"], ["valid_range"]
    else:
        lowest, highest = _only(found["valid_min"], -np.inf), _only(found["valid_max"], np.inf)
        names = [name for name in ("valid_min", "valid_max") if len(found[name]) == 1]
    if not names or not lowest < highest:
        return -np.inf, np.inf, "", False
    of_packed = all(np.asarray(stored.attrs[name]).dtype.kind in "iu" for name in names)
    told = ", ".join(f"{name} {stored.attrs[name]}" for name in names)
    return lowest, highest, told, of_packed


def _numbers(stored: xr.Variable, name: str, dtype: np.dtype) -> list[float]:
    """Return the numbers that an attribute holds, none where it holds something else."""
    value = stored.attrs.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    numbers = np.atleast_1d(np.asarray(value))
    if numbers.dtype.kind == "i" and dtype.kind == "u" and numbers.dtype.itemsize == dtype.itemsize:
        numbers = numbers.view(dtype)
    try:
        told = numbers.astype(np.float64)
    except (ValueError, TypeError):
        return []
    return [] if np.isnan(told).any() else [float(one) for one in told.ravel()]


def _only(numbers: list[float], default: float) -> float:
    return numbers[0] if len(numbers) == 1 else default


class Declared(BackendArray):
    """A field whose undeclared numbers are taken and whose others are missing, read when it is indexed.

    Attributes:
        declaration: What is no value.
        missing: How many such numbers have been read.
    """

    def __init__(self, field: xr.Variable, declaration: Declaration) -> None:
        self._field = field
        self.declaration = declaration
        self.missing = 0
        self.shape = field.shape
        self.dtype = np.result_type(field.dtype, np.float32)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        values = np.array(self._field[key].to_numpy(), dtype=self.dtype)
        missing = self.declaration.missing(values)
        self.missing += int(missing.sum())
        values[missing] = np.nan
        return values


class MergedVersions(BackendArray):
    """Fields that have values in one version or in another, as one field, read when it is indexed."""

    def __init__(self, field: xr.Variable, dimension: str, order: list[int]) -> None:
        self._field = field
        self._axis = field.dims.index(dimension)
        self._order = order
        self.shape = tuple(size for axis, size in enumerate(field.shape) if axis != self._axis)
        self.dtype = field.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        def version(number: int) -> np.ndarray:
            return self._field[(*key[: self._axis], number, *key[self._axis :])].to_numpy()

        values = np.array(version(self._order[0]))
        for number in self._order[1:]:
            holes = np.isnan(values)
            if holes.any():
                values[holes] = version(number)[holes]
        return values


def lazily(
    field: Declared | MergedVersions, instead_of: xr.Variable, told: dict[str, Any]
) -> xr.Variable:
    """Return a variable with these values, otherwise that one's; `told` joins its encoding."""
    dimensions = instead_of.dims
    if isinstance(field, MergedVersions):
        dimensions = tuple(name for axis, name in enumerate(instead_of.dims) if axis != field._axis)
    return xr.Variable(
        dimensions,
        indexing.LazilyIndexedArray(field),
        instead_of.attrs,
        {**instead_of.encoding, **told},
    )
