"""Quasi-geostrophic flow of several layers in a closed basin on the β-plane: wind-driven gyres and their eddies."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.physics.sine_transform import SineTransform
from triton_earth.physics.solvers.arakawa import jacobian
from triton_earth.physics.solvers.stratification import Stratification

_STEPS_BETWEEN_CHECKS = 32
_STABILITY_LIMIT = 2.7
"""Stability limit of the classical Runge–Kutta scheme: 2.82 on the imaginary, 2.78 on the real axis."""


@dataclass(frozen=True)
class GyreBudget:
    """Terms of the energy budget of a basin, per mass of its water, each [*batch].

        d/dt (kinetic + potential) = input − drag − dissipation

    Attributes:
        kinetic: Σ_i H_i/H ½⟨|∇ψ_i|²⟩ in m²/s².
        potential: ½⟨Σ_ij H_i/H ψ_i S_ij ψ_j⟩ in m²/s².
        input: Work of the wind in m²/s³.
        drag: Loss at the bottom in m²/s³.
        dissipation: Loss to viscosity in m²/s³.
    """

    kinetic: Float[Tensor, "*batch"]
    potential: Float[Tensor, "*batch"]
    input: Float[Tensor, "*batch"]
    drag: Float[Tensor, "*batch"]
    dissipation: Float[Tensor, "*batch"]

    @property
    def energy(self) -> Float[Tensor, "*batch"]:
        """Kinetic and potential energy in m²/s²."""
        return self.kinetic + self.potential

    @property
    def tendency(self) -> Float[Tensor, "*batch"]:
        """dE/dt in m²/s³."""
        return self.input - self.drag - self.dissipation


class QuasiGeostrophic:
    """Quasi-geostrophic potential vorticity of layers between walls.

        ∂q_i/∂t + J(ψ_i, q_i) = δ_{i1} W/H_1 − δ_{iN} r ζ_N − A₄ ∇⁴ζ_i,
        q_i = ζ_i − Σ_j S_ij ψ_j + βy,      ζ = ∇²ψ,      u = −∂ψ/∂y,  v = ∂ψ/∂x

    with W the curl of the wind stress over density. No water passes the walls: ψ_i is there one number c_i(t) for the
    whole wall, which follows from the layer's volume, ∫ψ_i = 0. The walls do not hold the water back (free slip: ζ = 0
    and ∇²ζ = 0). Points lie on the walls and between; differences are centred, of second order, the advection is
    Arakawa's and the inversion of q exact for the differences, so that without W, r and A₄ energy is conserved by the
    space discretisation to rounding. Time stepping is classical fourth-order Runge–Kutta.

    Source: Hogg, Dewar, Killworth & Blundell, 2003, Mon. Wea. Rev. 131, 2261 (equations; here a free surface closes the
    top instead of a mixed layer); McWilliams, 1977, Dyn. Atmos. Oceans 1, 427 (volume of a layer).

    Attributes:
        shape: Cells (n_y, n_x); fields have (n_y + 1, n_x + 1) points.
        spacing: Distance of points in m.
        layers: Depths and densities.
        beta: β in m⁻¹ s⁻¹.
        drag: r in s⁻¹.
        viscosity: A₄ in m⁴/s.
        dtype: Real type of the fields, float32 or float64.
        device: Where the computation runs.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        spacing: float,
        layers: Stratification,
        *,
        beta: float,
        drag: float = 0.0,
        viscosity: float = 0.0,
        wind_curl: Float[Tensor, "y x"] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare the factors of the equation.

        Args:
            shape: Cells (n_y, n_x), at least 4 each.
            spacing: Distance of points in m.
            layers: Depths and densities.
            beta: β in m⁻¹ s⁻¹.
            drag: r ≥ 0 in s⁻¹.
            viscosity: A₄ ≥ 0 in m⁴/s.
            wind_curl: W [y, x] in m/s² at all points; values on the walls have no effect.
            dtype: float32 or float64.
            device: Where to compute.

        Raises:
            UserError: if a size or coefficient is out of range, or `wind_curl` is not on the points.
        """
        if min(shape) < 4 or not spacing > 0:
            raise UserError(
                f"gyre solver: expected at least 4 x 4 cells and a positive spacing, "
                f"found {tuple(shape)} and {spacing}."
            )
        if not (drag >= 0 and viscosity >= 0):
            raise UserError(
                f"gyre solver: expected drag and viscosity of at least 0, found {drag} and {viscosity}."
            )
        if dtype not in (torch.float32, torch.float64):
            raise UserError(f"gyre solver: expected float32 or float64, found {dtype}.")
        points = (shape[0] + 1, shape[1] + 1)
        if wind_curl is not None and tuple(wind_curl.shape) != points:
            raise UserError(
                f"gyre solver: expected the curl of the wind at {points} points, found {tuple(wind_curl.shape)}."
            )
        self.shape = shape
        self.spacing = spacing
        self.layers = layers
        self.beta = beta
        self.drag = drag
        self.viscosity = viscosity
        self.dtype = dtype
        self.device = torch.device(device)

        y = (torch.arange(points[0], dtype=torch.float64) - shape[0] / 2) * spacing
        self._planetary = self._constant(beta * y)[:, None]
        self._stretching = self._constant(torch.from_numpy(layers.stretching))
        self._to_modes = self._constant(torch.from_numpy(layers.to_modes))
        self._to_layers = self._constant(torch.from_numpy(layers.to_layers))
        self._forcing = (
            None
            if wind_curl is None
            else self._constant(wind_curl[1:-1, 1:-1].double() / layers.depths[0])
        )

        wave_y, wave_x = (
            (torch.sin(torch.arange(1, n, dtype=torch.float64) * (math.pi / (2 * n))) * 2 / spacing)
            for n in shape
        )
        eigenvalues = torch.from_numpy(layers.eigenvalues)[:, None, None]
        inverse = -1 / (wave_y[:, None].square() + wave_x.square() + eigenvalues)
        # Of each mode, the flow that has no potential vorticity and is 1 on the walls: what c_i adds.
        exact = SineTransform(shape, torch.float64)
        inner = exact.field(inverse * exact.amplitudes(eigenvalues.expand_as(inverse)))
        unforced = _walled(inner) + 1
        self._waves = SineTransform(shape, dtype, device)
        self._inverse = self._constant(inverse)
        self._unforced = self._constant(unforced)
        self._area = self._constant(_cell_shares(points))
        self._unforced_volume = self._constant((unforced * _cell_shares(points)).sum((-2, -1)))

    def integrate(
        self,
        streamfunction: Float[Tensor, "*batch layer y x"],
        times: Iterable[float],
        time_step: float,
    ) -> Iterator[Float[Tensor, "*batch layer y x"]]:
        """Yield the streamfunction at the given times.

        Between two times the steps are uniform: the fewest that are not longer than `time_step`.

        Args:
            streamfunction: ψ [*batch, layer, y, x] in m²/s at time 0, walls included.
            times: Times in s, not negative and increasing; 0 yields the initial flow with the volume of its layers
                put right.
            time_step: Longest step in s.

        Yields:
            ψ [*batch, layer, y, x] in m²/s, one new tensor for each of `times`.

        Raises:
            UserError: if the field is not on the points, the times do not increase, the step is beyond the stability
                limit (looked at every 32 steps; the message gives a step that is not), or a value is not finite. As
                this is a generator, all are raised while iterating.
        """
        q = self.potential_vorticity(streamfunction)
        if not time_step > 0:
            raise UserError(f"gyre solver: expected a positive time step, found {time_step}.")
        now = 0.0
        for time in times:
            if not now <= time < math.inf:
                raise UserError(
                    f"gyre solver: expected finite times that increase from 0, found {time} after {now}. Sort them."
                )
            steps = math.ceil((time - now) / time_step * (1 - 1e-9))
            length = (time - now) / max(steps, 1)
            for step in range(steps):
                if step % _STEPS_BETWEEN_CHECKS == 0:
                    self._check(self.invert(q), now + step * length, length)
                q = self._step(q, length)
            now = time
            psi = self.invert(q)
            if not torch.isfinite(psi).all():
                raise UserError(_not_finite(now))
            yield psi

    def potential_vorticity(
        self, streamfunction: Float[Tensor, "*batch layer y x"]
    ) -> Float[Tensor, "*batch layer y-2 x-2"]:
        """Return q − βy = ζ − Sψ in s⁻¹ at the points between the walls.

        Args:
            streamfunction: ψ [*batch, layer, y, x] in m²/s.

        Raises:
            UserError: if ψ is not at the solver's layers and points.
        """
        expected = (len(self.layers.depths), self.shape[0] + 1, self.shape[1] + 1)
        if tuple(streamfunction.shape[-3:]) != expected:
            raise UserError(
                f"gyre solver: expected a streamfunction [layer, y, x] of {expected}, "
                f"found {tuple(streamfunction.shape[-3:])}. Resample it first."
            )
        psi = streamfunction.to(self.device, self.dtype)
        return self._laplacian(psi) - _mix(self._stretching, psi[..., 1:-1, 1:-1])

    def invert(
        self, potential_vorticity: Float[Tensor, "*batch layer row column"]
    ) -> Float[Tensor, "*batch layer y x"]:
        """Return ψ in m²/s at all points; exact inverse of `potential_vorticity` for layers of the right volume."""
        modes = self._waves.amplitudes(_mix(self._to_modes, potential_vorticity))
        inner = _walled(self._waves.field(modes.mul_(self._inverse)))
        wall = -(inner * self._area).sum((-2, -1)) / self._unforced_volume
        return _mix(self._to_layers, inner + wall[..., None, None] * self._unforced)

    def tendency(
        self, potential_vorticity: Float[Tensor, "*batch layer row column"]
    ) -> Float[Tensor, "*batch layer row column"]:
        """Return ∂q/∂t in s⁻² of the discretised equation.

        Args:
            potential_vorticity: q − βy [*batch, layer, row, column] in s⁻¹ at the points between the walls.
        """
        psi = self.invert(potential_vorticity)
        stretched = _mix(self._stretching, psi)
        zeta = potential_vorticity + stretched[..., 1:-1, 1:-1]
        q = self._planetary - stretched  # as on the walls, where ζ is zero
        q[..., 1:-1, 1:-1] += zeta
        result = -jacobian(psi, q, self.spacing)
        if self._forcing is not None:
            result[..., 0, :, :] += self._forcing
        if self.drag:
            result[..., -1, :, :] -= self.drag * zeta[..., -1, :, :]
        if self.viscosity:
            result -= self.viscosity * self._laplacian(_walled(self._laplacian(_walled(zeta))))
        return result

    def budget(self, streamfunction: Float[Tensor, "*batch layer y x"]) -> GyreBudget:
        """Return the terms of the energy budget of a flow.

        Args:
            streamfunction: ψ [*batch, layer, y, x] in m²/s, with the volume of its layers right.
        """
        psi = self.invert(self.potential_vorticity(streamfunction)).double()
        depths = torch.tensor(self.layers.depths, dtype=torch.float64, device=self.device)
        weights = depths / depths.sum()
        area = self._area.double()
        zeta = self._laplacian(psi)
        deviation = psi - psi[..., :1, :1]
        work = torch.zeros_like(psi[..., 0, 0, 0])
        if self._forcing is not None:
            inner = deviation[..., 0, 1:-1, 1:-1] * self._forcing.double()
            work = -weights[0] * inner.sum((-2, -1)) * area[1, 1]
        squares = _squared_differences(deviation) * area[1, 1] / self.spacing**2
        vorticity_squares = _squared_differences(_walled(zeta)) * area[1, 1] / self.spacing**2
        stretching = torch.from_numpy(self.layers.stretching).to(self.device)
        return GyreBudget(
            kinetic=0.5 * squares @ weights,
            potential=0.5 * (area * psi * _mix(stretching, psi)).sum((-2, -1)) @ weights,
            input=work,
            drag=self.drag * weights[-1] * squares[..., -1],
            dissipation=self.viscosity * vorticity_squares @ weights,
        )

    def _constant(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype)

    def _laplacian(self, field: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y-2 x-2"]:
        neighbours = field[..., 2:, 1:-1] + field[..., :-2, 1:-1]
        neighbours += field[..., 1:-1, 2:]
        neighbours += field[..., 1:-1, :-2]
        return neighbours.sub_(field[..., 1:-1, 1:-1], alpha=4).div_(self.spacing**2)

    def _step(
        self, q: Float[Tensor, "*batch layer y x"], dt: float
    ) -> Float[Tensor, "*batch layer y x"]:
        slope = self.tendency(q)
        total = q.add(slope, alpha=dt / 6)
        for reach, share in ((dt / 2, dt / 3), (dt / 2, dt / 3), (dt, dt / 6)):
            slope = self.tendency(q.add(slope, alpha=reach))
            total.add_(slope, alpha=share)
        return total

    def _check(self, psi: Float[Tensor, "*batch layer y x"], now: float, dt: float) -> None:
        u, v = psi.diff(dim=-2).abs().max(), psi.diff(dim=-1).abs().max()
        rate = float(u + v) / self.spacing**2 + self.drag + 64 * self.viscosity / self.spacing**4
        if not math.isfinite(rate):
            raise UserError(_not_finite(now))
        if rate * dt > _STABILITY_LIMIT:
            raise UserError(
                f"gyre solver: the time step {dt:.4g} is unstable at time {now:.4g}: expected at most "
                f"{_STABILITY_LIMIT / rate:.4g} for this spacing, viscosity and flow speed. "
                f"Set time_step to {0.7 * _STABILITY_LIMIT / rate:.2g} or less."
            )


def _mix(
    matrix: Float[Tensor, "new layer"], fields: Float[Tensor, "*batch layer y x"]
) -> Float[Tensor, "*batch new y x"]:
    """Return the sums of layers (or modes) that the rows of a matrix say."""
    return (matrix @ fields.flatten(-2)).unflatten(-1, fields.shape[-2:])


def _walled(field: Float[Tensor, "*batch row column"]) -> Float[Tensor, "*batch y x"]:
    """Return a field with zeros on the walls around it."""
    return torch.nn.functional.pad(field, (1, 1, 1, 1))


def _cell_shares(points: tuple[int, int]) -> Float[Tensor, "y x"]:
    """Return each point's share of the basin: half a cell on a wall, a quarter in a corner."""
    along_y, along_x = (torch.ones(n, dtype=torch.float64) for n in points)
    for side in (along_y, along_x):
        side[0] = side[-1] = 0.5
    return along_y[:, None] * along_x / ((points[0] - 1) * (points[1] - 1))


def _squared_differences(field: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch"]:
    return field.diff(dim=-1).square().sum((-2, -1)) + field.diff(dim=-2).square().sum((-2, -1))


def _not_finite(time: float) -> str:
    return (
        f"gyre solver: expected a finite flow, found NaN or infinity at time {time:.4g}. Check the initial field, or "
        "set a smaller time_step."
    )
