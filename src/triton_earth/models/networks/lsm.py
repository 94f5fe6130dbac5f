"""Latent spectral model: a U-Net whose skips are solved for in the latent space of a few tokens per patch."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.padding import Padding
from triton_earth.layers.resampling import interpolated
from triton_earth.models.networks.frames import FoldedNetwork, coordinates
from triton_earth.models.networks.unet import convolutions
from triton_earth.models.registry import NetworkConfig, register

READOUT_WIDTH = 128


@register("lsm")
class LsmConfig(NetworkConfig):
    """Hyper-parameters of `Lsm`; the defaults are those of its authors for turbulence.

    Attributes:
        width: Channels at full resolution, a multiple of `heads`.
        levels: How often the map is halved.
        patch: Cells along each axis of a patch, at every level.
        tokens: Latent tokens of a patch.
        bases: Sines, and cosines, of the latent operator.
        heads: Heads of the attention between cells and tokens.
    """

    name: Literal["lsm"] = "lsm"
    width: int = Field(default=64, ge=8, multiple_of=8)
    levels: int = Field(default=4, ge=1)
    patch: int = Field(default=4, ge=1)
    tokens: int = Field(default=4, ge=1)
    bases: int = Field(default=12, ge=1)
    heads: Literal[1, 2, 4, 8] = 8

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Lsm":
        """Return the network with random weights."""
        return Lsm(frames, input_channels, output_channels, padding, self)


class Lsm(FoldedNetwork):
    """z₀ = D₀ P[x, position];  z_l = D_l max₂(z_(l−1));  y_L = B_L z_L;  y_l = U_l[B_l z_l, 2↑ y_(l+1)];  output Q y₀.

    D and U are two 3×3 convolutions with batch normalisation and ReLU. B works on each patch: tokens attend to the
    cells, t ← t + Σ_k w_k sin(kπt/K) + v_k cos(kπt/K), and the cells attend to the tokens.

    Source: Wu et al. (2023), arXiv:2301.12664, Eq. 3 to 8. Doubling is linear between cell centres here.

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
        config: LsmConfig,
    ) -> None:
        multiple = config.patch * 2**config.levels
        super().__init__(frames, input_channels, output_channels, padding, multiple)
        widths = [config.width * 2**level for level in range(config.levels)]
        widths.append(widths[-1])
        self.lifting = nn.Conv2d(self.channels_in + 2, config.width, 1)
        self.down = nn.ModuleList(
            convolutions((wide, width, width), padding)
            for wide, width in zip([config.width, *widths[:-1]], widths, strict=True)
        )
        self.spectral = nn.ModuleList(_SpectralBlock(width, config) for width in widths)
        self.up = nn.ModuleList(
            convolutions((2 * width, width, max(config.width, width // 2)), padding)
            for width in widths[:-1]
        )
        self.mixing = nn.Conv2d(config.width, config.width, 1)
        self.projection = nn.Sequential(
            nn.Conv2d(config.width, READOUT_WIDTH, 1),
            nn.GELU(),
            nn.Conv2d(READOUT_WIDTH, self.channels_out, 1),
        )

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        levels = [self.down[0](self.lifting(torch.cat([x, coordinates(x)], dim=1)))]
        for stage in self.down[1:]:
            levels.append(stage(functional.max_pool2d(levels[-1], 2)))
        solved = [block(level) for block, level in zip(self.spectral, levels, strict=True)]
        y = solved.pop()
        for stage in reversed(self.up):
            y = stage(torch.cat([solved.pop(), interpolated(y, self.padding)], dim=1))
        return self.projection(self.mixing(y))


class _SpectralBlock(nn.Module):
    def __init__(self, width: int, config: LsmConfig) -> None:
        super().__init__()
        self.patch, self.heads, self.bases = config.patch, config.heads, config.bases
        self.weight = nn.Parameter(torch.rand(width, 2 * config.bases) / width)
        shape = (config.heads, config.tokens, width // config.heads)
        self.tokens = nn.Parameter(torch.rand(shape) / width)
        self.encoder, self.decoder = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        key, value = (self._patches(part) for part in self.encoder(x).chunk(2, dim=1))
        first = self.tokens.expand(len(key), -1, -1, -1).to(key.dtype)
        tokens = first + functional.scaled_dot_product_attention(first, key, value, scale=1.0)
        tokens = tokens + self._operator(tokens)
        query = self._patches(self.decoder(x))
        found = functional.scaled_dot_product_attention(query, tokens, tokens, scale=1.0)
        return x + self._map(found, x)

    def _operator(self, tokens: Tensor) -> Tensor:
        number = torch.arange(self.bases, device=tokens.device) / self.bases
        phase = math.pi * number * tokens[..., None]
        waves = torch.cat([phase.sin(), phase.cos()], dim=-1)
        weight = self.weight.unflatten(0, (self.heads, 1, -1))
        return (waves * weight).sum(dim=-1).to(tokens.dtype)

    def _patches(self, x: Tensor) -> Tensor:
        """Return [batch · patch, head, cell, channel]."""
        size = self.patch
        split = x.unflatten(1, (self.heads, -1)).unflatten(4, (-1, size)).unflatten(3, (-1, size))
        return split.permute(0, 3, 5, 1, 4, 6, 2).flatten(4, 5).flatten(0, 2)

    def _map(self, patches: Tensor, x: Tensor) -> Tensor:
        """Return the maps of the shape of `x` that patches make up."""
        size = self.patch
        rows, columns = x.shape[2] // size, x.shape[3] // size
        split = patches.unflatten(0, (len(x), rows, columns)).unflatten(4, (size, size))
        return split.permute(0, 3, 6, 1, 4, 2, 5).flatten(5, 6).flatten(3, 4).flatten(1, 2)
