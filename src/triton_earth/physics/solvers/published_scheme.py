"""The discretisation by which the published turbulence data were made, term by term."""

import math

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from triton_earth.physics.solvers.navier_stokes import NavierStokes, WorkSpace
from triton_earth.physics.spectral import wavenumbers


class PublishedNavierStokes(NavierStokes):
    """`NavierStokes` with the advection of the published generator: velocity times gradient, filtered afterwards.

        N(ω) = −B(u ∂ω/∂x + v ∂ω/∂y) + f

    where B keeps the waves of `published_filter`. The state, its velocity and gradient and the linear term keep all
    waves, so that waves beyond the filter only decay and alias into the others; `NavierStokes` has neither. Waves lie
    as [k_x, k_y ≥ 0]. With the steps of `LowStorageCrankNicolson` it agrees with torch-cfd to rounding.

    Source: Cao et al., 2024, arXiv:2405.17211 (torch-cfd, the generator of McWilliams' decaying turbulence).
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
        """Prepare the factors of the equation; arguments and errors are those of `NavierStokes`."""
        super().__init__(
            shape,
            viscosity,
            lengths=lengths,
            drag=drag,
            forcing=forcing,
            dtype=dtype,
            device=device,
        )
        kx, ky = wavenumbers((shape[1], shape[0]), (lengths[1], lengths[0]))
        squared = kx.square() + ky.square()
        inverse = torch.where(squared > 0, 1 / squared.clamp(min=1e-300), 0.0)
        whole = torch.ones_like(squared)
        complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        self._linear = -viscosity * squared - drag
        self._velocity_factors = torch.stack([1j * ky * inverse, -1j * kx * inverse]).to(
            self.device, complex_dtype
        )
        self._gradient_factors = torch.stack([1j * kx * whole, 1j * ky * whole]).to(
            self.device, complex_dtype
        )
        kept = published_filter((shape[1], shape[0]))
        self._filter = kept.to(self.device, dtype)
        self._largest_k = (float((ky * kept).max()), float((kx.abs() * kept).max()))

    def work_space(self, like: Complex[Tensor, "member x wave"]) -> WorkSpace:
        """Return work space for states of the shape and type of `like`."""
        return _VelocityTimesGradient(self)

    def _to_waves(self, field: Float[Tensor, "*batch y x"]) -> Complex[Tensor, "*batch x wave"]:
        return torch.fft.rfft2(field.mT, norm="forward")

    def _to_field(self, waves: Complex[Tensor, "*batch x wave"]) -> Float[Tensor, "*batch y x"]:
        return torch.fft.irfft2(waves, s=(self.shape[1], self.shape[0]), norm="forward").mT


def published_filter(shape: tuple[int, int]) -> Bool[Tensor, "x half"]:
    """Return which waves of the advection the published generator keeps.

    The first and the last ⌊2n/3⌋ // 2 rows and the first ⌊2(m/2 + 1)/3⌋ columns of [n, m // 2 + 1]: about the 2/3 rule,
    but with one more row of negative than of positive k_x, so that the first kept row has no partner.

    Args:
        shape: Grid points (n_x, n_y).
    """
    rows, columns = 2 * shape[0] // 3 // 2, 2 * (shape[1] // 2 + 1) // 3
    kept = torch.zeros(shape[0], shape[1] // 2 + 1, dtype=torch.bool)
    kept[:rows, :columns] = True
    kept[-rows:, :columns] = True
    return kept


class _VelocityTimesGradient(WorkSpace):
    def __init__(self, equation: PublishedNavierStokes) -> None:
        self._equation = equation

    def velocity(self, state: Complex[Tensor, "member x wave"]) -> Float[Tensor, "2 member y x"]:
        return self._equation._to_field(self._equation._velocity_factors[:, None] * state)

    def tendency(
        self, state: Complex[Tensor, "member x wave"], out: Complex[Tensor, "member x wave"]
    ) -> None:
        equation = self._equation
        u, v = self.velocity(state)
        by_x, by_y = equation._to_field(equation._gradient_factors[:, None] * state)
        advection = equation._to_waves(u * by_x + v * by_y)
        torch.mul(advection, -equation._filter, out=out)
        if equation._forcing_waves is not None:
            out.add_(equation._forcing_waves)
