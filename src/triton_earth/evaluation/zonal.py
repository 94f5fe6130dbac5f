"""Zonal spectra: variance by wavenumber along circles of latitude, in latitude bands."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from triton_earth.core.grid import Grid, LatLonGrid

WIDTH = 30.0
"""Width of the latitude bands in degrees."""

FEWEST_CELLS = 8
"""Cells along a circle of latitude below which there is no spectrum."""


@dataclass(frozen=True)
class ZonalBands:
    """How zonal spectra of one variable are taken on a grid.

    Attributes:
        grid: The grid.
        rows: Band of each row; −1 for rows that are not used (a cell is not valid, or no band has them).
        edges: Southern and northern border of each band in degrees north, [band, 2].
    """

    grid: LatLonGrid
    rows: Int[np.ndarray, " y"]
    edges: Float64[np.ndarray, "band 2"]

    @property
    def names(self) -> list[str]:
        """Names of the bands, south first, for example ``30S-0``."""
        return [f"{_latitude(south)}-{_latitude(north)}" for south, north in self.edges]

    @property
    def wavenumbers(self) -> Float64[np.ndarray, " wavenumber"]:
        """Zonal wavenumbers: waves around the full circle of latitude."""
        step = float(np.median(np.diff(self.grid.x)))
        return np.arange(self.grid.shape[1] // 2 + 1) * 360.0 / (self.grid.shape[1] * step)

    def spectra(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch band wavenumber"]:
        """Return the area-weighted mean zonal spectrum of the rows of each band.

            S(m) = |f̂_m|² (m = 0),  2 |f̂_m|² (m > 0),  |f̂_m|² (m = n/2),      f̂ = FFT/n,      Σ_m S(m) = ⟨f²⟩

        so that it adds up to the zonal mean of the square. In a region that does not reach around the globe the mean
        and linear trend of each row are taken out and the rest is tapered (Hann window, rescaled to keep the variance
        of white noise): then wavenumber 0 says nothing.

        Args:
            fields: Fields [..., y, x]; rows with NaN are used only where `rows` says so.

        Returns:
            In squared units of the variable; NaN for a band without rows.
        """
        columns = self.grid.shape[1]
        values = fields.astype(np.float64)
        if not self.grid.is_global_in_longitude:
            values = _tapered(values)
        with np.errstate(invalid="ignore", over="ignore"):
            power = np.abs(np.fft.rfft(values, axis=-1, norm="forward")) ** 2
        power[..., 1 : (columns + 1) // 2] *= 2
        weights = self.grid.cell_area_weights[:, 0]
        bands = []
        for band in range(len(self.edges)):
            chosen = self.rows == band
            total = np.einsum("...yk,y->...k", power[..., chosen, :], weights[chosen])
            bands.append(total / weights[chosen].sum() if chosen.any() else total * np.nan)
        return np.stack(bands, axis=-2)


def zonal_bands(
    grid: Grid, valid: Bool[np.ndarray, "y x"] | None = None, width: float = WIDTH
) -> ZonalBands | None:
    """Divide the rows of a grid into latitude bands.

    Args:
        grid: The grid.
        valid: Where the variable is defined; rows with a cell that is not are left out.
        width: Width of the bands in degrees; a row on a border belongs to the band north of it.

    Returns:
        The bands that have a row, or None where there is none (or the grid has no latitudes).
    """
    if not isinstance(grid, LatLonGrid) or grid.shape[1] < FEWEST_CELLS:
        return None
    number = np.minimum((grid.y + 90) // width, 180 / width - 1).astype(np.int64)
    usable = np.ones(len(grid.y), bool) if valid is None else valid.all(axis=1)
    present = np.unique(number[usable])
    if present.size == 0:
        return None
    rows = np.where(usable, np.searchsorted(present, number), -1)
    south = -90 + width * present
    return ZonalBands(grid, rows, np.stack([south, south + width], axis=1).astype(np.float64))


def _tapered(values: Float64[np.ndarray, "*batch x"]) -> Float64[np.ndarray, "*batch x"]:
    """Take out mean and trend along the last axis and taper what is left to zero at both ends."""
    count = values.shape[-1]
    position = np.arange(count) - (count - 1) / 2
    with np.errstate(invalid="ignore"):
        level = values.mean(axis=-1, keepdims=True)
        slope = (values * position).sum(axis=-1, keepdims=True) / (position**2).sum()
        window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
        return (values - level - slope * position) * window / np.sqrt((window**2).mean())


def _latitude(degrees: float) -> str:
    return f"{abs(degrees):g}{'S' if degrees < 0 else 'N' if degrees > 0 else ''}"
