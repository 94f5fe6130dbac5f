"""Fourier neural operator: products with learned weights at the lowest wavenumbers."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.padding import Padding
from triton_earth.layers.spectral_convolution import SpectralConvolution
from triton_earth.models.networks.frames import FoldedNetwork, coordinates, lengthened
from triton_earth.models.registry import NetworkConfig, register


@register("fno")
class FnoConfig(NetworkConfig):
    """Hyper-parameters of `Fno` and `TwofoldFno`.

    Attributes:
        layout: ``neuraloperator`` is that of the library neuraloperator 2.0; ``pdearena`` has two spectral convolutions
            in each block and no channel perceptron.
        modes: Wavenumbers kept: −m/2 … m/2 − 1 along the height and 0 … m/2 along the width for ``neuraloperator``;
            −m … m − 1 and 0 … m − 1 for ``pdearena``.
        width: Channels of the blocks.
        layers: Number of blocks.
        projection_ratio: Hidden channels of the last perceptron over `width`; ``neuraloperator`` only.
        coordinates: Give the network the position in the box too, as two more channels; ``neuraloperator`` only. A
            forecast then depends on where the box begins, also where it is periodic.
        border: Cells of zeros that the map is lengthened by on axes that are not periodic.
    """

    name: Literal["fno"] = "fno"
    layout: Literal["neuraloperator", "pdearena"] = "neuraloperator"
    modes: int = Field(default=16, ge=2, multiple_of=2)
    width: int = Field(default=128, ge=2, multiple_of=2)
    layers: int = Field(default=4, ge=1)
    projection_ratio: int = Field(default=2, ge=1)
    coordinates: bool = True
    border: int = Field(default=9, ge=0)

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> FoldedNetwork:
        """Return the network with random weights."""
        network = Fno if self.layout == "neuraloperator" else TwofoldFno
        return network(frames, input_channels, output_channels, padding, self)


class Fno(FoldedNetwork):
    """v₀ = P[x, position];  u_l = σ(K_l v_l + W_l v_l);  v_(l+1) = σ(M_l u_l + g_l ⊙ v_l);  y = Q v_L.

    K is a spectral convolution with a bias, P, M and Q are perceptrons of two layers, W is a matrix and g a vector for
    each block, σ is GELU, left out in the last block.

    Source: Li et al. (2021), arXiv:2010.08895; layers as in neuraloperator 2.0 (Kossaifi et al. 2024,
    arXiv:2412.10354).

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
        config: FnoConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding)
        self.coordinates, self.border = config.coordinates, config.border
        width, hidden = config.width, config.projection_ratio * config.width
        self.lifting = _perceptron(self.channels_in + 2 * config.coordinates, 2 * width, width)
        self.blocks = nn.ModuleList(
            _Block(width, config.modes, last=number == config.layers - 1)
            for number in range(config.layers)
        )
        self.projection = _perceptron(width, hidden, self.channels_out)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        height, width = x.shape[2:]
        if self.coordinates:
            x = torch.cat([x, coordinates(x)], dim=1)
        x = lengthened(self.lifting(x), self.padding, self.border)
        for block in self.blocks:
            x = block(x)
        return self.projection(x[..., :height, :width])


class TwofoldFno(FoldedNetwork):
    """v₀ = P x;  u_l = σ(K_l v_l + W_l v_l + b_l);  v_(l+1) = σ(K′_l u_l + W′_l u_l + b′_l);  y = Q v_L.

    Source: Gupta and Brandstetter (2022), arXiv:2209.15616, the FNO-128 of PDEArena.

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
        config: FnoConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding)
        width, modes = config.width, config.modes
        self.border = config.border
        self.lifting = nn.Sequential(_perceptron(self.channels_in, width, width), nn.GELU())
        count = 2 * config.layers
        self.spectral = nn.ModuleList(
            SpectralConvolution(width, width, modes, modes, std=1 / width) for _ in range(count)
        )
        self.local = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(count))
        self.projection = _perceptron(width, width, self.channels_out)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        height, width = x.shape[2:]
        x = lengthened(self.lifting(x), self.padding, self.border)
        for spectral, local in zip(self.spectral, self.local, strict=True):
            x = functional.gelu(spectral(x) + local(x))
        return self.projection(x[..., :height, :width])


class _Block(nn.Module):
    def __init__(self, width: int, modes: int, last: bool) -> None:
        super().__init__()
        self.last = last
        self.spectral = SpectralConvolution(
            width, width, modes // 2, modes // 2 + 1, std=width**-0.5
        )
        self.bias = nn.Parameter(torch.randn(width, 1, 1) * width**-0.5)
        self.skip = nn.Conv2d(width, width, 1, bias=False)
        self.perceptron = _perceptron(width, width // 2, width)
        self.gate = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.spectral(x) + self.bias + self.skip(x)
        if self.last:
            return self.perceptron(hidden) + self.gate * x
        hidden = self.perceptron(functional.gelu(hidden)) + self.gate * x
        return functional.gelu(hidden)


def _perceptron(channels_in: int, hidden: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, 1), nn.GELU(), nn.Conv2d(hidden, channels_out, 1)
    )
