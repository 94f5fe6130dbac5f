"""Spherical-harmonic transform of maps on a global grid, in torch."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from triton_earth.physics.spherical_harmonics import legendre


class SphericalHarmonics(nn.Module):
    """a_lm of maps, and maps of a_lm: f(φ, λ) = Σ_m Σ_l a_lm P_lm(sin φ) e^{imλ}, a_l(−m) = a*_lm, 0 ≤ m ≤ l < L.

    Around circles of latitude by Fourier transform; over latitude by least squares weighted with cos φ with all degrees
    that the grid resolves, of which the lowest L are kept. Both are products with matrices, real and imaginary part
    apart.

    Source: conventions of `triton_earth.physics.spherical_harmonics`, which transforms for judging.
    """

    def __init__(
        self, latitude: Float64[np.ndarray, " y"], columns: int, degrees: int | None = None
    ) -> None:
        """Compute the matrices.

        Args:
            latitude: φ of the rows in degrees north, from pole to pole.
            columns: Number of equally spaced longitudes around the globe.
            degrees: L; as many as the grid resolves, half the number of its rows (or columns), if not given.
        """
        super().__init__()
        resolved = min(len(latitude), columns) // 2
        self.degrees, self.columns = min(degrees or resolved, resolved), columns
        sine = np.sin(np.deg2rad(latitude))
        root = np.sqrt(np.clip(np.cos(np.deg2rad(latitude)), 1e-12, None))
        size = self.degrees
        analysis, synthesis = (np.zeros((size, size, len(latitude))) for _ in range(2))
        for order in range(size):
            functions = legendre(sine, order, resolved - 1)
            found = np.linalg.pinv((functions * root).T) * root
            analysis[order, order:] = found[: size - order]
            synthesis[order, order:] = functions[: size - order]
        for name, matrix in (("analysis", analysis), ("synthesis", synthesis)):
            self.register_buffer(name, torch.from_numpy(matrix).float(), persistent=False)

    def coefficients(
        self, maps: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "order degree batch channel part"]:
        """Return the real and imaginary parts of a_lm; 0 where m > l."""
        waves = torch.fft.rfft(maps, dim=-1, norm="forward")[..., : self.degrees]
        parts = torch.view_as_real(waves)
        return torch.einsum("bcymp,mly->mlbcp", parts, self.get_buffer("analysis"))

    def maps(
        self, coefficients: Float[Tensor, "order degree batch channel part"]
    ) -> Float[Tensor, "batch channel y x"]:
        """Return the maps that the coefficients make up."""
        parts = torch.einsum("mlbcp,mly->bcymp", coefficients, self.get_buffer("synthesis"))
        # Real numbers are filled up with zeros, since ONNX has no such operation on complex ones.
        missing = self.columns // 2 + 1 - self.degrees
        waves = torch.view_as_complex(nn.functional.pad(parts, (0, 0, 0, missing)).contiguous())
        return torch.fft.irfft(waves, n=self.columns, dim=-1, norm="forward")
