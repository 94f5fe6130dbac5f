"""The U-Net of 2015: two convolutions per level, halved by the largest of four, doubled by transposed convolutions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register

Normalization = Literal["batch", "layer"]
Activation = Literal["relu", "gelu", "tanh"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@register("unet")
class UnetConfig(NetworkConfig):
    """Hyper-parameters of `Unet`.

    Attributes:
        width: Channels at full resolution; each level below has twice as many.
        levels: How often the map is halved.
        normalization: ``batch``: batch normalisation, convolutions without bias and a 1×1 readout, as in 2015;
            ``layer``: one group over all channels and cells, convolutions with bias and a 3×3 readout (the Unetbase of
            PDEArena).
        activation: What follows each normalisation.
    """

    name: Literal["unet"] = "unet"
    width: int = Field(default=64, ge=1)
    levels: int = Field(default=4, ge=1)
    normalization: Normalization = "batch"
    activation: Activation = "relu"

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Unet":
        """Return the network with random weights."""
        return Unet(frames, input_channels, output_channels, padding, self)


class Unet(FoldedNetwork):
    """z₀ = D₀ x;  z_l = D_l max₂(z_(l−1));  y_L = z_L;  y_l = U_l[z_l, T_l y_(l+1)];  output R y₀.

    D and U are two 3×3 convolutions, each with normalisation and activation, T a 2×2 transposed convolution.

    Source: Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, Fig. 1, with padding; widths and normalisation as in
    Gupta and Brandstetter (2022), arXiv:2209.15616.

    Args:
        frames: T.
        input_channels: C_in.
        output_channels: C_out.
        padding: What lies beyond the border along height and width.
        config: Hyper-parameters.
    """

    def __init__(
        self,
        frames: int,
        input_channels: int,
        output_channels: int,
        padding: Padding,
        config: UnetConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding, 2**config.levels)
        widths = [config.width * 2**level for level in range(config.levels + 1)]
        above = [self.channels_in, *widths[:-1]]
        self.down = nn.ModuleList(
            convolutions((wide, width, width), padding, config.normalization, config.activation)
            for wide, width in zip(above, widths, strict=True)
        )
        self.doubling = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2) for width in widths[:-1]
        )
        self.up = nn.ModuleList(
            convolutions(
                (2 * width, width, width), padding, config.normalization, config.activation
            )
            for width in widths[:-1]
        )
        size = 1 if config.normalization == "batch" else 3
        self.readout = Convolution(config.width, self.channels_out, size, padding_rule=padding)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        levels = [self.down[0](x)]
        for stage in self.down[1:]:
            levels.append(stage(functional.max_pool2d(levels[-1], 2)))
        y = levels.pop()
        for doubling, stage in zip(reversed(self.doubling), reversed(self.up), strict=True):
            y = stage(torch.cat([doubling(y), levels.pop()], dim=1))
        return self.readout(y)


def convolutions(
    widths: Sequence[int],
    padding: Padding,
    normalization: Normalization = "batch",
    activation: Activation = "relu",
) -> nn.Sequential:
    """Return a chain of 3×3 convolutions, each with normalisation and activation.

    Args:
        widths: Channels of the input and after each convolution.
        padding: What lies beyond the border along height and width.
        normalization: ``batch``, with convolutions without bias, or ``layer``, one group over all channels and cells.
        activation: What follows each normalisation.
    """
    batch = normalization == "batch"
    layers: list[nn.Module] = []
    for wide, width in pairwise(widths):
        layers += [
            Convolution(wide, width, padding_rule=padding, bias=not batch),
            nn.BatchNorm2d(width) if batch else nn.GroupNorm(1, width),
            ACTIVATIONS[activation](),
        ]
    return nn.Sequential(*layers)
