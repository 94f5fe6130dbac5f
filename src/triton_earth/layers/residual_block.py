"""The residual stage: two 3×3 convolutions beside a shortcut, the unit of modern U-Nets."""

import math
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import ZERO, Padding

Norm = Literal["group", "none", "channel"]
NORMS: tuple[Norm, ...] = get_args(Norm)
GROUPS = 8


class ResidualBlock(nn.Module):
    """y = SiLU(s(x) + N(conv₃ₓ₃(SiLU(N(conv₃ₓ₃(x)))))), with s the identity, or a 1×1 convolution to another width.

    The shortcut carries the amplitude of x past the norms N.

    Source: He et al. (2016), arXiv:1512.03385, Fig. 2; norm and activation as in the U-Nets of arXiv:2209.15616.

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        norm: As in `map_norm`.
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        norm: Norm = "group",
        padding_rule: Padding = ZERO,
    ) -> None:
        super().__init__()
        self.first = Convolution(input_channels, output_channels, padding_rule=padding_rule)
        self.first_norm = map_norm(norm, output_channels)
        self.second = Convolution(output_channels, output_channels, padding_rule=padding_rule)
        self.second_norm = map_norm(norm, output_channels)
        self.shortcut: nn.Module = nn.Identity()
        if input_channels != output_channels:
            self.shortcut = nn.Conv2d(input_channels, output_channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return maps of the same size."""
        y = functional.silu(self.first_norm(self.first(x)))
        return functional.silu(self.shortcut(x) + self.second_norm(self.second(y)))


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` computed in float32: in bfloat16 its gradient takes twice as long on a CPU."""

    def forward(
        self, input: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the normalised maps, in the precision of the input."""
        return super().forward(input.float()).to(input.dtype)


class CellNorm(nn.Module):
    """y = γ ⊙ (x − m)/√(v + ε) + β, with m and v the mean and variance over the channels of each cell.

    Source: Ba et al. (2016), arXiv:1607.06450, on the channels of a cell.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the normalised maps."""
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def map_norm(norm: Norm, width: int) -> nn.Module:
    """Return a normalisation of maps.

    Args:
        norm: ``group`` over all cells and the channels of each of eight groups (fewer where eight do not divide
            `width`), which hides the amplitude of a whole map; ``channel`` over the channels of each cell; ``none``.
        width: Channels.
    """
    if norm == "group":
        return GroupNorm(math.gcd(GROUPS, width), width)
    return CellNorm(width) if norm == "channel" else nn.Identity()
