"""Isotropic spectra of any variable on boxes and regional grids: variance by wavenumber, detrended and windowed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex128, Float, Float64
from torch import Tensor

from triton_earth.core.grid import ClosedGrid, Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.region import Region
from triton_earth.physics.spectral import isotropic_sum, isotropic_wavenumbers
from triton_earth.physics.sphere import EARTH_RADIUS

FEWEST_CELLS = 8
"""Cells along a side below which there is no spectrum."""


@dataclass(frozen=True)
class IsotropicBox:
    """A box of equal cells, or a part of the globe that is taken for one.

    Attributes:
        grid: Its grid.
        lengths: Lengths of its sides (y, x): in km on latitudes and longitudes, from the mean size of the cells; else
            in the units of the grid.
    """

    grid: Grid
    lengths: tuple[float, float]

    @property
    def wavenumbers(self) -> Float64[np.ndarray, " wavenumber"]:
        """Central wavenumber of each bin, in rad per unit of length."""
        return isotropic_wavenumbers(self.grid.shape, self.lengths).numpy()

    @property
    def nyquist(self) -> float:
        """The largest wavenumber that is resolved both ways."""
        sizes = zip(self.grid.shape, self.lengths, strict=True)
        return math.pi * min(count / length for count, length in sizes)

    def windowed(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch y x"]:
        """Return fields whose spectrum says something where sides are not periodic.

        Along such a side the linear trend is taken out, and a Hann window w with ⟨w²⟩ = 1 leads to zero at both ends;
        the mean goes as well. On a doubly periodic box fields stay as they are.
        """
        values = fields.astype(np.float64)
        open_axes = [
            axis
            for axis, padding in zip((-2, -1), self.grid.padding, strict=True)
            if padding != "periodic"
        ]
        with np.errstate(invalid="ignore", over="ignore"):
            for axis in open_axes:
                values = values - _trend(values, axis)
            for axis in open_axes:
                window = _hann(values.shape[axis])
                values = values * (window[:, None] if axis == -2 else window)
        return values

    def coefficients(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[Tensor, "*batch y half"]:
        """Return the Fourier coefficients f̂ = FFT/N of the windowed fields, for `spectrum`."""
        return torch.fft.rfft2(torch.from_numpy(self.windowed(fields)), norm="forward")

    def spectrum(
        self,
        ones: Complex128[Tensor, "*batch y half"],
        others: Complex128[Tensor, "*batch y half"],
    ) -> Float64[np.ndarray, "*batch wavenumber"]:
        """Return the cross-spectrum of two fields; of a field with itself it is its spectrum.

            X(k) = Σ Re(f̂ ĝ*)  over the bin around k,      Σ_k X(k) = ⟨f g⟩  of the windowed fields

        Args:
            ones: Coefficients of f.
            others: Coefficients of g.

        Returns:
            One value for each of `wavenumbers`, in the squared units of the variable.
        """
        density = (ones * others.conj()).real
        return isotropic_sum(density, self.grid.shape, self.lengths).numpy()


def isotropic_box(grid: Grid) -> IsotropicBox | None:
    """Return the box of a grid; None of one that reaches around the globe or has too few cells.

    Args:
        grid: The grid.
    """
    if min(grid.shape) < FEWEST_CELLS:
        return None
    if isinstance(grid, PeriodicGrid | ClosedGrid):
        return IsotropicBox(grid, (grid.length_y, grid.length_x))
    if not isinstance(grid, LatLonGrid) or grid.is_global_in_longitude:
        return None
    step_y, step_x = (np.deg2rad(np.diff(axis).mean()) for axis in (grid.y, grid.x))
    width = step_x * np.cos(np.deg2rad(grid.y)).mean()
    rows, columns = grid.shape
    radius = EARTH_RADIUS / 1e3
    return IsotropicBox(grid, (float(radius * step_y * rows), float(radius * width * columns)))


def cut_to(region: Region | None, grid: Grid) -> tuple[Grid, Callable[[np.ndarray], np.ndarray]]:
    """Return the part of a grid in a region, all of it without one, and what takes that part of fields [..., y, x]."""
    if region is None:
        return grid, np.asarray
    cut = region.cut(grid)
    return cut.grid, lambda fields: fields[..., cut.rows[:, None], cut.columns]


def _trend(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the plane's part along one axis: the mean and the slope of the mean over the other axis."""
    position = np.arange(values.shape[axis]) - (values.shape[axis] - 1) / 2
    ramp = position[:, None] if axis == -2 else position
    mean = values.mean(axis=(-2, -1), keepdims=True)
    other = values.shape[-1 if axis == -2 else -2]
    slope = (values * ramp).sum(axis=(-2, -1), keepdims=True) / ((position**2).sum() * other)
    return np.asarray(mean + slope * ramp)


def _hann(count: int) -> Float64[np.ndarray, " cell"]:
    window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
    return np.asarray(window / np.sqrt((window**2).mean()))
