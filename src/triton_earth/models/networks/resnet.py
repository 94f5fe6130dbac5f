"""Residual networks at full resolution: plain, and with dilated kernels."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register

DILATIONS = (1, 2, 4, 8, 4, 2, 1)


@register("resnet")
class ResnetConfig(NetworkConfig):
    """Hyper-parameters of `Resnet`; the defaults are the ResNet-128 of PDEArena.

    Attributes:
        width: Channels.
        blocks: Number of blocks.
        dilated: Seven convolutions in each block, with dilations 1, 2, 4, 8, 4, 2, 1, in place of two.
    """

    name: Literal["resnet"] = "resnet"
    width: int = Field(default=128, ge=1)
    blocks: int = Field(default=4, ge=1)
    dilated: bool = False

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Resnet":
        """Return the network with random weights."""
        return Resnet(frames, input_channels, output_channels, padding, self)


class Resnet(FoldedNetwork):
    """x₀ = P x;  x_(l+1) = x_l + (C σ N)ᵏ x_l, k = 2, or (σ C N)ᵏ x_l, k = 7 with dilations;  y = Q x_L.

    C are 3×3 convolutions, N layer normalisation over channels and cells, σ GELU, P and Q perceptrons of two layers.
    Seven cells that the plain network sees each way grow to 88 with dilations.

    Source: Gupta and Brandstetter (2022), arXiv:2209.15616, ResNet-128 and DilResNet-128-norm; the dilated blocks are
    those of Stachenfeld et al. (2022), arXiv:2112.15275.

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
        config: ResnetConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding)
        width = config.width
        self.lifting = nn.Sequential(
            nn.Conv2d(self.channels_in, width, 1), nn.GELU(), nn.Conv2d(width, width, 1), nn.GELU()
        )
        block = _DilatedBlock if config.dilated else _PlainBlock
        self.blocks = nn.Sequential(*(block(width, padding) for _ in range(config.blocks)))
        self.projection = nn.Sequential(
            nn.Conv2d(width, width, 1), nn.GELU(), nn.Conv2d(width, self.channels_out, 1)
        )

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        return self.projection(self.blocks(self.lifting(x)))


class _PlainBlock(nn.Module):
    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))
        self.layers = nn.ModuleList(
            Convolution(width, width, padding_rule=padding) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, layer in zip(self.norms, self.layers, strict=True):
            y = layer(functional.gelu(norm(y)))
        return x + y


class _DilatedBlock(nn.Module):
    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in DILATIONS)
        self.layers = nn.ModuleList(
            Convolution(width, width, padding_rule=padding, dilation=dilation)
            for dilation in DILATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, layer in zip(self.norms, self.layers, strict=True):
            y = functional.gelu(layer(norm(y)))
        return x + y
