"""Arakawa's Jacobian: advection on a grid of squares that creates neither energy nor enstrophy."""

from jaxtyping import Float
from torch import Tensor


def jacobian(
    psi: Float[Tensor, "*batch y x"], q: Float[Tensor, "*batch y x"], spacing: float
) -> Float[Tensor, "*batch y-2 x-2"]:
    """Return u·∇q = ∂ψ/∂x ∂q/∂y − ∂ψ/∂y ∂q/∂x at the inner points, to second order in the spacing.

    Where ψ is constant on the border, Σ (ψ − ψ_border) J(ψ, q) over the inner points is zero whatever q is: energy is
    conserved. Σ q J(ψ, q) is zero where ψ is constant, or q zero, on the border and one point inside of it.

    Args:
        psi: Streamfunction ψ at all points, border included, with u = −∂ψ/∂y, v = ∂ψ/∂x.
        q: What is advected, at the same points.
        spacing: Distance of neighbouring points in m.

    Source: Arakawa, 1966, J. Comput. Phys. 1, 119, eq. (45).
    """
    south, middle, north = slice(None, -2), slice(1, -1), slice(2, None)
    west, east = south, north

    # Sums of ψ over the ends of an edge, which make the flow across the neighbouring point.
    column = psi[..., :-1, :] + psi[..., 1:, :]
    row = psi[..., :, :-1] + psi[..., :, 1:]
    result = (column[..., 1:, east] - column[..., 1:, west]) * q[..., north, middle]
    result -= (column[..., :-1, east] - column[..., :-1, west]) * q[..., south, middle]
    result -= (row[..., north, 1:] - row[..., south, 1:]) * q[..., middle, east]
    result += (row[..., north, :-1] - row[..., south, :-1]) * q[..., middle, west]

    # Differences of ψ across the cells, which make the flow towards the diagonal neighbours.
    fall = psi[..., :-1, 1:] - psi[..., 1:, :-1]
    rise = psi[..., 1:, 1:] - psi[..., :-1, :-1]
    result += fall[..., 1:, 1:] * q[..., north, east]
    result -= fall[..., :-1, :-1] * q[..., south, west]
    result -= rise[..., :-1, 1:] * q[..., south, east]
    result += rise[..., 1:, :-1] * q[..., north, west]
    return result / (12 * spacing**2)
