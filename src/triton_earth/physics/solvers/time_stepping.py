"""Time steps for ∂ω̂/∂t = N(ω̂) + L ω̂, where L is real and diagonal: stiff diffusion costs no stability.

Both steppers change the state in place, keep their factors and work space from step to step, and treat N as
independent of time.
"""

import abc
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Complex, Float
from torch import Tensor

Tendency = Callable[[Tensor, Tensor], object]
"""Writes N(state) [*batch, y, wave] into its second argument; both are complex."""


class Stepper(abc.ABC):
    """A scheme for one fixed step, built from L [y, wave] in s⁻¹, Δt in s and a state that gives shape and type."""

    stability_limit: ClassVar[float]
    """Largest |λ|Δt on the imaginary axis for which no wave grows, without L."""

    @abc.abstractmethod
    def __init__(
        self,
        linear: Float[Tensor, "y wave"],
        time_step: float,
        like: Complex[Tensor, "*batch y wave"],
    ) -> None: ...

    @abc.abstractmethod
    def step(self, state: Complex[Tensor, "*batch y wave"], tendency: Tendency) -> None:
        """Advance `state` [*batch, y, wave] by one Δt in place."""


class IntegratingFactorRK4(Stepper):
    """Classical fourth-order Runge–Kutta on the variable e^{−Lt} ω̂; diffusion is exact.

        a = N(ω),  b = N(E(ω + ½Δt a)),  c = N(Eω + ½Δt b),  d = N(E²ω + Δt E c),      E = e^{½LΔt}
        ω ← E²ω + Δt/6 (E² a + 2E(b + c) + d)

    Fourth order in Δt. Source: Canuto, Hussaini, Quarteroni & Zang, Spectral Methods: Evolution to Complex Geometries
    (2007), section 3.3 (integrating factor); Kassam & Trefethen, 2005, SIAM J. Sci. Comput. 26, 1214, section 2.
    """

    stability_limit: ClassVar[float] = 2.82
    """2√2, rounded down."""

    def __init__(
        self,
        linear: Float[Tensor, "y wave"],
        time_step: float,
        like: Complex[Tensor, "*batch y wave"],
    ) -> None:
        factor = _doubled(torch.exp(linear.double() * (0.5 * time_step)))
        real = torch.view_as_real(like)
        self._time_step = time_step
        self._factor = factor.to(real)
        self._stage, self._slope = torch.empty_like(like), torch.empty_like(like)
        self._carried, self._sum = torch.empty_like(real), torch.empty_like(real)

    def step(self, state: Complex[Tensor, "*batch y wave"], tendency: Tendency) -> None:
        """Advance `state` [*batch, y, wave] by one Δt in place; four evaluations of `tendency`."""
        dt, factor, carried, total = self._time_step, self._factor, self._carried, self._sum
        new, stage, slope = map(torch.view_as_real, (state, self._stage, self._slope))
        tendency(state, self._slope)
        torch.mul(factor, new, out=carried)
        torch.addcmul(carried, factor, slope, value=dt / 2, out=stage)
        torch.addcmul(carried, factor, slope, value=dt / 6, out=total)
        tendency(self._stage, self._slope)
        torch.add(carried, slope, alpha=dt / 2, out=stage)
        total.add_(slope, alpha=dt / 3)
        tendency(self._stage, self._slope)
        torch.add(carried, slope, alpha=dt, out=stage).mul_(factor)
        total.add_(slope, alpha=dt / 3)
        tendency(self._stage, self._slope)
        torch.mul(factor, total, out=new).add_(slope, alpha=dt / 6)


class LowStorageCrankNicolson(Stepper):
    """Five-stage low-storage Runge–Kutta of Carpenter & Kennedy with Crank–Nicolson for L in each stage.

        h ← N(ω) + β_k h;   μ = ½Δt(α_{k+1} − α_k);   ω ← (ω + γ_k Δt h + μLω) / (1 − μL),      k = 1 … 5

    Fourth order in Δt for N alone, second order with L. Source: Canuto, Hussaini, Quarteroni & Zang (2007), appendix
    D.3; coefficients of Carpenter & Kennedy, 1994, NASA TM-109112.
    """

    stability_limit: ClassVar[float] = 3.34
    """Where the stability polynomial of the five stages leaves the unit circle, rounded down."""

    _ALPHA = (0.0, 0.1496590219993, 0.3704009573644, 0.6222557631345, 0.9582821306748, 1.0)
    _BETA = (0.0, -0.4178904745, -1.192151694643, -1.697784692471, -1.514183444257)
    _GAMMA = (0.1496590219993, 0.3792103129999, 0.8229550293869, 0.6994504559488, 0.1530572479681)

    def __init__(
        self,
        linear: Float[Tensor, "y wave"],
        time_step: float,
        like: Complex[Tensor, "*batch y wave"],
    ) -> None:
        real = torch.view_as_real(like)
        self._stages: list[tuple[float, Tensor, Tensor]] = []
        for stage, (beta, gamma) in enumerate(zip(self._BETA, self._GAMMA, strict=True)):
            mu = 0.5 * time_step * (self._ALPHA[stage + 1] - self._ALPHA[stage])
            implicit = 1 / (1 - mu * linear.double())
            keep = _doubled((1 + mu * linear.double()) * implicit).to(real)
            add = _doubled(gamma * time_step * implicit).to(real)
            self._stages.append((beta, keep, add))
        self._slope, self._increment = torch.empty_like(like), torch.empty_like(real)

    def step(self, state: Complex[Tensor, "*batch y wave"], tendency: Tendency) -> None:
        """Advance `state` [*batch, y, wave] by one Δt in place; five evaluations of `tendency`."""
        new, slope = torch.view_as_real(state), torch.view_as_real(self._slope)
        self._increment.zero_()
        for beta, keep, add in self._stages:
            tendency(state, self._slope)
            torch.add(slope, self._increment, alpha=beta, out=self._increment)
            new.mul_(keep).addcmul_(add, self._increment)


def _doubled(factor: Float[Tensor, "y wave"]) -> Float[Tensor, "y wave 2"]:
    """Return a real factor once for the real and once for the imaginary part, so that no complex product is needed."""
    return factor[..., None].expand(*factor.shape, 2).contiguous()
