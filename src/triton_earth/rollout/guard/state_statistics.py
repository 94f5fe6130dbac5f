"""What the guard measures in every state of a rollout: a few numbers per forecast and variable."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.core.velocity import velocity_pairs
from triton_earth.physics.flow import enstrophy_spectrum, kinetic_energy
from triton_earth.physics.spectral import isotropic_wavenumbers, wavenumbers

NOT_FINITE, SMALLEST, LARGEST, MEAN, VARIANCE, CHANGE, ENERGY = (
    "values that are not finite",
    "smallest value",
    "largest value",
    "mean",
    "variance",
    "change per step",
    "kinetic energy",
)
"""Names of the statistics that every state has; those of the wavenumber bands follow them."""

BULK = (NOT_FINITE, SMALLEST, LARGEST, MEAN, VARIANCE, CHANGE, ENERGY)


@dataclass(frozen=True)
class Band:
    """Wavenumbers low ≤ k < high, in rad per unit of length (per cell where the grid is no periodic box)."""

    low: float
    high: float

    @property
    def name(self) -> str:
        """What the guard calls it."""
        return f"variance at wavenumbers {self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class StateStatistics:
    """Measures states of one set of variables on one grid.

    Attributes:
        variables: The variables measured.
        grid: Their grid.
        valid_mask: True where a variable is defined; None where all are everywhere.
    """

    variables: Variables
    grid: Grid
    valid_mask: Bool[Tensor, "channel y x"] | None = None

    @property
    def names(self) -> list[str]:
        """Names of the statistics, in order."""
        return [*BULK, *(band.name for band in self.bands)]

    @cached_property
    def bands(self) -> list[Band]:
        """Octaves of wavenumber: k₁ ≤ k < 2 k₁, 2 k₁ ≤ k < 4 k₁, …; the last ends with the spectral plane's corner."""
        first = 2 * math.pi / max(self._lengths)
        count = len(isotropic_wavenumbers(self.grid.shape, self._lengths))
        edges = [2**octave for octave in range(math.ceil(math.log2(max(count, 2))))]
        return [
            Band((low - 0.5) * first, (min(2 * low, count) - 0.5) * first)
            for low in edges
            if low < count
        ]

    def measure(self, state: State, previous: State) -> Float[Tensor, "batch channel statistic"]:
        """Return the statistics of one state.

        Means and variances are over the valid cells with cell-area weights. The variance of a band is
        Σ ½|f̂(k)|² over its wavenumbers; on a grid with sides that are not periodic the anomaly from the mean is
        tapered to zero there (Hann window) and cells that are not valid count as the mean, so that such a number is
        to be compared with its like only.

        Args:
            state: The state [batch, 1, channel, y, x].
            previous: The state one step earlier.

        Returns:
            Statistics in the order of `names`, float32, on the device of the state. Those that do not exist for a
            variable (kinetic energy, but of vorticity on a periodic box and of eastward velocity beside its northward
            component) are NaN.
        """
        fields, older = state.data[:, -1], previous.data[:, -1]
        weights, valid = self._weights(fields.device)
        bad = ~torch.isfinite(fields) & valid
        mean = _mean(fields, weights, valid)
        anomaly = torch.where(valid, fields - mean[..., None, None], 0.0)
        change = _mean((fields - older).square(), weights, valid).sqrt()
        bulk = [
            bad.sum((-2, -1)).to(fields),
            torch.where(valid, fields, torch.inf).amin((-2, -1)),
            torch.where(valid, fields, -torch.inf).amax((-2, -1)),
            mean,
            _mean(anomaly.square(), weights, valid),
            change,
            self._energy(fields, weights, valid),
        ]
        return torch.cat([torch.stack(bulk, dim=-1), self._band_variances(anomaly)], dim=-1)

    def band_field(self, field: Float[Tensor, "y x"], band: Band) -> Float[Tensor, "y x"]:
        """Return the part of a field (NaN counts as zero) whose wavenumbers lie in a band."""
        ky, kx = wavenumbers(self.grid.shape, self._lengths, field.dtype, field.device)
        k = torch.hypot(ky, kx)
        coefficients = torch.fft.rfft2(torch.nan_to_num(field, posinf=0.0, neginf=0.0))
        inside = (k >= band.low) & (k < band.high)
        return torch.fft.irfft2(coefficients * inside, s=self.grid.shape)

    @cached_property
    def _lengths(self) -> tuple[float, float]:
        if isinstance(self.grid, PeriodicGrid):
            return self.grid.length_y, self.grid.length_x
        return float(self.grid.shape[0]), float(self.grid.shape[1])

    def _weights(
        self, device: torch.device
    ) -> tuple[Float[Tensor, "y x"], Bool[Tensor, "#channel y x"]]:
        weights = torch.from_numpy(self.grid.cell_area_weights).to(device, torch.float32)
        if self.valid_mask is None:
            return weights, torch.ones(1, *self.grid.shape, dtype=torch.bool, device=device)
        return weights, self.valid_mask.to(device)

    def _energy(
        self,
        fields: Float[Tensor, "batch channel y x"],
        weights: Float[Tensor, "y x"],
        valid: Bool[Tensor, "#channel y x"],
    ) -> Float[Tensor, "batch channel"]:
        """Return ½⟨|u|²⟩ of vorticity on a box, and of each velocity at its eastward component."""
        energy = torch.full(fields.shape[:2], torch.nan, dtype=fields.dtype, device=fields.device)
        if isinstance(self.grid, PeriodicGrid) and VORTICITY.name in self.variables:
            (channel,) = self.variables.indices([VORTICITY.name])
            energy[:, channel] = kinetic_energy(fields[:, channel], self._lengths)
        for pair in self._velocities:
            both = valid.expand(fields.shape[1:])[list(pair)].all(0, keepdim=True)
            squares = fields[:, list(pair)].square().sum(1, keepdim=True)
            energy[:, pair[0]] = 0.5 * _mean(squares, weights, both)[:, 0]
        return energy

    @cached_property
    def _velocities(self) -> list[tuple[int, int]]:
        return velocity_pairs(self.variables)

    def _band_variances(
        self, anomaly: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "batch channel band"]:
        tapered = anomaly
        for dim, padding in zip((-2, -1), self.grid.padding, strict=True):
            if padding != "periodic":
                size = anomaly.shape[dim]
                window = torch.hann_window(size + 2, periodic=False, device=anomaly.device)[1:-1]
                tapered = tapered * (window[:, None] if dim == -2 else window)
        spectrum = enstrophy_spectrum(tapered, self._lengths)
        first = 2 * math.pi / max(self._lengths)
        parts = [
            spectrum[..., round(band.low / first + 0.5) : round(band.high / first + 0.5)].sum(-1)
            for band in self.bands
        ]
        return torch.stack(parts, dim=-1)


def _mean(
    fields: Float[Tensor, "batch channel y x"],
    weights: Float[Tensor, "y x"],
    valid: Bool[Tensor, "#channel y x"],
) -> Float[Tensor, "batch channel"]:
    """Return the weighted mean over the valid cells."""
    total = torch.where(valid, fields * weights, 0.0).sum((-2, -1))
    return total / torch.where(valid, weights, 0.0).sum((-2, -1))
