"""Whether a file is whole: as long as its own header demands.

Sources: NetCDF classic format specification (versions 1, 2 and 5); HDF5 file format specification 3.0, section II.A;
WMO Manual on Codes, FM 92 GRIB editions 1 and 2; ecCodes for messages of edition 1 beyond 8 MB.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from triton_earth.core.errors import UserError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes of a value of each external type of NetCDF-3."""
_LARGE = 0x800000
"""Bit of a length in GRIB 1 that says that it is counted in 120 bytes."""
_GRIB = (".grib", ".grib2", ".grb", ".grb2")
_END = b"7777"
_HEADING = 128
"""Bytes within which a GRIB file has its first message, after a heading of the telecommunication system."""
_BLOCK = 1 << 16


class _CutError(Exception):
    """The file ends within its header."""


class _DamagedError(Exception):
    """What is said where a message does not end as it should."""


def is_grib(path: str) -> bool:
    """Return whether a file is GRIB, by its name or because a message begins near its start."""
    with open(path, "rb") as file:
        return Path(path).suffix.lower() in _GRIB or _begins_grib(file.read(_HEADING))


def _begins_grib(start: bytes) -> bool:
    return b"GRIB" in start and start[:3] != b"CDF" and _HDF5 not in start


def require_whole(path: str, called: str | None = None) -> None:
    """Refuse a NetCDF, HDF5 or GRIB file that ends before it should; of other files nothing is known.

    Args:
        path: The file.
        called: What messages call it, if not so.

    Raises:
        UserError: saying how many bytes are missing.
    """
    size = Path(path).stat().st_size
    called = called or path
    with open(path, "rb") as file:
        try:
            needed = _bytes_needed(file, size)
        except _CutError:
            raise UserError(
                f"{called}: the file ends within its header, after {size} bytes; it is damaged. Fetch it again."
            ) from None
        except _DamagedError as error:
            raise UserError(f"{called}: {error}; the file is damaged. Fetch it again.") from None
    if needed > size:
        raise UserError(
            f"{called}: the file has {size} bytes, but its header asks for {needed}: it ends too early, and what is "
            "missing would read as any numbers. Fetch it again."
        )


def _bytes_needed(file: BinaryIO, size: int) -> int:
    """Return how long the file has to be at least; 0 where its format does not say."""
    start = file.read(_HEADING)
    file.seek(0)
    if start[:3] == b"CDF" and start[3:4] in (b"\x01", b"\x02", b"\x05"):
        return _Netcdf3(file).bytes_needed()
    if _begins_grib(start):
        return _grib_bytes(file, size)
    return _hdf5_bytes(file, size)


def _exactly(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise _CutError
    return found


class _Netcdf3:
    """The header of a NetCDF-3 file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        version = _exactly(file, 4)[3]
        self._count = ">q" if version == 5 else ">i"
        self._offset = ">i" if version == 1 else ">q"

    def bytes_needed(self) -> int:
        """Return where the last value of the last variable ends, without padding."""
        records = self._number(self._count)
        lengths = [self._dimension() for _ in self._list()]
        self._attributes()
        fixed, growing = [0], []
        for _ in self._list():
            self._name()
            dimensions = [
                self._number(self._count) for _ in range(max(self._number(self._count), 0))
            ]
            self._attributes()
            of_type = _SIZES.get(self._number(">i"), 0)
            self._number(self._count)  # size, which large variables cannot state
            begin = self._number(self._offset)
            if any(not 0 <= dimension < len(lengths) for dimension in dimensions):
                return 0  # nonsense, which the library will name
            if dimensions and lengths[dimensions[0]] == 0:
                one = of_type * math.prod(lengths[dimension] for dimension in dimensions[1:])
                growing.append((begin, one))
            else:
                whole = of_type * math.prod(lengths[dimension] for dimension in dimensions)
                fixed.append(begin + whole)
        if records <= 0 or not growing:  # below zero: as many as there are
            return max(fixed)
        padded = [-(-one // 4) * 4 for _, one in growing]
        stride = sum(padded) if len(growing) > 1 else growing[0][1]
        return max(*fixed, *(begin + (records - 1) * stride + one for begin, one in growing))

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(form, _exactly(self._file, struct.calcsize(form)))
        return int(value)

    def _list(self) -> Iterator[int]:
        self._number(">i")  # what it is a list of
        return iter(range(max(self._number(self._count), 0)))

    def _skip(self, count: int) -> None:
        self._file.seek(-(-max(count, 0) // 4) * 4, 1)

    def _name(self) -> None:
        self._skip(self._number(self._count))

    def _dimension(self) -> int:
        self._name()
        return self._number(self._count)

    def _attributes(self) -> None:
        for _ in self._list():
            self._name()
            of_type = _SIZES.get(self._number(">i"), 0)
            self._skip(of_type * self._number(self._count))


def _hdf5_bytes(file: BinaryIO, size: int) -> int:
    """Return the end-of-file address in the superblock, which lies at byte 0, 512, 1024 or a later doubling."""
    at = 0
    while at < size:
        file.seek(at)
        if file.read(8) == _HDF5:
            break
        at = 2 * at or 512
    else:
        return 0
    version = _exactly(file, 1)[0]
    if version > 3:
        return 0
    # Versions 0 and 1 have sizes of offsets and lengths after four more bytes, addresses after 16 or 20 in all.
    before = 4 if version < 2 else 0
    of_address = _exactly(file, before + 1)[before]
    _exactly(file, {0: 10, 1: 14}.get(version, 2))
    addresses = _exactly(file, 3 * of_address)
    return int.from_bytes(addresses[2 * of_address :], "little")


def _grib_bytes(file: BinaryIO, size: int) -> int:
    """Return where the first message ends that reaches beyond the file, else the size of the file."""
    at, messages = 0, 0
    while (at := _next_message(file, at, size)) < size:
        file.seek(at)
        head = file.read(16)
        if len(head) < 16:
            return at + 16
        if head[7] not in (1, 2):
            at += 4
            continue
        length = (
            int.from_bytes(head[8:16], "big") if head[7] == 2 else _grib1_length(file, at, head)
        )
        if length < 16 or at + length > size:
            return at + max(length, 16)
        file.seek(at + length - len(_END))
        if file.read(len(_END)) != _END:
            raise _DamagedError(f"the GRIB message at byte {at} does not end with 7777")
        at += length
        messages += 1
    if not messages:
        raise _DamagedError("there is no GRIB message of edition 1 or 2 in it")
    return size


def _grib1_length(file: BinaryIO, at: int, head: bytes) -> int:
    """Return the length of a message of edition 1.

    Beyond 8 MB it is counted in 120 bytes, and the data section says by how much that is too long.
    """
    length = int.from_bytes(head[4:7], "big")
    if not length & _LARGE:
        return length
    file.seek(at + 8)
    product = _exactly(file, 8)
    section = at + 8 + int.from_bytes(product[:3], "big")
    for bit in (0x80, 0x40):  # grid description, bitmap
        if product[7] & bit:
            file.seek(section)
            section += int.from_bytes(_exactly(file, 3), "big")
    file.seek(section)
    excess = int.from_bytes(_exactly(file, 3), "big")
    return (length & ~_LARGE) * 120 - excess + 4 if excess < 120 else length


def _next_message(file: BinaryIO, at: int, size: int) -> int:
    """Return where the next message begins; other lines may stand between messages. The size of the file if none."""
    while at < size:
        file.seek(at)
        block = file.read(_BLOCK)
        found = block.find(b"GRIB")
        if found >= 0:
            return at + found
        if len(block) < _BLOCK:
            cut = next((n for n in (3, 2, 1) if block.endswith(b"GRIB"[:n])), 0)
            return size - cut if cut == len(block) else size
        at += len(block) - 3
    return size
