"""Spherical Fourier neural operator: products with learned weights for each degree of the spherical harmonics."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.networks.spherical_transform import SphericalHarmonics
from triton_earth.models.registry import NetworkConfig, register


@register("sfno")
class SfnoConfig(NetworkConfig):
    """Hyper-parameters of `Sfno`, which is for global latitude-longitude grids.

    Attributes:
        degrees: Degrees kept, from 0 on; as many as the grid resolves if not given.
        width: Channels of the blocks.
        layers: Number of blocks.
        mlp_ratio: Hidden channels of a block's perceptron over its channels.
        latitude: Latitudes of the rows, taken from the grid.
        columns: Number of longitudes, taken from the grid.
    """

    name: Literal["sfno"] = "sfno"
    degrees: int | None = Field(default=None, ge=2)
    width: int = Field(default=256, ge=1)
    layers: int = Field(default=8, ge=1)
    mlp_ratio: int = Field(default=2, ge=1)
    latitude: tuple[float, ...] | None = None
    columns: int | None = None

    def for_grid(self, grid: Grid) -> "SfnoConfig":
        """Return the configuration with the grid's latitudes and number of longitudes.

        Raises:
            UserError: if the grid is not global.
        """
        if not isinstance(grid, LatLonGrid) or not grid.is_global_in_longitude:
            raise UserError(
                f"network 'sfno' is for global latitude-longitude grids, found {grid}; take 'fno' there."
            )
        return self.model_copy(
            update={"latitude": tuple(grid.latitude.tolist()), "columns": grid.shape[1]}
        )

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Sfno":
        """Return the network with random weights.

        Raises:
            UserError: if the grid is not known yet.
        """
        if self.latitude is None or self.columns is None:
            raise UserError("network 'sfno' needs a grid; call `for_grid` of its configuration.")
        transform = SphericalHarmonics(np.array(self.latitude), self.columns, self.degrees)
        return Sfno(frames, input_channels, output_channels, padding, self, transform)


class Sfno(FoldedNetwork):
    """v₀ = P x;  v_(l+1) = v_l + M_l σ(N S⁻¹[R_l(l) S v_l] + W_l v_l);  y = Q [v_L, x].

    S is the spherical-harmonic transform, R(l) a complex matrix for each degree l, the same for all orders, so that
    the convolution commutes with rotations; P, M and Q are perceptrons of two layers, N instance normalisation, W a
    matrix and σ GELU.

    Source: Bonev et al. (2023), arXiv:2306.03838, section 4; block of its reference implementation, linear filters.

    Args:
        frames: T.
        input_channels: C_in.
        output_channels: C_out.
        padding: Not used: the sphere has no border.
        config: Hyper-parameters.
        transform: S of the grid.
    """

    def __init__(
        self,
        frames: int,
        input_channels: int,
        output_channels: int,
        padding: Padding,
        config: SfnoConfig,
        transform: SphericalHarmonics,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding)
        width = config.width
        self.lifting = _perceptron(self.channels_in, width, width)
        self.blocks = nn.ModuleList(_Block(config, transform) for _ in range(config.layers))
        self.projection = _perceptron(width + self.channels_in, width, self.channels_out)
        self.rows, self.columns = transform.get_buffer("analysis").shape[2], transform.columns

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps.

        Raises:
            UserError: if the maps are on another grid.
        """
        if x.shape[2:] != (self.rows, self.columns):
            raise UserError(
                f"network 'sfno': expected maps of {self.rows} x {self.columns} cells, found {x.shape[2]} x "
                f"{x.shape[3]}; build the network for the grid of the data."
            )
        y = self.lifting(x)
        for block in self.blocks:
            y = block(y)
        return self.projection(torch.cat([y, x], dim=1))


class _Block(nn.Module):
    def __init__(self, config: SfnoConfig, transform: SphericalHarmonics) -> None:
        super().__init__()
        self.transform = transform
        shape = (2, transform.degrees, config.width, config.width)  # real and imaginary part
        self.weight = nn.Parameter(torch.randn(shape) * (2 * config.width) ** -0.5)
        self.norm = nn.InstanceNorm2d(config.width, affine=True)
        self.skip = nn.Conv2d(config.width, config.width, 1)
        self.perceptron = _perceptron(config.width, config.mlp_ratio * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            hidden = self._convolved(x.float())
        return x + self.perceptron(functional.gelu(self.norm(hidden) + self.skip(x)))

    def _convolved(self, x: Tensor) -> Tensor:
        found = self.transform.coefficients(x)
        real, imaginary = (
            torch.einsum("mlbcp,lcd->mlbdp", found, weight) for weight in self.weight
        )
        product = torch.stack(
            [real[..., 0] - imaginary[..., 1], real[..., 1] + imaginary[..., 0]], dim=-1
        )
        return self.transform.maps(product)


def _perceptron(channels_in: int, hidden: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, 1), nn.GELU(), nn.Conv2d(hidden, channels_out, 1)
    )
