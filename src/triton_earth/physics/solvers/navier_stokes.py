"""The reference solver: two-dimensional incompressible Navier–Stokes on a doubly periodic box, pseudo-spectral."""

import abc
import math
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.processes.workers import Workers
from triton_earth.physics.budget import Budget, budget
from triton_earth.physics.solvers.time_stepping import IntegratingFactorRK4, Stepper
from triton_earth.physics.spectral import dealiasing_mask, wavenumbers

_POINTS_PER_BLOCK = 2**14
_STEPS_BETWEEN_CHECKS = 32


class NavierStokes:
    """Two-dimensional incompressible flow in vorticity form.

        ∂ω/∂t + u·∇ω = ν∇²ω − μω + f,      u = ∂ψ/∂y,  v = −∂ψ/∂x,  ∇²ψ = −ω

    Discretised by Fourier series with the strict 2/3 rule (every wave with |j| ≥ n/3 is zero, in the state as well);
    the advection is written with two products and so needs four real transforms an evaluation:

        −u·∇ω = (∂²/∂y² − ∂²/∂x²)(uv) + ∂²/∂x∂y (u² − v²)

    Source: Basdevant, 1983, J. Comput. Phys. 50, 209 (two products); Orszag, 1971, J. Atmos. Sci. 28, 1074 (2/3 rule).

    Attributes:
        shape: Grid points (n_y, n_x).
        lengths: Box lengths (L_y, L_x) in m.
        viscosity: ν in m²/s.
        drag: μ in s⁻¹.
        dtype: Real type of the fields, float32 or float64.
        device: Where the computation runs.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        viscosity: float,
        *,
        lengths: tuple[float, float] = (2 * math.pi, 2 * math.pi),
        drag: float = 0.0,
        forcing: Float[Tensor, "y x"] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare the factors of the equation.

        Args:
            shape: Grid points (n_y, n_x), at least 4 each.
            viscosity: ν ≥ 0 in m²/s.
            lengths: Box lengths (L_y, L_x) in m.
            drag: μ ≥ 0 in s⁻¹.
            forcing: Steady f [y, x] in s⁻²; waves beyond the 2/3 rule are left out.
            dtype: float32 or float64.
            device: Where to compute.

        Raises:
            UserError: if a size, length or coefficient is out of range, or `forcing` is not on the grid.
        """
        if min(shape) < 4 or min(lengths) <= 0:
            raise UserError(
                f"flow solver: expected a grid of at least 4 x 4 points and positive lengths, "
                f"found {tuple(shape)} and {tuple(lengths)}."
            )
        if not (viscosity >= 0 and drag >= 0):
            raise UserError(
                f"flow solver: expected viscosity and drag of at least 0, found {viscosity} and {drag}."
            )
        if dtype not in (torch.float32, torch.float64):
            raise UserError(f"flow solver: expected float32 or float64, found {dtype}.")
        if forcing is not None and tuple(forcing.shape) != tuple(shape):
            raise UserError(
                f"flow solver: expected a forcing on the grid {tuple(shape)}, "
                f"found {tuple(forcing.shape)}. Resample it first."
            )
        self.shape = shape
        self.lengths = lengths
        self.viscosity = viscosity
        self.drag = drag
        self.dtype = dtype
        self.device = torch.device(device)

        self._waves_x = (shape[1] - 1) // 3 + 1
        ky, kx = wavenumbers(shape, lengths)
        kx = kx[:, : self._waves_x]
        mask = dealiasing_mask(shape)[:, : self._waves_x].double()
        squared = ky.square() + kx.square()
        inverse = torch.where(squared > 0, 1 / squared.clamp(min=1e-300), 0.0) * mask
        complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        self._mask = mask.to(self.device, dtype)
        self._linear = -viscosity * squared - drag
        self._velocity_factors = torch.stack([1j * ky * inverse, -1j * kx * inverse]).to(
            self.device, complex_dtype
        )
        self._product_factors = torch.stack(
            [(kx.square() - ky.square()) * mask, -kx * ky * mask]
        ).to(self.device, complex_dtype)
        self._largest_k = (
            float((ky[:, 0].abs() * mask[:, 0]).max()),
            float(kx.max()),
        )
        self._forcing_waves = (
            None if forcing is None else self._to_waves(forcing.to(self.device, dtype))
        )

    def integrate(
        self,
        vorticity: Float[Tensor, "*batch y x"],
        times: Iterable[float],
        time_step: float,
        stepper: type[Stepper] = IntegratingFactorRK4,
    ) -> Iterator[Float[Tensor, "*batch y x"]]:
        """Yield the vorticity at the given times.

        Between two times the steps are uniform: the fewest that are not longer than `time_step`. On a CPU the members
        of the batch are advanced in blocks that stay in the cache, as many at once as torch has threads; a member's
        result does not depend on the others beyond rounding.

        Args:
            vorticity: ω [*batch, y, x] in s⁻¹ at time 0.
            times: Times in s, not negative and increasing; 0 yields the truncated initial field.
            time_step: Longest step in s.
            stepper: Scheme of `triton_earth.physics.solvers.time_stepping`.

        Yields:
            ω [*batch, y, x] in s⁻¹, one new tensor for each of `times`.

        Raises:
            UserError: if the field is not on the grid, the times do not increase, the step is beyond the stability
                limit Δt max(k_x|u| + k_y|v|) of the scheme (looked at every 32 steps; the message gives a step that
                is not), or a value is not finite. As this is a generator, all are raised while iterating.
        """
        if tuple(vorticity.shape[-2:]) != tuple(self.shape):
            raise UserError(
                f"flow solver: expected vorticity on the grid {tuple(self.shape)}, "
                f"found {tuple(vorticity.shape[-2:])}. Resample it first."
            )
        if not time_step > 0:
            raise UserError(f"flow solver: expected a positive time step, found {time_step}.")
        batch = vorticity.shape[:-2]
        fields = vorticity.to(self.device, self.dtype).reshape(-1, *self.shape)
        parts = fields.split(self._block_size(len(fields)))
        now = 0.0
        with Workers(len(parts) if self.device.type == "cpu" else 1) as workers:
            # The first transform too: the bits of a Fourier transform depend on how many threads share it.
            blocks = workers.map(partial(_Block, self, scheme=stepper), parts)
            for time in times:
                if not now <= time < math.inf:
                    raise UserError(
                        f"flow solver: expected finite times that increase from 0, "
                        f"found {time} after {now}. Sort them."
                    )
                steps, length = _uniform_steps(time - now, time_step)
                result = torch.cat(
                    workers.map(partial(_Block.advance, now=now, steps=steps, dt=length), blocks)
                )
                now = time
                if not torch.isfinite(result).all():
                    raise UserError(_not_finite(now, time_step))
                yield result.reshape(*batch, *self.shape)

    def tendency(self, vorticity: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y x"]:
        """Return the right-hand side of the discretised equation.

            ∂ω/∂t = −u·∇ω + ν∇²ω − μω + f

        Args:
            vorticity: ω [*batch, y, x] in s⁻¹; waves beyond the 2/3 rule are left out.

        Returns:
            ∂ω/∂t [*batch, y, x] in s⁻².
        """
        fields = vorticity.to(self.device, self.dtype).reshape(-1, *self.shape)
        state = self._to_waves(fields)
        result = torch.empty_like(state)
        self.work_space(state).tendency(state, result)
        result += self._linear.to(state) * state
        return self._to_field(result).reshape(vorticity.shape)

    def budget(self, vorticity: Float[Tensor, "*batch y x"]) -> Budget:
        """Return the terms of the energy and enstrophy budgets of a field.

        Args:
            vorticity: ω [*batch, y, x] in s⁻¹.

        Returns:
            The terms, each [*batch]; `Budget` states the equations.
        """
        omega = vorticity.to(self.device, self.dtype)
        forcing = None if self._forcing_waves is None else self._to_field(self._forcing_waves)
        return budget(omega, self.lengths, self.viscosity, self.drag, forcing)

    def work_space(self, like: Complex[Tensor, "member y wave"]) -> "WorkSpace":
        """Return work space for states of the shape and type of `like`."""
        return _TwoProducts(self, like)

    def _block_size(self, members: int) -> int:
        if self.device.type != "cpu":
            return max(1, members)
        return max(1, _POINTS_PER_BLOCK // (self.shape[0] * self.shape[1]))

    def _to_waves(self, field: Float[Tensor, "*batch y x"]) -> Complex[Tensor, "*batch y wave"]:
        rows = torch.fft.rfft(field, dim=-1, norm="forward")[..., : self._waves_x]
        return torch.fft.fft(rows, dim=-2, norm="forward") * self._mask

    def _to_field(self, waves: Complex[Tensor, "*batch y wave"]) -> Float[Tensor, "*batch y x"]:
        rows = torch.fft.ifft(waves, dim=-2, norm="forward")
        return torch.fft.irfft(rows, n=self.shape[1], dim=-1, norm="forward")


class WorkSpace(abc.ABC):
    """The advection term for one shape of batch; it writes nothing but its own tensors and `out`."""

    @abc.abstractmethod
    def velocity(self, state: Complex[Tensor, "member y wave"]) -> Float[Tensor, "2 member y x"]:
        """Return (u, v) of a state in m/s."""

    @abc.abstractmethod
    def tendency(
        self, state: Complex[Tensor, "member y wave"], out: Complex[Tensor, "member y wave"]
    ) -> None:
        """Write the transform of −u·∇ω + f into `out`."""


class _TwoProducts(WorkSpace):
    """The advection by u v and u² − v²."""

    def __init__(self, equation: NavierStokes, like: Complex[Tensor, "member y wave"]) -> None:
        self._equation = equation
        self._velocity_waves = like.new_empty((2, *like.shape))
        self._products = torch.empty(
            (2, len(like), *equation.shape), dtype=equation.dtype, device=like.device
        )
        self._velocity_factors = equation._velocity_factors[:, None]

    def velocity(self, state: Complex[Tensor, "member y wave"]) -> Float[Tensor, "2 member y x"]:
        torch.mul(state, self._velocity_factors, out=self._velocity_waves)
        return self._equation._to_field(self._velocity_waves)

    def tendency(
        self, state: Complex[Tensor, "member y wave"], out: Complex[Tensor, "member y wave"]
    ) -> None:
        equation, products = self._equation, self._products
        u, v = self.velocity(state)
        torch.mul(u, v, out=products[0])
        torch.mul(u, u, out=products[1]).addcmul_(v, v, value=-1)
        rows = torch.fft.rfft(products, dim=-1, norm="forward")[..., : equation._waves_x]
        waves = torch.fft.fft(rows, dim=-2, norm="forward")
        torch.mul(waves[0], equation._product_factors[0], out=out)
        out.addcmul_(waves[1], equation._product_factors[1])
        if equation._forcing_waves is not None:
            out.add_(equation._forcing_waves)


class _Block:
    """Members that are advanced together, with all the work space that takes."""

    def __init__(
        self, equation: NavierStokes, fields: Float[Tensor, "member y x"], scheme: type[Stepper]
    ) -> None:
        self._equation = equation
        self._scheme = scheme
        self._waves = equation._to_waves(fields)
        self._space = equation.work_space(self._waves)
        self._stepper: Stepper | None = None
        self._dt = 0.0

    def advance(self, now: float, steps: int, dt: float) -> Float[Tensor, "member y x"]:
        """Return the fields after `steps` steps of `dt` from time `now`."""
        if steps == 0:
            return self._equation._to_field(self._waves)
        if self._stepper is None or not math.isclose(dt, self._dt, rel_tol=1e-9):
            self._stepper = self._scheme(self._equation._linear, dt, self._waves)
            self._dt = dt
        for step in range(steps):
            if step % _STEPS_BETWEEN_CHECKS == 0:
                self._check(now + step * self._dt)
            self._stepper.step(self._waves, self._space.tendency)
        return self._equation._to_field(self._waves)

    def _check(self, now: float) -> None:
        u, v = self._space.velocity(self._waves)
        largest_ky, largest_kx = self._equation._largest_k
        rate = float((u.abs() * largest_kx + v.abs() * largest_ky).max())
        limit = self._scheme.stability_limit
        if not math.isfinite(rate):
            raise UserError(_not_finite(now, self._dt))
        if rate * self._dt > limit:
            raise UserError(
                f"flow solver: the time step {self._dt:.3g} is unstable at time {now:.4g}: expected at most "
                f"{limit / rate:.3g} for this grid and flow speed. "
                f"Set time_step to {0.7 * limit / rate:.2g} or less."
            )


def _uniform_steps(duration: float, longest: float) -> tuple[int, float]:
    """Return number and length of the fewest equal steps that are not longer than `longest`, up to rounding."""
    steps = math.ceil(duration / longest * (1 - 1e-9))
    return steps, duration / max(steps, 1)


def _not_finite(time: float, time_step: float) -> str:
    return (
        f"flow solver: expected finite vorticity, found NaN or infinity at time {time:.4g} with time step "
        f"{time_step:.3g}. Check the initial field, or set a smaller time_step."
    )
