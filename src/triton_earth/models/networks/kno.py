"""Koopman neural operator: one linear operator in wavenumber space, applied again and again."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import Padding
from triton_earth.layers.spectral_convolution import SpectralConvolution
from triton_earth.models.networks.frames import FoldedNetwork, lengthened
from triton_earth.models.registry import NetworkConfig, register


@register("kno")
class KnoConfig(NetworkConfig):
    """Hyper-parameters of `Kno`.

    Attributes:
        modes: Wavenumbers kept: −m … m − 1 along the height and 0 … m − 1 along the width.
        width: Observables.
        powers: r, how often the operator is applied.
        border: Cells of zeros that the map is lengthened by on axes that are not periodic.
    """

    name: Literal["kno"] = "kno"
    modes: int = Field(default=16, ge=1)
    width: int = Field(default=32, ge=1)
    powers: int = Field(default=8, ge=1)
    border: int = Field(default=9, ge=0)

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Kno":
        """Return the network with random weights."""
        return Kno(frames, input_channels, output_channels, padding, self)


class Kno(FoldedNetwork):
    """g = tanh(P x);  h ← h + K h, r times from h = g;  y = Q(h + C g).

    K is a spectral convolution, the same each time: the Koopman operator of the observables g at low wavenumbers. The
    convolution C gives what is above them.

    Source: Xiong et al. (2023), arXiv:2301.10022, section 3, written from the paper.

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
        config: KnoConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding)
        self.powers, self.border, width = config.powers, config.border, config.width
        self.observables = nn.Conv2d(self.channels_in, width, 1)
        std = 1 / (width * config.powers)
        self.koopman = SpectralConvolution(width, width, config.modes, config.modes, std)
        self.remainder = Convolution(width, width, padding_rule=padding)
        self.readout = nn.Conv2d(width, self.channels_out, 1)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        height, width = x.shape[2:]
        observed = lengthened(torch.tanh(self.observables(x)), self.padding, self.border)
        advanced: Tensor = observed
        for _ in range(self.powers):
            advanced = advanced + self.koopman(advanced).to(advanced)
        return self.readout((advanced + self.remainder(observed))[..., :height, :width])
