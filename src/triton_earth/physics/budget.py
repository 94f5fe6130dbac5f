"""Where the energy and the enstrophy of a flow come from and go to."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.physics import flow


@dataclass(frozen=True)
class Budget:
    """Terms of the energy and enstrophy budgets, each [*batch].

        dE/dt = −2νZ − 2μE + ⟨ψf⟩,      dZ/dt = −2νP − 2μZ + ⟨ωf⟩

    with E = ½⟨|u|²⟩, Z = ½⟨ω²⟩, P = ½⟨|∇ω|²⟩, ν viscosity, μ drag, f the forcing of vorticity. A mean vorticity, which
    no periodic flow has but a model's forecast may, counts in Z and not in the first equation.

    Attributes:
        energy: E in m²/s².
        energy_dissipation: 2νZ (without the mean) in m²/s³.
        energy_drag: 2μE in m²/s³.
        energy_input: ⟨ψf⟩ in m²/s³.
        enstrophy: Z in s⁻².
        enstrophy_dissipation: 2νP in s⁻³.
        enstrophy_drag: 2μZ in s⁻³.
        enstrophy_input: ⟨ωf⟩ in s⁻³.
    """

    energy: Float[Tensor, "*batch"]
    energy_dissipation: Float[Tensor, "*batch"]
    energy_drag: Float[Tensor, "*batch"]
    energy_input: Float[Tensor, "*batch"]
    enstrophy: Float[Tensor, "*batch"]
    enstrophy_dissipation: Float[Tensor, "*batch"]
    enstrophy_drag: Float[Tensor, "*batch"]
    enstrophy_input: Float[Tensor, "*batch"]


def budget(
    vorticity: Float[Tensor, "*batch y x"],
    lengths: tuple[float, float],
    viscosity: float,
    drag: float = 0.0,
    forcing: Float[Tensor, "y x"] | None = None,
) -> Budget:
    """Return the terms of the energy and enstrophy budgets of a field.

    Args:
        vorticity: ω [*batch, y, x] in s⁻¹.
        lengths: Box lengths (L_y, L_x) in m.
        viscosity: ν in m²/s.
        drag: μ in s⁻¹.
        forcing: f [y, x] in s⁻², or None for none.

    Returns:
        The terms, each [*batch]; `Budget` states the equations.
    """
    eddies = vorticity - vorticity.mean((-2, -1), keepdim=True)
    energy = flow.kinetic_energy(vorticity, lengths)
    enstrophy = flow.enstrophy(vorticity)
    energy_input = enstrophy_input = torch.zeros_like(energy)
    if forcing is not None:
        energy_input = (flow.streamfunction(vorticity, lengths) * forcing).mean((-2, -1))
        enstrophy_input = (vorticity * forcing).mean((-2, -1))
    return Budget(
        energy=energy,
        energy_dissipation=2 * viscosity * flow.enstrophy(eddies),
        energy_drag=2 * drag * energy,
        energy_input=energy_input,
        enstrophy=enstrophy,
        enstrophy_dissipation=2 * viscosity * flow.palinstrophy(vorticity, lengths),
        enstrophy_drag=2 * drag * enstrophy,
        enstrophy_input=enstrophy_input,
    )
