"""The published mathematics of Triton written plainly: the yardstick of `network.py`, and of the tests of `interop`.

Explicit softmax(QKᵀ)V, channel-first contiguous memory, float32, nothing fused. Weights have the names and shapes of
the original system, so that `triton_earth.interop.official.load_network` reads its state dict.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS = 8


class PlainTriton(nn.Module):
    """The function that the published system computes in evaluation mode.

    With `local_ends` the first block of the dynamics is a convolution block, and so is the last one if it changes the
    width; all others are attention.
    """

    def __init__(
        self,
        shape_in: tuple[int, ...],
        spatial_hidden_dim: int,
        output_channels: int,
        temporal_hidden_dim: int,
        num_spatial_layers: int = 4,
        num_temporal_layers: int = 8,
        *,
        local_ends: bool = False,
    ) -> None:
        super().__init__()
        frames, channels = shape_in[:2]
        self.atmospheric_encoder = _Encoder(channels, spatial_hidden_dim, num_spatial_layers)
        self.temporal_evolution = _Dynamics(
            frames * spatial_hidden_dim, temporal_hidden_dim, num_temporal_layers, local_ends
        )
        self.atmospheric_decoder = _Decoder(spatial_hidden_dim, output_channels, num_spatial_layers)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, time, channel, height, width] → the same with the output channels."""
        batch, frames, channels, height, width = x.shape
        skip, latent = self.atmospheric_encoder(x.reshape(-1, channels, height, width))
        folded = latent.reshape(batch, -1, *latent.shape[2:])
        latent = self.temporal_evolution(folded).reshape(latent.shape)
        y = self.atmospheric_decoder(latent, skip)
        return y.reshape(batch, frames, -1, height, width)


class _Convolution(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int, transposed: bool) -> None:
        super().__init__()
        self.conv: nn.Module = (
            nn.ConvTranspose2d(channels_in, channels, 3, stride, 1, output_padding=1)
            if transposed and stride == 2
            else nn.Conv2d(channels_in, channels, 3, stride, 1)
        )
        self.norm = nn.GroupNorm(2, channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.conv(x)), 0.2, inplace=True)


class _Stage(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int, transposed: bool) -> None:
        super().__init__()
        self.conv = _Convolution(channels_in, channels, stride, transposed)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _Encoder(nn.Module):
    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.enc = nn.ModuleList(
            _Stage(width if i else channels, width, 1 + i % 2, transposed=False)
            for i in range(layers)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        skip = x = self.enc[0](x)
        for layer in self.enc[1:]:
            x = layer(x)
        return skip, x


class _Decoder(nn.Module):
    def __init__(self, width: int, channels: int, layers: int) -> None:
        super().__init__()
        self.dec = nn.ModuleList(
            _Stage(width if i else 2 * width, width, 1 + i % 2, transposed=True)
            for i in reversed(range(layers))
        )
        self.readout = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        for layer in self.dec[:-1]:
            x = layer(x)
        return self.readout(self.dec[-1](torch.cat([x, skip], dim=1)))


class _Dynamics(nn.Module):
    def __init__(self, folded: int, width: int, layers: int, local_ends: bool) -> None:
        super().__init__()
        widths = [folded, *[width] * (layers - 1), folded]
        local = [local_ends, *[False] * (layers - 2), local_ends and width != folded]
        self.enc = nn.ModuleList(_Layer(widths[i], widths[i + 1], local[i]) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.enc:
            x = layer(x)
        return x


class _Layer(nn.Module):
    def __init__(self, before: int, after: int, local: bool) -> None:
        super().__init__()
        self.block = _LocalBlock(before) if local else _GlobalBlock(before)
        self.reduction = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.block(x))


class _Mlp(nn.Module):
    def __init__(self, enter: nn.Module, leave: nn.Module) -> None:
        super().__init__()
        self.fc1, self.fc2 = enter, leave

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, cells, width = x.shape
        heads = self.qkv(x).reshape(batch, cells, 3, HEADS, width // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = ((query @ key.transpose(-2, -1)) * (width // HEADS) ** -0.5).softmax(dim=-1)
        return self.proj((scores @ value).transpose(1, 2).reshape(batch, cells, width))


class _GlobalBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1, self.attn = nn.LayerNorm(width), _Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _Mlp(nn.Linear(width, 4 * width), nn.Linear(4 * width, width))
        self.gamma_1 = nn.Parameter(torch.full((width,), 1e-6))
        self.gamma_2 = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        shape = x.shape
        x = x.flatten(2).transpose(1, 2)
        x = x + self.gamma_1 * self.attn(self.norm1(x))
        x = x + self.gamma_2 * self.mlp(self.norm2(x))
        return x.transpose(1, 2).reshape(shape)


class _LocalBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 1)
        self.attn = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.conv2 = nn.Conv2d(width, width, 1)
        self.norm2 = nn.BatchNorm2d(width)
        self.mlp = _Mlp(nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        x = x + self.conv2(self.attn(self.conv1(self.norm1(x))))
        return x + self.mlp(self.norm2(x))
