"""Adaptive Fourier neural operator: a perceptron in wavenumber space mixes the tokens of patches."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.mlp import Mlp
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register

INITIAL_STD = 0.02


@register("afno")
class AfnoConfig(NetworkConfig):
    """Hyper-parameters of `Afno`; the defaults are those of The Well, without its learned positions.

    Attributes:
        patch: Cells along each axis that become a token.
        width: Channels of a token, a multiple of `groups`.
        depth: Number of blocks.
        groups: Blocks on the diagonal of the matrices in wavenumber space.
        threshold: λ, what real and imaginary parts are shrunk by.
        border: Tokens of zeros that the map is lengthened by on axes that are not periodic.
    """

    name: Literal["afno"] = "afno"
    patch: int = Field(default=8, ge=1)
    width: int = Field(default=384, ge=1)
    depth: int = Field(default=14, ge=1)
    groups: int = Field(default=8, ge=1)
    threshold: float = Field(default=0.01, ge=0)
    border: int = Field(default=2, ge=0)

    @model_validator(mode="after")
    def _groups_divide(self) -> "AfnoConfig":
        if self.width % self.groups:
            raise UserError(
                f"width: expected a multiple of the {self.groups} groups, found {self.width}; take "
                f"{self.width + -self.width % self.groups}."
            )
        return self

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Afno":
        """Return the network with random weights."""
        return Afno(frames, input_channels, output_channels, padding, self)


class Afno(FoldedNetwork):
    """z = P x;  z ← z + F⁻¹ S_λ(W₂ σ(W₁ F LN z));  z ← z + MLP(LN z), N times;  y = Q z.

    F is the Fourier transform over the tokens, W₁ and W₂ are complex block-diagonal matrices that all wavenumbers
    share, σ is GELU and S_λ the soft threshold, both of real and imaginary part alone. So the output depends on where
    the box begins, also where it is periodic.

    Source: Guibas et al. (2022), arXiv:2111.13587; FourCastNet, Pathak et al. (2022), arXiv:2202.11214; sizes of The
    Well, Ohana et al. (2024), arXiv:2412.00568.

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
        config: AfnoConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding, config.patch)
        self.border, patch, width = config.border, config.patch, config.width
        self.stem = nn.Conv2d(self.channels_in, width, patch, stride=patch)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.readout = nn.ConvTranspose2d(width, self.channels_out, patch, stride=patch)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        tokens = self.stem(x).permute(0, 2, 3, 1)
        rows, columns = tokens.shape[1:3]
        below, right = (self.border * (rule == "zero") for rule in self.padding)
        tokens = functional.pad(tokens, [0, 0, 0, right, 0, below])
        for block in self.blocks:
            tokens = block(tokens)
        return self.readout(tokens[:, :rows, :columns].permute(0, 3, 1, 2))


class _Block(nn.Module):
    def __init__(self, config: AfnoConfig) -> None:
        super().__init__()
        self.filter_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.filter = _Filter(config)
        self.mlp = Mlp(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.filter(self.filter_norm(x)).to(x)
        hidden = self.mlp(self.mlp_norm(x).flatten(1, 2)).unflatten(1, x.shape[1:3])
        return x + hidden


class _Filter(nn.Module):
    """F⁻¹ S_λ(W₂ σ(W₁ F x)) over rows and columns, in float32."""

    def __init__(self, config: AfnoConfig) -> None:
        super().__init__()
        self.threshold, self.groups = config.threshold, config.groups
        size = config.width // config.groups
        shape = (2, config.groups, size, size)  # real and imaginary part
        self.first = nn.Parameter(INITIAL_STD * torch.randn(shape))
        self.second = nn.Parameter(INITIAL_STD * torch.randn(shape))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            spectrum = torch.fft.rfft2(x.float(), dim=(1, 2), norm="ortho")
            parts = spectrum.unflatten(3, (self.groups, -1))
            real, imaginary = _product(parts.real, parts.imag, self.first)
            real, imaginary = _product(
                functional.gelu(real), functional.gelu(imaginary), self.second
            )
            real, imaginary = (
                functional.softshrink(part, self.threshold).flatten(3) for part in (real, imaginary)
            )
            whole = torch.complex(real, imaginary)
            return torch.fft.irfft2(whole, s=x.shape[1:3], dim=(1, 2), norm="ortho")


def _product(real: Tensor, imaginary: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the real and imaginary part of (a + ib)(R + iI) in each group."""
    by_real, by_imaginary = (
        [torch.einsum("byxgc,gcd->byxgd", part, matrix) for part in (real, imaginary)]
        for matrix in weight
    )
    return by_real[0] - by_imaginary[1], by_real[1] + by_imaginary[0]
