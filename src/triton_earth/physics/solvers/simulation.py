"""What simulations have in common, and what those of turbulence do: times, trajectories on the stored grid."""

import abc
import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import pydantic
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from triton_earth.core.config import LARGEST_SEED, StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.physics.solvers.initial_conditions import mcwilliams_vorticity
from triton_earth.physics.solvers.navier_stokes import NavierStokes
from triton_earth.physics.solvers.published_scheme import PublishedNavierStokes
from triton_earth.physics.solvers.resolution import Resolution, resolution
from triton_earth.physics.solvers.time_stepping import (
    IntegratingFactorRK4,
    LowStorageCrankNicolson,
    Stepper,
)
from triton_earth.physics.spectral import resample

_RESOLUTION_CHECKS = 40

GridSize = Annotated[int, pydantic.Field(ge=4, le=65536)]
Count = Annotated[int, pydantic.Field(ge=1, le=10_000_000)]
Seed = Annotated[int, pydantic.Field(ge=0, le=LARGEST_SEED)]
Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


MOST_SOLVER_STEPS = 1e9
"""Steps of a trajectory's solver: at a millisecond each it would take twelve days."""


def require_solver_steps(duration: float, time_step: float) -> None:
    """Refuse a simulation that would not end.

    Args:
        duration: Time from the start of a trajectory to its end, in s.
        time_step: Step of the solver in s.

    Raises:
        ValueError: if it takes more than `MOST_SOLVER_STEPS` steps.
    """
    if not duration <= MOST_SOLVER_STEPS * time_step:
        raise ValueError(
            f"warm_up and snapshots times interval are more than {MOST_SOLVER_STEPS:g} steps of time_step = "
            f"{time_step:g}; take fewer or longer ones"
        )


class Simulation(StrictConfig, abc.ABC):
    """A numerical model that a recipe can take its data from.

    Attributes:
        kind: Tag by which a recipe names the class.
        snapshots: Stored snapshots of a trajectory.
        interval: Time between snapshots, in the units of `snapshot_times`.
    """

    kind: str
    snapshots: Count
    interval: Positive

    @property
    @abc.abstractmethod
    def variables(self) -> Variables:
        """What is stored."""

    @property
    @abc.abstractmethod
    def stored_grid(self) -> Grid:
        """Where it is stored."""

    @property
    @abc.abstractmethod
    def snapshot_times(self) -> Float64[np.ndarray, " time"]:
        """Times of the snapshots [time], float64."""

    @property
    def time_units(self) -> str:
        """Units of the times; those of the equation, which has no others, are "1"."""
        return "1"

    @abc.abstractmethod
    def fields(
        self, indices: Sequence[int], device: torch.device | str = "cpu"
    ) -> Float32[Tensor, "trajectory time channel y x"]:
        """Simulate the trajectories of these numbers, from 0; each depends on its own number only."""

    @abc.abstractmethod
    def remarks(self, device: torch.device | str = "cpu") -> dict[str, str]:
        """Return remarks for the provenance of a store of this simulation, beside the configuration."""


class TurbulenceSimulation(Simulation):
    """Trajectories of two-dimensional turbulence on the periodic box (0, 2π)².

    Simulated on `simulation_grid`² points, stored on `grid`² points by spectral truncation. Trajectory i depends on
    `seed + i` only.

    Attributes:
        kind: Tag by which a recipe names the class.
        grid: Stored grid points in each direction.
        simulation_grid: Simulated grid points in each direction, at least `grid`.
        time_step: Longest step of the solver in s.
        warm_up: Time in s before the first snapshot.
        snapshots: Stored snapshots of a trajectory.
        interval: Time in s between snapshots.
        seed: Seed of trajectory 0.
        peak_wavenumber: k₀ of the initial spectrum, in rad/m.
        precision: Precision of the computation; trajectories are float32 in any case.
        scheme: ``integrating_factor`` is `NavierStokes` with `IntegratingFactorRK4`: exact diffusion, no wave beyond
            the 2/3 rule. ``published`` is `PublishedNavierStokes` with `LowStorageCrankNicolson`, as the published data
            were made; a step costs 1.6 times as much, in float64 3.7 times.
    """

    kind: str
    grid: GridSize
    simulation_grid: GridSize
    time_step: Positive
    warm_up: NotNegative
    snapshots: Count
    interval: Positive
    seed: Seed
    peak_wavenumber: Positive
    precision: Literal["float32", "float64"] = "float32"
    scheme: Literal["integrating_factor", "published"] = "integrating_factor"

    @pydantic.model_validator(mode="after")
    def _stored_grid_fits(self) -> "TurbulenceSimulation":
        if self.simulation_grid < self.grid:
            raise ValueError(
                f"expected simulation_grid of at least grid = {self.grid}, found {self.simulation_grid}; "
                "truncation cannot add waves"
            )
        require_solver_steps(self.warm_up + self.snapshots * self.interval, self.time_step)
        return self

    @abc.abstractmethod
    def terms(self) -> tuple[float, float, Float[Tensor, "y x"] | None]:
        """Return viscosity in m²/s, drag in s⁻¹ and, if there is a force, its curl in s⁻² on the simulated grid."""

    @property
    def stepper(self) -> type[Stepper]:
        """Time steps of the scheme."""
        return LowStorageCrankNicolson if self.scheme == "published" else IntegratingFactorRK4

    def solver(self, device: torch.device | str = "cpu") -> NavierStokes:
        """Return the equation on the simulated grid.

        Args:
            device: Where to compute.
        """
        equation = PublishedNavierStokes if self.scheme == "published" else NavierStokes
        viscosity, drag, forcing = self.terms()
        return equation(
            (self.simulation_grid, self.simulation_grid),
            viscosity,
            drag=drag,
            forcing=forcing,
            dtype=getattr(torch, self.precision),
            device=device,
        )

    @property
    def length(self) -> float:
        """Length of the box in each direction in m."""
        return 2 * math.pi

    @property
    def variables(self) -> Variables:
        """The vorticity."""
        return Variables((VORTICITY,))

    @property
    def stored_grid(self) -> PeriodicGrid:
        """The box with `grid`² cells."""
        return PeriodicGrid(self.grid, self.grid, self.length, self.length)

    def initial_vorticity(self, indices: Sequence[int]) -> Float64[Tensor, "trajectory y x"]:
        """Return the random vorticity that trajectories start from.

        Args:
            indices: Numbers of the trajectories, from 0.

        Returns:
            ω [trajectory, y, x] in s⁻¹ on the simulated grid; `mcwilliams_vorticity` gives the spectrum.

        Raises:
            UserError: if there is no index or one is negative.
        """
        if len(indices) == 0 or min(indices) < 0:
            raise UserError(
                f"turbulence: expected at least one trajectory number, from 0 on, found {list(indices)}."
            )
        return torch.stack(
            [
                mcwilliams_vorticity(self.seed + index, self.simulation_grid, self.peak_wavenumber)
                for index in indices
            ]
        )

    def trajectories(
        self, indices: Sequence[int], device: torch.device | str = "cpu"
    ) -> Float32[Tensor, "trajectory time y x"]:
        """Simulate trajectories.

        Args:
            indices: Numbers of the trajectories, from 0.
            device: Where to compute.

        Returns:
            ω [trajectory, time, y, x] in s⁻¹ at `snapshot_times` on the stored grid, on the CPU.

        Raises:
            UserError: as `initial_vorticity` and `NavierStokes.integrate` say.
        """
        solver = self.solver(device)
        initial = self.initial_vorticity(indices)
        stored = torch.empty(len(indices), self.snapshots, self.grid, self.grid)
        fields = solver.integrate(initial, self.snapshot_times, self.time_step, self.stepper)
        for number, field in enumerate(fields):
            stored[:, number] = resample(field, (self.grid, self.grid))
        return stored

    def fields(
        self, indices: Sequence[int], device: torch.device | str = "cpu"
    ) -> Float32[Tensor, "trajectory time channel y x"]:
        """Return `trajectories` with a channel axis."""
        return self.trajectories(indices, device=device)[:, :, None]

    def remarks(self, device: torch.device | str = "cpu") -> dict[str, str]:
        """Return the verdict of `resolution` in words; this costs what one trajectory costs."""
        return {"resolution": self.resolution(device=device).message}

    def resolution(self, index: int = 0, device: torch.device | str = "cpu") -> Resolution:
        """Judge the simulated grid by one trajectory, at the time when it is resolved worst.

        The trajectory is simulated from its start to its last snapshot and looked at 40 times; this costs what
        one trajectory costs.

        Args:
            index: Number of the trajectory.
            device: Where to compute.

        Returns:
            The least adequate resolution met.

        Raises:
            UserError: as `trajectories`.
        """
        solver = self.solver(device)
        times = np.linspace(0, self.snapshot_times[-1], _RESOLUTION_CHECKS + 1)[1:]
        fields = solver.integrate(
            self.initial_vorticity([index]), times, self.time_step, self.stepper
        )
        verdicts = (resolution(field[0], solver.lengths, solver.viscosity) for field in fields)
        return min(verdicts, key=lambda verdict: verdict.number)
