"""Is a simulation fine enough? The product of the largest wavenumber and the dissipation scale says."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.physics.flow import palinstrophy

ADEQUATE = 1.5
"""Smallest adequate k_max η; `resolution` says what was measured."""


@dataclass(frozen=True)
class Resolution:
    """How well a grid resolves a flow.

    Attributes:
        number: k_max η, without unit; infinite where there is no gradient.
        adequate: Whether `number` is at least `ADEQUATE`.
        message: One sentence with the number, the threshold and what to do.
    """

    number: float
    adequate: bool
    message: str


def resolution(
    vorticity: Float[Tensor, "y x"], lengths: tuple[float, float], viscosity: float
) -> Resolution:
    """Judge whether the grid of a simulation resolves the dissipation of enstrophy.

        k_max η,      η = (ν³ / χ)^{1/6},      χ = 2νP = ν⟨|∇ω|²⟩

    with k_max the largest wavenumber that the 2/3 rule keeps along the coarser direction, η the dissipation scale of
    the enstrophy cascade and χ the rate at which viscosity dissipates enstrophy (Kraichnan, 1967, Phys. Fluids 10,
    1417; Batchelor, 1969, Phys. Fluids 12, II-233: ν and χ are all that the scale can depend on).

    What was measured (benchmarks/resolution.py: decaying turbulence at Re 1000, 2000 and 5000, three fields each, in
    float32 on grids of 64² to 256² against 512²; relative L2 error of vorticity in the waves of the 64² grid after 4.5
    time units, by the smallest k_max η on the way): 13–29 % at 0.80–0.94, 3–11 % at 1.18–1.27, 0.7–2.8 % at 1.59–1.88,
    below 0.2 % from 2.4 on. The threshold 1.5 stands between the second and the third group.

    Args:
        vorticity: ω [y, x] in s⁻¹ on the grid it was simulated on, at the time of the steepest gradients.
        lengths: Box lengths (L_y, L_x) in m.
        viscosity: ν in m²/s.

    Returns:
        The number, the verdict and a sentence.

    Raises:
        UserError: if the viscosity is not positive: then there is no dissipation scale.
    """
    if not viscosity > 0:
        raise UserError(
            f"resolution: expected a positive viscosity, found {viscosity}. Without one no grid resolves the flow."
        )
    largest = min(
        (size - 1) // 3 * 2 * math.pi / length
        for size, length in zip(vorticity.shape, lengths, strict=True)
    )
    dissipation = 2 * viscosity * float(palinstrophy(vorticity.double(), lengths))
    scale = (viscosity**3 / dissipation) ** (1 / 6) if dissipation > 0 else math.inf
    number = largest * scale
    grid = " x ".join(str(size) for size in vorticity.shape)
    if number >= ADEQUATE:
        verdict = f"at least {ADEQUATE:g}: the {grid} grid resolves the dissipation of enstrophy."
    else:
        finer = math.ceil(max(vorticity.shape) * ADEQUATE / number / 2) * 2
        verdict = (
            f"below {ADEQUATE:g}: the {grid} grid is too coarse; "
            f"simulate on about {finer} points a side or raise the viscosity."
        )
    return Resolution(number, number >= ADEQUATE, f"k_max η = {number:.2f} is {verdict}")
