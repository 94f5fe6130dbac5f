"""Layers of constant density and their vertical modes, in the quasi-geostrophic approximation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from triton_earth.core.errors import UserError


@dataclass(frozen=True)
class Stratification:
    """A stack of layers under a free surface.

    Attributes:
        depths: Thickness H_i of each layer at rest in m, from the top.
        reduced_gravities: g'_i at the bottom of each layer but the last in m/s².
        coriolis: f₀ in s⁻¹.
        gravity: g, at the surface, in m/s².

    Raises:
        UserError: if the numbers do not fit together or one is not positive.
    """

    depths: tuple[float, ...]
    reduced_gravities: tuple[float, ...]
    coriolis: float
    gravity: float = 9.81

    def __post_init__(self) -> None:
        numbers = (*self.depths, *self.reduced_gravities, self.gravity)
        if len(self.reduced_gravities) != len(self.depths) - 1 or not min(numbers) > 0:
            raise UserError(
                "stratification: expected positive depths and, between each two layers, a positive reduced gravity; "
                f"found depths {self.depths} and reduced gravities {self.reduced_gravities}."
            )
        if self.coriolis == 0:
            raise UserError("stratification: expected a Coriolis parameter other than 0.")

    @property
    def stretching(self) -> Float64[np.ndarray, "layer layer"]:
        """Matrix S in m⁻² such that q_i = ∇²ψ_i − Σ_j S_ij ψ_j + βy.

        S_ij ψ_j = f₀²/H_i [(ψ_i − ψ_{i−1})/g'_{i−1} + (ψ_i − ψ_{i+1})/g'_i], with ψ_0 = 0 and g'_0 = g at the surface
        and no second term in the last layer.
        """
        inverse = np.array([1 / self.gravity, *(1 / g for g in self.reduced_gravities), 0.0])
        matrix = np.diag(inverse[:-1] + inverse[1:])
        matrix -= np.diag(inverse[1:-1], 1) + np.diag(inverse[1:-1], -1)
        return self.coriolis**2 * matrix / np.array(self.depths)[:, None]

    @property
    def eigenvalues(self) -> Float64[np.ndarray, " mode"]:
        """Eigenvalues λ of S in m⁻², ascending; the first mode is barotropic, 1/√λ are the deformation radii."""
        return self._decomposition()[0]

    @property
    def to_modes(self) -> Float64[np.ndarray, "mode layer"]:
        """Matrix that gives the modes' amplitudes of values in the layers."""
        return self._decomposition()[1].T * np.sqrt(self.depths)

    @property
    def to_layers(self) -> Float64[np.ndarray, "layer mode"]:
        """Its inverse."""
        return self._decomposition()[1] / np.sqrt(self.depths)[:, None]

    def _decomposition(self) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues and orthonormal eigenvectors of √H S √H⁻¹, which is symmetric."""
        root = np.sqrt(np.array(self.depths))
        values, vectors = np.linalg.eigh(root[:, None] * self.stretching / root)
        return values, vectors * np.where(vectors[0] < 0, -1.0, 1.0)
