"""Zonal spectra: variance by wavenumber along circles of latitude, of every variable by latitude band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Complex128, Float, Float64, Int

from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.variables import Variables
from triton_earth.evaluation.results import squared_units
from triton_earth.evaluation.spectra.names import ZONAL
from triton_earth.evaluation.spectra.transform import (
    Scale,
    Spectra,
    SpectralQuantity,
    paired,
)
from triton_earth.physics.sphere import EARTH_RADIUS

WIDTH = 30.0
"""Width of the latitude bands in degrees."""

FEWEST_CELLS = 8
"""Cells along a circle of latitude below which there is no spectrum."""

COAST = 4
"""Cells from a cell that is not valid over which a row is tapered."""
LEAST = 0.2
"""Mean square of the taper below which a row has too little left to be used."""


@dataclass(frozen=True)
class ZonalBands:
    """How zonal spectra of one variable are taken on a grid.

    Attributes:
        grid: The grid.
        rows: Band of each row; −1 for rows that are not used: too few of their cells are valid.
        edges: Southern and northern border of each band in degrees north, [band, 2].
        taper: Weight w of each cell: 0 where it is not valid, rising to 1 over the `COAST` cells beside, 1 all along
            rows whose cells are all valid.
    """

    grid: LatLonGrid
    rows: Int[np.ndarray, " y"]
    edges: Float64[np.ndarray, "band 2"]
    taper: Float64[np.ndarray, "y x"]

    @property
    def names(self) -> list[str]:
        """Names of the bands, south first, for example ``30S-0``."""
        return [f"{_latitude(south)}-{_latitude(north)}" for south, north in self.edges]

    @property
    def wavenumbers(self) -> Float64[np.ndarray, " wavenumber"]:
        """Zonal wavenumbers: waves around the full circle of latitude."""
        step = float(np.median(np.diff(self.grid.x)))
        return np.arange(self.grid.shape[1] // 2 + 1) * 360.0 / (self.grid.shape[1] * step)

    def coefficients(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Complex128[np.ndarray, "*batch y wavenumber"]:
        """Return the Fourier coefficients f̂ = FFT/n of every row, for `spectrum`.

        In a region that does not reach around the globe the mean and linear trend of each row are taken out and the
        rest is tapered (Hann window, rescaled to keep the variance of white noise): then wavenumber 0 says nothing.

        In a row with cells that are not valid they are those of w (f − f̄), f̄ = Σ w f / Σ w, divided by √⟨w²⟩, and f̄ at
        wavenumber 0. What the coasts cut leaks between neighbouring wavenumbers, as it does in forecast and truth
        alike; the taper keeps it from the distant ones.

        Args:
            fields: Fields [..., y, x]; cells that are not valid take no part, whatever is in them.
        """
        valid = np.greater(self.taper, 0.0)
        if self.grid.is_global_in_longitude and valid.all():
            with np.errstate(invalid="ignore", over="ignore"):
                return np.fft.rfft(fields.astype(np.float64), axis=-1, norm="forward")
        values = np.where(valid, fields.astype(np.float64), 0.0)
        broken = ~valid.all(axis=1)
        level = (self.taper * values).sum(axis=-1) / np.maximum(self.taper.sum(axis=1), 1e-12)
        with np.errstate(invalid="ignore"):  # of fields that are not finite
            anomalies = self.taper * (values - level[..., None])
        if not self.grid.is_global_in_longitude:
            window = _window(self.grid.shape[1])
            values, anomalies = _detrended(values) * window, anomalies * window
        values = np.where(broken[:, None], anomalies, values)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            waves = np.fft.rfft(values, axis=-1, norm="forward") / np.sqrt(self._kept)[:, None]
            if self.grid.is_global_in_longitude:
                waves[..., broken, 0] = level[..., broken]
        return waves

    def spectrum(
        self,
        ones: Complex128[np.ndarray, "*batch y wavenumber"],
        others: Complex128[np.ndarray, "*batch y wavenumber"],
    ) -> Float64[np.ndarray, "*batch band wavenumber"]:
        """Return the area-weighted mean zonal cross-spectrum of the rows of each band; of a field with itself its own.

            X(m) = Re f̂ ĝ* (m = 0),  2 Re f̂ ĝ* (m > 0),  Re f̂ ĝ* (m = n/2),      Σ_m X(m) = ⟨f g⟩

        so that it adds up to the zonal mean of the product; in a row with cells that are not valid, to that of
        (f − f̄)(g − ḡ) weighted by w², and f̄ ḡ. Rows count by their area times ⟨w²⟩.

        Args:
            ones: Coefficients of f.
            others: Coefficients of g.

        Returns:
            In squared units of the variable; NaN for a band without rows.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            product = ones.real * others.real
            product += ones.imag * others.imag
            product[..., 1 : (self.grid.shape[1] + 1) // 2] *= 2
        weights = self.grid.cell_area_weights[:, 0] * self._kept
        bands = []
        for band in range(len(self.edges)):
            chosen = np.flatnonzero(self.rows == band)
            # Rows of a band follow each other, but for those that are not used.
            span = slice(chosen[0], chosen[-1] + 1) if chosen.size else slice(0)
            rows = span if span.stop - (span.start or 0) == chosen.size else chosen
            with np.errstate(invalid="ignore", over="ignore"):
                total = weights[rows] @ product[..., rows, :]
            bands.append(total / weights[rows].sum() if chosen.size else total * np.nan)
        return np.stack(bands, axis=-2)

    @property
    def _kept(self) -> Float64[np.ndarray, " y"]:
        """⟨w²⟩ of each row; 1 of one whose cells are all valid."""
        mean: Float64[np.ndarray, " y"] = (self.taper**2).mean(axis=1)
        return np.maximum(mean, 1e-300)


def zonal_bands(
    grid: Grid, valid: Bool[np.ndarray, "y x"] | None = None, width: float = WIDTH
) -> ZonalBands | None:
    """Divide the rows of a grid into latitude bands.

    Args:
        grid: The grid.
        valid: Where the variable is defined; everywhere if not given.
        width: Width of the bands in degrees; a row on a border belongs to the band north of it.

    Returns:
        The bands that have a row, or None where there is none (or the grid has no latitudes).
    """
    if not isinstance(grid, LatLonGrid) or grid.shape[1] < FEWEST_CELLS:
        return None
    number = np.minimum((grid.y + 90) // width, 180 / width - 1).astype(np.int64)
    taper = np.ones(grid.shape) if valid is None else _taper(valid, grid.is_global_in_longitude)
    usable = (taper**2).mean(axis=1) >= LEAST
    present = np.unique(number[usable])
    if present.size == 0:
        return None
    rows = np.where(usable, np.searchsorted(present, number), -1)
    south = -90 + width * present
    edges = np.stack([south, south + width], axis=1).astype(np.float64)
    return ZonalBands(grid, rows, edges, taper)


@dataclass(frozen=True)
class ZonalSpectra:
    """How zonal spectra are taken.

    Attributes:
        variables: The variables.
        bands: How those of each are taken; variables without a row that can be used are left out.
    """

    variables: Variables
    bands: dict[int, ZonalBands]

    @property
    def scale(self) -> Scale:
        """Waves around the full circle, in every band that some variable has, south first."""
        names = {
            tuple(edge): name
            for one in self.bands.values()
            for edge, name in zip(one.edges.tolist(), one.names, strict=True)
        }
        numbers = next(iter(self.bands.values())).wavenumbers
        ordered = tuple(names[edge] for edge in sorted(names))
        length = self._wavelength()
        return Scale(numbers, "zonal wavenumber", bands=ordered, wavelength=length)

    def _wavelength(self) -> float | None:
        """Return the length in km of the circle of latitude in the middle of a region; None on the whole globe."""
        grid = next(iter(self.bands.values())).grid
        if grid.is_global_in_longitude:
            return None
        middle = np.deg2rad(0.5 * (grid.y[0] + grid.y[-1]))
        return float(2 * np.pi * EARTH_RADIUS / 1e3 * np.cos(middle))

    @property
    def quantities(self) -> tuple[SpectralQuantity, ...]:
        """The variables."""
        each = list(self.bands.values())
        span = (
            "all bins add up to the mean square"
            if each[0].grid.is_global_in_longitude
            else "a region: trend of each row taken out, tapered"
        )
        words = (
            "variance at each zonal wavenumber, area-weighted mean over the rows of a latitude band of "
            f"{WIDTH:g} degrees ({span})"
        )
        if any((one.taper < 1).any() for one in each):
            words += (
                f"; rows with cells that are not valid are tapered over {COAST} cells beside them and divided by the "
                "mean square of the taper"
            )
        chosen = [list(self.variables)[channel] for channel in self.bands]
        return tuple(
            SpectralQuantity(ZONAL, one.name, squared_units(one.units), words) for one in chosen
        )

    def spectra(self, sources: Sequence[Float[np.ndarray, "batch channel y x"]]) -> Spectra:
        """Return the spectra of every source; NaN in bands that a variable does not have."""
        scale = self.scale
        shape = (2, len(sources), len(self.bands), len(sources[0]), *scale.shape)
        found = np.full(shape, np.nan)
        for number, (channel, bands) in enumerate(self.bands.items()):
            rows = [scale.bands.index(name) for name in bands.names]
            waves = [bands.coefficients(field[:, channel]) for field in sources]
            found[:, :, number, :, rows] = np.moveaxis(paired(waves, bands.spectrum), 3, 0)
        return found


def zonal_spectra(
    variables: Variables, grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> ZonalSpectra | None:
    """Return the zonal spectra of a grid; None where no variable has a row that can be used."""
    made = {
        channel: zonal_bands(grid, None if valid_mask is None else valid_mask[channel])
        for channel in range(len(variables))
    }
    bands = {channel: one for channel, one in made.items() if one is not None}
    return ZonalSpectra(variables, bands) if bands else None


def _taper(valid: Bool[np.ndarray, "y x"], periodic: bool) -> Float64[np.ndarray, "y x"]:
    """Return sin²(π d / 2 (COAST + 1)), d the cells to the next one of the row that is not valid, at most COAST + 1."""
    mode: Literal["wrap", "edge"] = "wrap" if periodic else "edge"
    width = min(COAST, valid.shape[1])
    padded = np.pad(valid, ((0, 0), (width, width)), mode=mode)
    distance = np.where(valid, COAST + 1, 0)
    for shift in range(1, width + 1):
        for start in (width - shift, width + shift):
            beside = padded[:, start : start + valid.shape[1]]
            distance = np.where(beside, distance, np.minimum(distance, shift))
    return np.sin(0.5 * np.pi * distance / (COAST + 1)) ** 2


def _window(count: int) -> Float64[np.ndarray, " x"]:
    """Return a Hann window of mean square 1."""
    window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
    return window / np.sqrt((window**2).mean())


def _detrended(values: Float64[np.ndarray, "*batch x"]) -> Float64[np.ndarray, "*batch x"]:
    """Take out mean and trend along the last axis."""
    position = np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2
    with np.errstate(invalid="ignore"):
        level = values.mean(axis=-1, keepdims=True)
        slope = (values * position).sum(axis=-1, keepdims=True) / (position**2).sum()
        return values - level - slope * position


def _latitude(degrees: float) -> str:
    return f"{abs(degrees):g}{'S' if degrees < 0 else 'N' if degrees > 0 else ''}"
