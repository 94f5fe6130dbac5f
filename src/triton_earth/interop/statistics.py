"""The statistics files of the original system: means, standard deviations, climatology and masks in its own formats."""

from pathlib import Path

import netCDF4
import numpy as np
from jaxtyping import Bool, Float64

from triton_earth.core.errors import UserError, first_line
from triton_earth.data.statistics.climatology import Climatology, harmonic_basis

HARMONICS = 3
"""Harmonics of the year that a climatology by day of the year is turned into."""

CELSIUS = 273.15
"""K, at 0 degC: what the original's temperatures of the sea lack."""

YEARLY_ROWS = 39
"""Years 1979 to 2017 of the weather experiment's table, whose mean its test years are normalised by."""


def read_array(path: Path, option: str) -> np.ndarray:
    """Read an array of the original system: NumPy's ``.npy``, or the dataset ``fields`` of an HDF5 file.

    Objects in ``.npy`` files are refused: reading them would run code.

    Args:
        path: The file.
        option: Option that names it, for messages.

    Raises:
        UserError: if it cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{option} {path}: there is no such file.")
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        with netCDF4.Dataset(path) as file:
            if "fields" not in file.variables:
                raise UserError(
                    f"{option} {path}: expected a dataset 'fields', found {sorted(file.variables)}."
                )
            file.set_auto_mask(False)
            return np.asarray(file["fields"][...])
    except UserError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        raise UserError(
            f"{option} {path}: not a file of the original system ({first_line(error)}); expected .npy without objects, "
            "or HDF5."
        ) from error


def read_mean_and_std(
    mean: Path | None, std: Path | None, channels: int
) -> tuple[Float64[np.ndarray, " channel"], Float64[np.ndarray, " channel"]]:
    """Read the mean and standard deviation of every channel.

    Args:
        mean: File of the means, [1, channel, 1, 1] or [channel]; or of both by year, [year, channel, 2], of which the
            first 39 years, those of the training data, are averaged.
        std: File of the standard deviations; None where `mean` has both.
        channels: Number of channels.

    Raises:
        UserError: if one is missing, has other channels, or is not finite and positive.
    """
    if mean is None:
        raise UserError(
            "the weights of this experiment lack the statistics that fields are normalised by; name the original's "
            "files with --mean FILE and --std FILE (or --mean with its table by year)."
        )
    values = read_array(mean, "--mean").astype(np.float64)
    if values.ndim == 3 and values.shape[1:] == (channels, 2):
        pair = values[:YEARLY_ROWS].mean(axis=0)
        means, deviations = pair[:, 0], pair[:, 1]
    elif std is None:
        raise UserError(
            f"--mean {mean}: has the shape {list(values.shape)}, which are means alone; name the standard deviations "
            "with --std FILE."
        )
    else:
        means = _per_channel(values, mean, "--mean", channels)
        deviations = _per_channel(
            read_array(std, "--std").astype(np.float64), std, "--std", channels
        )
    if not (np.isfinite(means).all() and np.isfinite(deviations).all() and (deviations > 0).all()):
        raise UserError(
            f"--mean {mean}: expected finite means and positive standard deviations; channel "
            f"{int(np.argmin(np.isfinite(means) & np.isfinite(deviations) & (deviations > 0)))} has not."
        )
    return means, deviations


def read_climatology(
    path: Path,
    channels: list[int],
    offsets: Float64[np.ndarray, " channel"],
    shape: tuple[int, int],
    total: int,
    *,
    north_first: bool,
) -> Climatology:
    """Read a climatology by day of the year and smooth it by harmonics.

    Args:
        path: File of [365, channel, row, column].
        channels: Channels wanted.
        offsets: What is added to each of them.
        shape: Rows and columns of the experiment; further rows at the end are dropped, as the original does.
        total: Channels of the file.
        north_first: Whether its rows run from north to south.

    Raises:
        UserError: if it has another shape.
    """
    values = read_array(path, "--climatology")
    rows, columns = shape
    if (
        values.ndim != 4
        or values.shape[:2] != (365, total)
        or values.shape[3] != columns
        or values.shape[2] < rows
    ):
        raise UserError(
            f"--climatology {path}: expected the shape [365, {total}, {rows}, {columns}], found {list(values.shape)}."
        )
    days = np.datetime64("2001-01-01", "ns") + np.arange(365) * np.timedelta64(
        24 * 3600 * 10**9, "ns"
    )
    basis = harmonic_basis(days, HARMONICS)
    coefficients = np.empty((basis.shape[1], len(channels), rows, columns))
    for place, channel in enumerate(channels):
        daily = np.where(np.isfinite(values[:, channel, :rows]), values[:, channel, :rows], 0.0)
        fitted = np.linalg.lstsq(basis, daily.reshape(365, -1).astype(np.float64), rcond=None)[0]
        coefficients[:, place] = fitted.reshape(-1, rows, columns)
        coefficients[0, place] += offsets[place]
    if north_first:
        coefficients = coefficients[:, :, ::-1].copy()
    return Climatology(
        coefficients, f"the original's means by day of the year ({HARMONICS} harmonics)"
    )


def read_mask(
    path: Path, total: int, shape: tuple[int, int], *, north_first: bool
) -> Bool[np.ndarray, "channel y x"]:
    """Read where every channel is defined.

    Args:
        path: File of [channel, row, column], or several times of it, of which the first counts; true is sea.
        total: Channels.
        shape: Rows and columns of the experiment; further rows at the end are dropped.
        north_first: Whether its rows run from north to south.

    Raises:
        UserError: if it has another shape, or a channel is defined nowhere.
    """
    values = read_array(path, "--mask")
    if values.ndim == 4:
        values = values[0]
    if values.ndim == 2:
        values = np.broadcast_to(values, (total, *values.shape))
    rows, columns = shape
    if (
        values.ndim != 3
        or values.shape[0] != total
        or values.shape[1] < rows
        or values.shape[2] != columns
    ):
        raise UserError(
            f"--mask {path}: expected the shape [{total}, {rows}, {columns}], found {list(values.shape)}."
        )
    mask = values[:, :rows].astype(bool)
    empty = np.flatnonzero(~mask.any(axis=(1, 2)))
    if empty.size:
        raise UserError(f"--mask {path}: channel {empty[0]} is defined in no cell; true is sea.")
    return mask[:, ::-1].copy() if north_first else mask.copy()


def _per_channel(
    values: np.ndarray, path: Path, option: str, channels: int
) -> Float64[np.ndarray, " channel"]:
    if values.size != channels:
        raise UserError(
            f"{option} {path}: expected one value for each of {channels} channels, found the shape "
            f"{list(values.shape)}."
        )
    return values.reshape(channels)
