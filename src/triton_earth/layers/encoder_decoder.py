"""The convolutional ends of the network: down to the latent maps, and back up."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.padding import Padding
from triton_earth.layers.recomputation import Recomputing
from triton_earth.layers.stage import Stage


class Encoder(Recomputing):
    """Stages of S channels; those of stride 2 halve the map, those that join go to the decoder."""

    def __init__(
        self,
        input_channels: int,
        width: int,
        strides: Sequence[int],
        joins: Sequence[bool],
        padding: Padding,
    ) -> None:
        super().__init__()
        self.joins = joins
        self.layers = nn.ModuleList(
            Stage(
                width if layer else input_channels,
                width,
                "halve" if stride == 2 else "keep",
                padding,
            )
            for layer, stride in enumerate(strides)
        )

    def forward(self, x: Float[Tensor, "maps channel height width"]) -> tuple[Tensor, list[Tensor]]:
        """Return the latent maps, and those that join the decoder from first to last stage."""
        skips: list[Tensor] = []
        for layer, join in zip(self.layers, self.joins, strict=True):
            x = self.apply_layer(layer, x)
            if join:
                skips.append(x)
        return x, skips


class Decoder(Recomputing):
    """Stages of S channels that double the map where the encoder halved it, then the readout."""

    def __init__(
        self,
        width: int,
        output_channels: int,
        strides: Sequence[int],
        joins: Sequence[bool],
        padding: Padding,
    ) -> None:
        super().__init__()
        self.joins = joins
        self.layers = nn.ModuleList(
            Stage(2 * width if join else width, width, "double" if stride == 2 else "keep", padding)
            for join, stride in zip(joins, strides, strict=True)
        )
        self.readout = nn.Conv2d(width, output_channels, 1)

    def forward(
        self, x: Float[Tensor, "maps channel height width"], skips: Sequence[Tensor]
    ) -> Float[Tensor, "maps output height_out width_out"]:
        """Return the output maps; `skips` are the encoder's, from first to last stage."""
        remaining = list(skips)
        for layer, join in zip(self.layers, self.joins, strict=True):
            if join:
                x = torch.cat([x, remaining.pop()], dim=1)
            x = self.apply_layer(layer, x)
        return self.readout(x)
