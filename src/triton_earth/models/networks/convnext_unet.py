"""U-Net of ConvNeXt blocks: wide depthwise kernels, layer normalisation, four times wider perceptrons."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.mlp import Mlp
from triton_earth.layers.padding import Padding
from triton_earth.layers.tokens import to_maps, to_tokens
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register


@register("convnext_unet")
class ConvNextUnetConfig(NetworkConfig):
    """Hyper-parameters of `ConvNextUnet`; the defaults are those of The Well, 18.6 million parameters.

    Attributes:
        width: Channels at full resolution; each level below has twice as many.
        levels: How often the map is halved.
        blocks: Blocks of a level on the way down, and on the way up.
        neck_blocks: Blocks between the two.
        initial_scale: What the layer scales of the blocks start from.
    """

    name: Literal["convnext_unet"] = "convnext_unet"
    width: int = Field(default=42, ge=1)
    levels: int = Field(default=4, ge=1)
    blocks: int = Field(default=2, ge=1)
    neck_blocks: int = Field(default=1, ge=0)
    initial_scale: float = Field(default=1e-6, gt=0)

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "ConvNextUnet":
        """Return the network with random weights."""
        return ConvNextUnet(frames, input_channels, output_channels, padding, self)


class ConvNextUnet(FoldedNetwork):
    """A U-Net of blocks x ↦ x + γ ⊙ MLP(LN dwconv₇ₓ₇ x), halved and doubled by 2×2 convolutions of normalised maps.

    On the way down the blocks of a level come before it is halved, on the way up before it is doubled. The input of
    each level is joined again on the way up through a 1×1 convolution, but for the one at full resolution.

    Source: Ohana et al. (2024), The Well, arXiv:2412.00568 (CNextU-Net); blocks of Liu et al. (2022), arXiv:2201.03545.

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
        config: ConvNextUnetConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding, 2**config.levels)
        widths = [config.width * 2**level for level in range(config.levels + 1)]

        def blocks(width: int, count: int = config.blocks) -> nn.Sequential:
            chain = (_Block(width, config.initial_scale, padding) for _ in range(count))
            return nn.Sequential(*chain)

        self.stem = Convolution(self.channels_in, widths[0], padding_rule=padding)
        self.down = nn.ModuleList(blocks(width) for width in widths[:-1])
        self.neck = blocks(widths[-1], config.neck_blocks)
        self.halving = nn.ModuleList(
            nn.Sequential(_UnitVector(width), nn.Conv2d(width, 2 * width, 2, stride=2))
            for width in widths[:-1]
        )
        self.up = nn.ModuleList(blocks(width) for width in widths[1:])
        self.doubling = nn.ModuleList(
            nn.Sequential(_UnitVector(2 * width), nn.ConvTranspose2d(2 * width, width, 2, stride=2))
            for width in widths[:-1]
        )
        self.joining = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[1:-1])
        self.readout = Convolution(widths[0], self.channels_out, padding_rule=padding)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        y, halved = self.stem(x), []
        for stage, halving in zip(self.down, self.halving, strict=True):
            halved.append(y)
            y = halving(stage(y))
        y = self.neck(y)
        for level in reversed(range(len(self.up))):
            y = self.doubling[level](self.up[level](y))
            if level:
                y = self.joining[level - 1](torch.cat([y, halved[level]], dim=1))
        return self.readout(y)


class _Block(nn.Module):
    def __init__(self, width: int, initial_scale: float, padding: Padding) -> None:
        super().__init__()
        self.depthwise = Convolution(width, width, 7, groups=width, padding_rule=padding)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)
        self.scale = nn.Parameter(torch.full((width,), initial_scale))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.scale * self.mlp(self.norm(to_tokens(self.depthwise(x))))
        return x + to_maps(branch, *x.shape[2:])


class _UnitVector(nn.Module):
    """y = w ⊙ x/‖x‖ over the channels of each cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(x, dim=1, eps=1e-6) * self.weight
