"""The encoder's and decoder's unit: convolution, group normalization, leaky rectifier."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution, TransposedConvolution
from triton_earth.layers.padding import ZERO, Padding

NORM_GROUPS = 2
NEGATIVE_SLOPE = 0.2

Resampling = Literal["keep", "halve", "double"]


class Stage(nn.Module):
    """y = LeakyReLU₀.₂(GroupNorm₂(conv₃ₓ₃(x))).

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output, even.
        resampling: Whether the map is kept, halved (stride 2) or doubled (transposed, stride 2).
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        resampling: Resampling = "keep",
        padding_rule: Padding = ZERO,
    ) -> None:
        super().__init__()
        self.convolution: nn.Module
        if resampling == "double":
            self.convolution = TransposedConvolution(input_channels, output_channels, padding_rule)
        else:
            self.convolution = Convolution(
                input_channels,
                output_channels,
                stride=2 if resampling == "halve" else 1,
                padding_rule=padding_rule,
            )
        self.norm = nn.GroupNorm(NORM_GROUPS, output_channels)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height_out width_out"]:
        """Return the maps of this stage."""
        return functional.leaky_relu(self.norm(self.convolution(x)), NEGATIVE_SLOPE, inplace=True)
