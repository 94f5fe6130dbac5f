"""From a level of the V-cycle to the next coarser one, and back without a checkerboard."""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import ZERO, Padding, wrap

Upsampling = Literal["nearest", "bilinear", "transposed", "shuffle"]
UPSAMPLINGS: tuple[Upsampling, ...] = get_args(Upsampling)


class Halving(nn.Conv2d):
    """2×2 convolution of stride 2: each coarse cell sees the four fine cells it covers, so no border is looked past.

    Args:
        input_channels: Channels of the input, whose height and width are even.
        output_channels: Channels of the output.
    """

    def __init__(self, input_channels: int, output_channels: int) -> None:
        super().__init__(input_channels, output_channels, kernel_size=2, stride=2)


class Doubling(nn.Module):
    """Maps of twice the height and width, and another number of channels.

    ``bilinear``: a 1×1 convolution, interpolated to the centres of the fine cells; ``nearest``: conv₃ₓ₃ of each value
    repeated in 2×2 cells; ``shuffle``: conv₃ₓ₃ to four times the channels, which become the 2×2 cells, and which start
    equal (as if each value were repeated after the convolution); ``transposed``: each coarse cell gives its 2×2 fine
    cells by four matrices of their own. Only the last puts a pattern of period two on a constant map; of a map that
    varies, ``bilinear`` makes the least (docs/networks.md has the numbers).

    Source: Odena et al. (2016), Deconvolution and Checkerboard Artifacts; Aitken et al. (2017), arXiv:1707.02937
    (equal start of ``shuffle``).

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        method: How.
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        method: Upsampling = "bilinear",
        padding_rule: Padding = ZERO,
    ) -> None:
        super().__init__()
        self.method, self.padding_rule = method, padding_rule
        self.convolution: nn.Module
        if method == "transposed":
            self.convolution = nn.ConvTranspose2d(input_channels, output_channels, 2, stride=2)
            return
        if method == "bilinear":
            self.convolution = nn.Conv2d(input_channels, output_channels, 1)
            return
        widening = 4 if method == "shuffle" else 1
        self.convolution = Convolution(
            input_channels, widening * output_channels, padding_rule=padding_rule
        )
        if method == "shuffle":
            for parameter in self.convolution.parameters():
                parameter.data = parameter.data[::4].repeat_interleave(4, dim=0)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height_out width_out"]:
        """Return the maps of the finer level."""
        if self.method == "nearest":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        y = self.convolution(x)
        if self.method == "bilinear":
            return interpolated(y, self.padding_rule)
        return functional.pixel_shuffle(y, 2) if self.method == "shuffle" else y


def interpolated(
    x: Float[Tensor, "batch channel height width"], padding_rule: Padding
) -> Float[Tensor, "batch channel height_out width_out"]:
    """Return maps of twice the height and width, interpolated linearly to the centres of the fine cells.

    A periodic axis is lengthened by a cell at both ends first, whose four fine cells go again.

    Args:
        x: Maps.
        padding_rule: The rule of the height axis and of the width axis.
    """
    longer = wrap(x, padding_rule, before=1, after=1)
    y = functional.interpolate(longer, scale_factor=2, mode="bilinear", align_corners=False)
    if longer is x:
        return y
    beyond_height, beyond_width = (2 if rule == "periodic" else 0 for rule in padding_rule)
    # Not by a slice, whose gradient would lie in rows and make that of the interpolation ten times slower on a CPU.
    return functional.pad(y, [-beyond_width, -beyond_width, -beyond_height, -beyond_height])
