"""Errors of sources: what libraries raise on files, and the one of ours for values that are wrong."""

from triton_earth.core.errors import DAMAGE, UserError, first_line

__all__ = ["READ_ERRORS", "UnsoundDataError", "first_line"]

READ_ERRORS = DAMAGE
"""What xarray, netCDF4 and Zarr raise on files that are damaged, foreign or out of reach."""


class UnsoundDataError(UserError):
    """A value in the files is wrong, so that going on with them is of no use until they have been repaired."""
