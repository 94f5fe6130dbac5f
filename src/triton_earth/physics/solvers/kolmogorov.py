"""Kolmogorov flow: turbulence that a steady sinusoidal shear drives and a linear drag holds back."""

from typing import Literal

import numpy as np
import pydantic
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from triton_earth.physics.solvers.simulation import (
    Count,
    GridSize,
    NotNegative,
    Positive,
    Seed,
    TurbulenceSimulation,
)


class KolmogorovFlow(TurbulenceSimulation):
    """Forced turbulence, ∂ω/∂t + u·∇ω = ν∇²ω − μω − A k_f cos(k_f y), on the box (0, 2π)².

    The force is A sin(k_f y) along x; its curl drives the vorticity. Each trajectory starts from its own random
    vorticity and forgets it during the warm-up, by default twice the time 1/μ of the drag. Snapshot n is at
    `warm_up` + n · `interval`.

    Source: Kochkov et al., 2021, PNAS 118, e2101784118, methods (k_f = 4, A = 1, ν = 10⁻³, μ = 0.1).

    Attributes:
        kind: Tag of this configuration.
        viscosity: ν in m²/s.
        drag: μ in s⁻¹.
        forcing_wavenumber: k_f, waves of the force across the box.
        forcing_amplitude: A in m/s².
    """

    kind: Literal["kolmogorov_flow"] = "kolmogorov_flow"
    viscosity: Positive = 1e-3
    drag: NotNegative = 0.1
    forcing_wavenumber: Count = 4
    forcing_amplitude: NotNegative = 1.0
    grid: GridSize = 64
    simulation_grid: GridSize = 192
    time_step: Positive = 2.5e-3
    warm_up: NotNegative = 20.0
    snapshots: Count = 100
    interval: Positive = 0.1
    seed: Seed = 0
    peak_wavenumber: Positive = 4.0

    @pydantic.model_validator(mode="after")
    def _forcing_is_resolved(self) -> "KolmogorovFlow":
        if 3 * self.forcing_wavenumber >= self.simulation_grid:
            raise ValueError(
                f"expected forcing_wavenumber {self.forcing_wavenumber} below a third of simulation_grid, "
                f"found simulation_grid {self.simulation_grid}"
            )
        return self

    @property
    def snapshot_times(self) -> Float64[np.ndarray, " time"]:
        """Times of the snapshots in s [time], float64: warm_up + n · interval."""
        return self.warm_up + self.interval * np.arange(self.snapshots)

    def forcing(self) -> Float[Tensor, "y x"]:
        """Return the curl of the force.

            f = −A k_f cos(k_f y)

        Returns:
            f [y, x] in s⁻² on the simulated grid, float64.
        """
        n = self.simulation_grid
        y = torch.arange(n, dtype=torch.float64) * (self.length / n)
        wave = (
            -self.forcing_amplitude
            * self.forcing_wavenumber
            * torch.cos(self.forcing_wavenumber * y)
        )
        return wave[:, None].expand(n, n).clone()

    def terms(self) -> tuple[float, float, Float[Tensor, "y x"]]:
        """Return viscosity, drag and the curl of the force."""
        return self.viscosity, self.drag, self.forcing()
