"""The residual ends of the network: a V-cycle down to the latent maps and back up, with a width for each level."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.padding import Padding
from triton_earth.layers.recomputation import Recomputing
from triton_earth.layers.resampling import Doubling, Halving, Upsampling
from triton_earth.layers.residual_block import Norm, ResidualBlock

Joining = Literal["concatenate", "product"]

BOUND = 3.0
"""Largest factor of a product, in units of what leaves a residual block; far below it nothing changes."""


class Descent(Recomputing):
    """z_l = R_l(x_l), x_{l+1} = halving(z_l) for the levels l = 0 … L − 1; x_L is the latent map.

    Args:
        input_channels: Channels of x₀.
        widths: Channels of z₀ … z_{L−1}; the latent maps have those of the last. With `halvings` 0 there is one width,
            no coarser level, and z₀ is the latent map.
        halvings: L.
        norm: Of the residual blocks R.
        padding: The rule of the height axis and of the width axis.
    """

    def __init__(
        self,
        input_channels: int,
        widths: Sequence[int],
        halvings: int,
        norm: Norm,
        padding: Padding,
    ) -> None:
        super().__init__()
        below = [*widths[1:], widths[-1]]
        self.layers = nn.ModuleList()
        self.halvings = nn.ModuleList()
        for level, width in enumerate(widths):
            before = width if level else input_channels
            self.layers.append(ResidualBlock(before, width, norm, padding))
            if halvings:
                self.halvings.append(Halving(width, below[level]))

    def forward(self, x: Float[Tensor, "maps channel height width"]) -> tuple[Tensor, list[Tensor]]:
        """Return the latent maps and [x₀, z₀, …, z_{L−1}]."""
        kept = [x]
        for level, layer in enumerate(self.layers):
            x = self.apply_layer(layer, x)
            kept.append(x)
            if self.halvings:
                x = self.halvings[level](x)
        return x, kept


class Ascent(Recomputing):
    """y_l = R_l([u, z_l]) with u = doubling(y_{l+1}) for l = L − 1 … 0, then a 1×1 convolution of y₀, or of [y₀, x₀].

    With ``product``, y_l = R_l([u, z_l, b(u) ⊙ b(z_l)]), b(v) = 3 tanh(v/3). A fluid carries its fields along: how fast
    is what coarse maps know, u ~ ∇⁻¹ω, and what is carried is what the fine ones know, z ~ ∇ω; the change is their
    product, which layers of sums and rectifiers have to put together piece by piece. The bound b keeps products of
    products from growing without end in long forecasts.

    Args:
        output_channels: Channels of the result.
        widths: Channels of y₀ … y_{L−1}, those of the descent.
        halvings: L; with 0 there is one width and y₀ = R₀([latent, z₀]).
        joins: Whether z_l is joined, for each level.
        input_channels: Channels of x₀ where the readout sees it, else 0.
        upsampling: As in `Doubling`.
        norm: Of the residual blocks R.
        padding: The rule of the height axis and of the width axis.
        joining: ``concatenate``, or ``product`` for the product beside both.
    """

    def __init__(
        self,
        output_channels: int,
        widths: Sequence[int],
        halvings: int,
        joins: Sequence[bool],
        input_channels: int,
        upsampling: Upsampling,
        norm: Norm,
        padding: Padding,
        joining: Joining = "concatenate",
    ) -> None:
        super().__init__()
        self.joins, self.joining = joins, joining
        parts = 3 if joining == "product" else 2
        self.input_to_readout = input_channels > 0
        below = [*widths[1:], widths[-1]]
        self.doublings = nn.ModuleList()
        self.layers = nn.ModuleList()
        for width, width_below, join in zip(widths, below, joins, strict=True):
            if halvings:
                self.doublings.append(Doubling(width_below, width, upsampling, padding))
            self.layers.append(
                ResidualBlock(parts * width if join else width, width, norm, padding)
            )
        self.readout = nn.Conv2d(widths[0] + input_channels, output_channels, 1)

    def forward(
        self, x: Float[Tensor, "maps channel height width"], kept: Sequence[Tensor]
    ) -> Float[Tensor, "maps output height_out width_out"]:
        """Return the output maps; `kept` are x₀ and the descent's z, from the finest to the coarsest level."""
        for level in reversed(range(len(self.layers))):
            if self.doublings:
                x = self.doublings[level](x)
            if self.joins[level]:
                x = self._joined(x, kept[level + 1])
            x = self.apply_layer(self.layers[level], x)
        return self.readout(torch.cat([x, kept[0]], dim=1) if self.input_to_readout else x)

    def _joined(self, x: Tensor, z: Tensor) -> Tensor:
        if self.joining == "concatenate":
            return torch.cat([x, z], dim=1)
        return torch.cat([x, z, bounded(x) * bounded(z)], dim=1)


def bounded(x: Tensor) -> Tensor:
    """Return 3 tanh(x/3): x itself near 0, and ±3 far from it."""
    return BOUND * torch.tanh(x / BOUND)
