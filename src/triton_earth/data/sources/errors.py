"""Errors of sources: what libraries raise on files, and the one of ours for values that are wrong."""

from triton_earth.core.errors import UserError

READ_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, EOFError)
"""What xarray, netCDF4 and Zarr raise on files that are damaged, foreign or out of reach."""


class UnsoundDataError(UserError):
    """A value in the files is wrong, so that going on with them is of no use until they have been repaired."""


def first_line(error: BaseException) -> str:
    """Return what an error says in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
