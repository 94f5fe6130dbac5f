"""The modern U-Net: residual blocks at every level, and every one of them joined to the way up."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.attention import SelfAttention
from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import Padding, wrap, zero_width
from triton_earth.layers.tokens import to_maps, to_tokens
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register


@register("modern_unet")
class ModernUnetConfig(NetworkConfig):
    """Hyper-parameters of `ModernUnet`; the defaults are the Unetmod-64 of PDEArena, 144 million parameters.

    Attributes:
        width: Channels at full resolution, a multiple of 8.
        multipliers: Channels of each level over those of the level above it.
        blocks: Residual blocks of a level on the way down; on the way up there is one more.
        attention: Attention of one head over all cells of the lowest level.
    """

    name: Literal["modern_unet"] = "modern_unet"
    width: int = Field(default=64, ge=8, multiple_of=8)
    multipliers: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 2, 4), min_length=1)
    blocks: int = Field(default=2, ge=1)
    attention: bool = False

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "ModernUnet":
        """Return the network with random weights."""
        return ModernUnet(frames, input_channels, output_channels, padding, self)


class ModernUnet(FoldedNetwork):
    """A U-Net of blocks x ↦ S x + C₂ σ N C₁ σ N x, with every map of the way down joined to a block of the way up.

    C are 3×3 convolutions, N layer normalisation over channels and cells, σ GELU, S the identity or a 1×1 convolution
    where the width changes. Levels are halved by a 3×3 convolution of stride 2 and doubled by a 4×4 transposed one.

    Source: Gupta and Brandstetter (2022), arXiv:2209.15616, Unetmod; after Ho et al. (2020), arXiv:2006.11239.

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
        config: ModernUnetConfig,
    ) -> None:
        last = len(config.multipliers) - 1
        super().__init__(frames, input_channels, output_channels, padding, 2**last)
        width = config.width
        self.stem = Convolution(self.channels_in, width, padding_rule=padding)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, multiplier in enumerate(config.multipliers):
            for block in range(config.blocks):
                wider = width * multiplier if block == 0 else width
                self.down.append(_Residual(width, wider, padding))
                width = wider
            if level < last:
                self.down.append(Convolution(width, width, stride=2, padding_rule=padding))
        self.middle = nn.Sequential(
            _Residual(width, width, padding),
            _Attention(width) if config.attention else nn.Identity(),
            _Residual(width, width, padding),
        )
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            for _ in range(config.blocks):
                self.up.append(_Residual(2 * width, width, padding))
            narrower = width // multiplier
            self.up.append(_Residual(width + narrower, narrower, padding))
            width = narrower
            if level:
                self.up.append(_Doubling(width, padding))
        self.norm = nn.GroupNorm(8, width)
        self.readout = Convolution(width, self.channels_out, padding_rule=padding)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        kept = [self.stem(x)]
        for layer in self.down:
            kept.append(layer(kept[-1]))
        y = self.middle(kept[-1])
        for layer in self.up:
            joined = y if isinstance(layer, _Doubling) else torch.cat([y, kept.pop()], dim=1)
            y = layer(joined)
        return self.readout(functional.gelu(self.norm(y)))


class _Residual(nn.Module):
    def __init__(self, wide: int, width: int, padding: Padding) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(1, wide), nn.GroupNorm(1, width)
        self.first = Convolution(wide, width, padding_rule=padding)
        self.second = Convolution(width, width, padding_rule=padding)
        self.shortcut = nn.Identity() if wide == width else nn.Conv2d(wide, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(functional.gelu(self.first_norm(x)))
        return self.second(functional.gelu(self.second_norm(hidden))) + self.shortcut(x)


class _Attention(nn.Module):
    """x ↦ x + Attention(N x) over all cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.attention = SelfAttention(width, heads=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + to_maps(self.attention(to_tokens(self.norm(x))), *x.shape[2:])


class _Doubling(nn.ConvTranspose2d):
    """4×4 transposed convolution of stride 2: y[o, i] = b[o] + Σ_{c,j} w[c, o, i − 2j + 1] x[c, j]."""

    def __init__(self, width: int, padding: Padding) -> None:
        self.padding_rule = padding
        cropped = [1 if zeros else 3 for zeros in zero_width(padding, 1)]
        super().__init__(width, width, kernel_size=4, stride=2, padding=(cropped[0], cropped[1]))

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(wrap(x, self.padding_rule, before=1, after=1), output_size)
