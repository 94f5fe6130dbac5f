"""The sine transform: fields that vanish on the walls of a box, as sums of the box's own waves."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


class SineTransform:
    """Sine waves of a box with n_y × n_x cells, at the points between its walls.

        f_ji = Σ_ml a_ml sin(π m j / n_y) sin(π l i / n_x),      j, m = 1 … n_y − 1,   i, l = 1 … n_x − 1

    Computed as two products with matrices, which for boxes of some 200 cells takes no longer than fast transforms do.

    Attributes:
        shape: Cells (n_y, n_x).
    """

    def __init__(
        self, shape: tuple[int, int], dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> None:
        """Prepare the waves.

        Args:
            shape: Cells (n_y, n_x).
            dtype: Real type of the fields.
            device: Where to compute.
        """
        self.shape = shape
        self._along_y, self._along_x = (_waves(n).to(device, dtype) for n in shape)

    def amplitudes(self, field: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y x"]:
        """Return a of a field f [..., n_y − 1, n_x − 1]."""
        return self.field(field).mul_(4 / (self.shape[0] * self.shape[1]))

    def field(self, amplitudes: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y x"]:
        """Return f of amplitudes a [..., n_y − 1, n_x − 1]."""
        return self._along_y @ (amplitudes @ self._along_x)


def _waves(n: int) -> Float[Tensor, "point wave"]:
    """Return sin(π j m / n), j, m = 1 … n − 1, in float64; the argument is reduced exactly."""
    numbers = torch.arange(1, n)
    return torch.sin((torch.outer(numbers, numbers) % (2 * n)).double() * (math.pi / n))
