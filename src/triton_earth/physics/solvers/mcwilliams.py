"""Decaying two-dimensional turbulence of McWilliams: vortices emerge from noise, merge and decay."""

from typing import Literal

import numpy as np
from jaxtyping import Float64

from triton_earth.physics.solvers.simulation import (
    Count,
    GridSize,
    NotNegative,
    Positive,
    Seed,
    TurbulenceSimulation,
)

_FIRST_SNAPSHOT_DELAY = 5e-4
"""One step of the reference generator, which records after the first step that follows the warm-up."""


class DecayingTurbulence(TurbulenceSimulation):
    """Unforced turbulence, ∂ω/∂t + u·∇ω = ν∇²ω with ν = 1/Re, on the box (0, 2π)².

    Initial fields are those of the published turbulence data, and so are the defaults of times (warm-up 4.5, then 100
    snapshots 0.055 apart) and Re. Snapshot n is at `warm_up` + 5·10⁻⁴ + n · `interval`: the generator of that data
    records first one of its steps of 5·10⁻⁴ after the warm-up, at t = 4.5005.

    Deviations by default: a grid of 256² with steps of at most 5·10⁻³ instead of 512² with 5·10⁻⁴; float32 instead of
    float64; exact diffusion, and the 2/3 rule applied to the state as well. With ``scheme=published``,
    ``simulation_grid=512``, ``time_step=5e-4`` and ``precision=float64`` one is left: fields are stored on `grid`²
    points by spectral truncation, where the published 128² files seem to be bilinear averages.

    Source: McWilliams, 1984, J. Fluid Mech. 146, 21; Cao et al., 2024, arXiv:2405.17211 (torch-cfd).

    Attributes:
        kind: Tag of this configuration.
        reynolds: Re = 1/ν for unit length and speed.
    """

    kind: Literal["decaying_turbulence"] = "decaying_turbulence"
    reynolds: Positive = 5000.0
    grid: GridSize = 128
    simulation_grid: GridSize = 256
    time_step: Positive = 5e-3
    warm_up: NotNegative = 4.5
    snapshots: Count = 100
    interval: Positive = 0.055
    seed: Seed = 1127825
    peak_wavenumber: Positive = 4.0

    @property
    def viscosity(self) -> float:
        """Kinematic viscosity ν = 1/Re in m²/s."""
        return 1 / self.reynolds

    @property
    def snapshot_times(self) -> Float64[np.ndarray, " time"]:
        """Times of the snapshots in s [time], float64: warm_up + 5·10⁻⁴ + n · interval."""
        return self.warm_up + _FIRST_SNAPSHOT_DELAY + self.interval * np.arange(self.snapshots)

    def terms(self) -> tuple[float, float, None]:
        """Return viscosity, no drag and no force."""
        return self.viscosity, 0.0, None
