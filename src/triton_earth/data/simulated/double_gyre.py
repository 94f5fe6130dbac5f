"""A Kuroshio-like jet: the wind-driven double gyre of a three-layer ocean, from spun-up states that come along."""

import importlib.resources
import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.grid import ClosedGrid
from triton_earth.core.processes.workers import Workers
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.sources.known_variables import BY_NAME
from triton_earth.physics.sine_transform import SineTransform
from triton_earth.physics.solvers.quasi_geostrophic import QuasiGeostrophic
from triton_earth.physics.solvers.simulation import (
    Count,
    GridSize,
    NotNegative,
    Positive,
    Seed,
    Simulation,
    require_solver_steps,
)
from triton_earth.physics.solvers.stratification import Stratification

DAY = 86400.0
LENGTH = 2560e3
"""Side of the basin in m."""
LAYERS = Stratification(
    depths=(400.0, 1100.0, 2600.0), reduced_gravities=(0.025, 0.0125), coriolis=9.4e-5
)
BETA = 1.75e-11
"""m⁻¹ s⁻¹"""
DENSITY = 1000.0
"""kg m⁻³"""
DRAG = 0.5 * 2.0 / 2600.0 * 9.4e-5
"""s⁻¹: half the share of a bottom Ekman layer of 2 m in the lowest layer, times f₀."""

STATES = "double_gyre_states.npz"
STATES_APART = 300.0
"""Days between the shipped states in the run that they come from."""
MEMORY = 60.0
"""Days after which the eddies of a shipped state are forgotten."""

Output = Literal[
    "sea_surface_height",
    "surface_geostrophic_eastward_velocity",
    "surface_geostrophic_northward_velocity",
]
OUTPUTS: tuple[Output, ...] = (
    "sea_surface_height",
    "surface_geostrophic_eastward_velocity",
    "surface_geostrophic_northward_velocity",
)


class DoubleGyre(Simulation):
    """Model output of a wind-driven double gyre with a meandering jet and its rings, like the Kuroshio's extension.

    Three layers (400, 1100 and 2600 m, g' 0.025 and 0.0125 m/s²) in a closed basin of 2560 km at 40° N on the β-plane,
    under a steady wind stress τ_x = −τ₀ cos(2πy/L); `QuasiGeostrophic` gives the equations. There is no season.

        η = f₀/g ψ₁,      u = −(g/f₀) ∂η/∂y,  v = (g/f₀) ∂η/∂x

    Trajectory i starts from shipped state i, as long as there are any; these are 300 days apart. Each later one starts
    from state i modulo their number with a small disturbance, drawn from `seed + i`, and is simulated `warm_up` days
    before its first snapshot, so that it has forgotten where it comes from.

    Attributes:
        kind: Tag of this configuration.
        grid: Stored cells in each direction; divides `simulation_grid`, whose cells are averaged.
        simulation_grid: Simulated cells in each direction; 128 are 20 km apart, as those that the states come from.
        time_step: Longest step of the solver in s.
        snapshots: Stored snapshots of a trajectory.
        interval: Days between snapshots.
        warm_up: Days before the first snapshot of the trajectories beyond the shipped states.
        seed: Seed of the disturbance of trajectory 0.
        wind_stress: τ₀ in N/m².
        viscosity: Biharmonic viscosity in m⁴/s.
        outputs: What is stored.
    """

    kind: Literal["double_gyre"] = "double_gyre"
    grid: GridSize = 128
    simulation_grid: GridSize = 128
    time_step: Positive = 8640.0
    snapshots: Count = 120
    interval: Positive = 1.0
    warm_up: NotNegative = 180.0
    seed: Seed = 0
    wind_stress: NotNegative = 0.08
    viscosity: NotNegative = 1e11
    outputs: Annotated[tuple[Output, ...], pydantic.Field(min_length=1)] = OUTPUTS

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "DoubleGyre":
        if self.simulation_grid % self.grid:
            raise ValueError(
                f"expected a grid that divides simulation_grid = {self.simulation_grid}, found {self.grid}; cells are "
                "averaged as a whole"
            )
        longest = STATES_APART - MEMORY
        days = self.warm_up + self.snapshots * self.interval
        require_solver_steps(86400.0 * days, self.time_step)
        if self.snapshots * self.interval > longest:
            raise ValueError(
                f"expected snapshots times interval of at most {longest:g} days, found "
                f"{self.snapshots * self.interval:g}; a longer trajectory would repeat the next one"
            )
        return self

    @property
    def variables(self) -> Variables:
        """What is stored, with units."""
        known = [BY_NAME[name] for name in self.outputs]
        return Variables(tuple(Variable(one.name, one.units, one.long_name) for one in known))

    @property
    def stored_grid(self) -> ClosedGrid:
        """The basin with `grid`² cells."""
        return ClosedGrid(self.grid, self.grid, LENGTH, LENGTH)

    @property
    def snapshot_times(self) -> Float64[np.ndarray, " time"]:
        """Times of the snapshots in days from the first [time], float64."""
        return self.interval * np.arange(self.snapshots, dtype=np.float64)

    @property
    def time_units(self) -> str:
        """Days."""
        return "d"

    def wind_curl(self) -> Float[Tensor, "y x"]:
        """Return the curl of the wind stress over density, −(2πτ₀/ρL) sin(2πy/L), in m/s² at all points, float64."""
        points = self.simulation_grid + 1
        y = torch.linspace(0, 1, points, dtype=torch.float64)
        curl = -2 * math.pi * self.wind_stress / (DENSITY * LENGTH) * torch.sin(2 * math.pi * y)
        return curl[:, None].expand(points, points)

    def solver(self, device: torch.device | str = "cpu") -> QuasiGeostrophic:
        """Return the equation on the simulated grid, in float32.

        Args:
            device: Where to compute.
        """
        return QuasiGeostrophic(
            (self.simulation_grid, self.simulation_grid),
            LENGTH / self.simulation_grid,
            LAYERS,
            beta=BETA,
            drag=DRAG,
            viscosity=self.viscosity,
            wind_curl=self.wind_curl(),
            device=device,
        )

    def initial_streamfunction(self, index: int) -> Float64[Tensor, "layer y x"]:
        """Return the flow that a trajectory is simulated from, before its warm-up if it has one.

        Args:
            index: Number of the trajectory, from 0.

        Returns:
            ψ [layer, y, x] in m²/s at all points of the simulated grid.

        Raises:
            UserError: if the number is negative.
        """
        if index < 0:
            raise UserError(f"double gyre: expected trajectory numbers from 0 on, found {index}.")
        states = spun_up_states()
        vorticity = states[index % len(states)].clone()
        if index >= len(states):
            generator = torch.Generator().manual_seed(self.seed + index)
            waves = 16
            noise = torch.randn(waves, waves, generator=generator, dtype=torch.float64)
            vorticity[:, :waves, :waves] += 5e-8 * noise
        return streamfunction(vorticity, self.simulation_grid)

    def fields(
        self, indices: Sequence[int], device: torch.device | str = "cpu"
    ) -> Float32[Tensor, "trajectory time channel y x"]:
        """Simulate trajectories.

        Args:
            indices: Numbers of the trajectories, from 0.
            device: Where to compute.

        Returns:
            The outputs [trajectory, time, channel, y, x] at `snapshot_times` on the stored grid, on the CPU.

        Raises:
            UserError: as `initial_streamfunction` and `QuasiGeostrophic.integrate` say.
        """
        solver = self.solver(device)
        with Workers(len(indices) if solver.device.type == "cpu" else 1) as workers:
            return torch.stack(workers.map(partial(self._trajectory, solver), indices))

    def remarks(self, device: torch.device | str = "cpu") -> dict[str, str]:
        """Return that this is model output, and of what."""
        del device
        return {
            "source": "MODEL OUTPUT, not observations: three-layer quasi-geostrophic double gyre in a closed basin of "
            f"2560 km, {LENGTH / self.simulation_grid / 1e3:g} km between points, from spun-up states"
        }

    def _trajectory(
        self, solver: QuasiGeostrophic, index: int
    ) -> Float32[Tensor, "time channel y x"]:
        before = self.warm_up if index >= len(spun_up_states()) else 0.0
        times = (before + self.snapshot_times) * DAY
        flow = solver.integrate(self.initial_streamfunction(index), times, self.time_step)
        stored = torch.empty(self.snapshots, len(self.outputs), self.grid, self.grid)
        for number, psi in enumerate(flow):
            stored[number] = self._outputs(psi[0])
        return stored

    def _outputs(self, psi: Float[Tensor, "y x"]) -> Float[Tensor, "channel row column"]:
        """Return the outputs in the stored cells: means over the simulated cells, each the mean over its corners."""
        along_x, along_y = (psi[:, 1:] + psi[:, :-1]) / 2, (psi[1:] + psi[:-1]) / 2
        spacing = LENGTH / self.simulation_grid
        cells = {
            "sea_surface_height": (along_x[1:] + along_x[:-1])
            * (0.5 * LAYERS.coriolis / LAYERS.gravity),
            "surface_geostrophic_eastward_velocity": -along_x.diff(dim=0) / spacing,
            "surface_geostrophic_northward_velocity": along_y.diff(dim=1) / spacing,
        }
        fields = torch.stack([cells[name] for name in self.outputs])
        return torch.nn.functional.avg_pool2d(fields, self.simulation_grid // self.grid)


@cache
def spun_up_states() -> Float64[Tensor, "state layer row column"]:
    """Return the shipped states as the sine amplitudes of their vorticity [state, layer, row, column] in s⁻¹."""
    path = Path(str(importlib.resources.files("triton_earth"))) / "data" / "embedded" / STATES
    with np.load(path, allow_pickle=False) as file:
        return torch.from_numpy(file["vorticity"].astype(np.float64)) * float(file["step"])


def streamfunction(
    vorticity: Float64[Tensor, "layer row column"], cells: int
) -> Float64[Tensor, "layer y x"]:
    """Return the flow that has a given vorticity, and layers of the right volume.

        ∇²ψ = ζ,  ψ constant on the walls,  ∫ψ = 0

    Args:
        vorticity: Sine amplitudes of ζ in s⁻¹, from the gravest; waves that the grid does not have are left out.
        cells: Cells of the basin in each direction.

    Returns:
        ψ [layer, y, x] in m²/s at all (cells + 1)² points.
    """
    waves = min(vorticity.shape[-1], cells - 1)
    squares = (torch.arange(1, waves + 1, dtype=torch.float64) * (math.pi / LENGTH)).square()
    amplitudes = -vorticity[:, :waves, :waves] / (squares[:, None] + squares)
    missing = cells - 1 - waves
    amplitudes = torch.nn.functional.pad(amplitudes, (0, missing, 0, missing))
    inner = SineTransform((cells, cells), torch.float64).field(amplitudes)
    psi = torch.nn.functional.pad(inner, (1, 1, 1, 1))
    return psi - inner.sum((-2, -1), keepdim=True) / cells**2
