"""The published mathematics of Triton written plainly, as the yardstick of `benchmarks/network.py`.

Explicit softmax(QKᵀ)V, channel-first contiguous memory, float32, nothing fused. Parameter names are
those of `triton_earth.models.triton.Triton`, so the same state dict loads into both.
"""

import torch
from torch import Tensor, nn


class PlainTriton(nn.Module):
    """The same function of the same weights as `Triton(...)` with zero padding."""

    def __init__(
        self,
        shape_in: tuple[int, ...],
        spatial_hidden_dim: int,
        output_channels: int,
        temporal_hidden_dim: int,
        num_spatial_layers: int = 4,
        num_temporal_layers: int = 8,
    ) -> None:
        super().__init__()
        self.frames = shape_in[0]
        self.encoder = _Encoder(shape_in[1], spatial_hidden_dim, num_spatial_layers)
        self.dynamics = _Dynamics(
            self.frames, spatial_hidden_dim, temporal_hidden_dim, num_temporal_layers
        )
        self.decoder = _Decoder(spatial_hidden_dim, output_channels, num_spatial_layers)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, time, channel, height, width] → the same with the output channels."""
        batch, frames, channels, height, width = x.shape
        skip, latent = self.encoder(x.view(batch * frames, channels, height, width))
        _, spatial, low_height, low_width = latent.shape
        latent = latent.view(batch, frames * spatial, low_height, low_width)
        latent = self.dynamics(latent)
        latent = latent.reshape(batch * frames, spatial, low_height, low_width)
        y = self.decoder(latent, skip)
        return y.view(batch, frames, -1, height, width)


class _Stage(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int, transposed: bool) -> None:
        super().__init__()
        if transposed:
            self.convolution: nn.Module = nn.ConvTranspose2d(
                channels_in, channels, 3, stride=2, padding=1, output_padding=1
            )
        else:
            self.convolution = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1)
        self.norm = nn.GroupNorm(2, channels)
        self.activation = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.convolution(x)))


class _Encoder(nn.Module):
    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _Stage(width if i else channels, width, 1 + i % 2, transposed=False)
            for i in range(layers)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        skip = x = self.layers[0](x)
        for layer in self.layers[1:]:
            x = layer(x)
        return skip, x


class _Decoder(nn.Module):
    def __init__(self, width: int, channels: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _Stage(width if i else 2 * width, width, 1, transposed=i % 2 == 1)
            for i in reversed(range(layers))
        )
        self.readout = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
        return self.readout(self.layers[-1](torch.cat([x, skip], dim=1)))


class _Dynamics(nn.Module):
    def __init__(self, frames: int, spatial: int, width: int, layers: int) -> None:
        super().__init__()
        folded = frames * spatial
        self.layers = nn.ModuleList()
        for i in range(layers):
            before = folded if i == 0 else width
            after = folded if i == layers - 1 else width
            local = frames > 1 and i in (0, layers - 1)
            block = _LocalBlock(before) if local else _GlobalBlock(before)
            self.layers.append(
                nn.Sequential(block, nn.Conv2d(before, after, 1))
                if before != after
                else nn.Sequential(block)
            )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.contract(nn.functional.gelu(self.expand(x)))


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, cells, width = x.shape
        qkv = self.qkv(x).reshape(batch, cells, 3, 8, width // 8).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        scores = (query @ key.transpose(-2, -1)) * (width // 8) ** -0.5
        scores = scores.softmax(dim=-1)
        return self.projection((scores @ value).transpose(1, 2).reshape(batch, cells, width))


class _GlobalBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = _Attention(width)
        self.attention_scale = nn.Parameter(torch.full((width,), 1e-6))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = _Mlp(width)
        self.mlp_scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        batch, width, rows, columns = x.shape
        x = x.flatten(2).transpose(1, 2)
        x = x + self.attention_scale * self.attention(self.attention_norm(x))
        x = x + self.mlp_scale * self.mlp(self.mlp_norm(x))
        return x.transpose(1, 2).reshape(batch, width, rows, columns)


class _LocalBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mixing_norm = nn.BatchNorm2d(width)
        self.enter = nn.Linear(width, width)
        self.mixing = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.leave = nn.Linear(width, width)
        self.mlp_norm = nn.BatchNorm2d(width)
        self.mlp = _Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        branch = _pointwise(self.enter, self.mixing_norm(x))
        x = x + _pointwise(self.leave, self.mixing(branch))
        branch = _pointwise(self.mlp.expand, self.mlp_norm(x))
        return x + _pointwise(self.mlp.contract, nn.functional.gelu(branch))


def _pointwise(linear: nn.Linear, x: Tensor) -> Tensor:
    """Apply the matrix as the 1×1 convolution it is in channel-first memory."""
    return nn.functional.conv2d(x, linear.weight[:, :, None, None], linear.bias)
