"""Transformer of patches: attention over all of them, or within windows that are shifted from block to block."""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.attention import SelfAttention
from triton_earth.layers.drop_path import DropPath
from triton_earth.layers.mlp import Mlp
from triton_earth.layers.padding import Padding, Rule
from triton_earth.models.networks.frames import FoldedNetwork
from triton_earth.models.registry import NetworkConfig, register

LONGEST_WAVE = 10_000.0


@register("transformer")
class TransformerConfig(NetworkConfig):
    """Hyper-parameters of `Transformer`.

    ViT is ``window: 0, gates: false``; DiT without its diffusion time, as a forecaster has it, ``window: 0, gates:
    true``; Swin at one resolution, as Pangu-Weather and FuXi have it, ``window: 8``.

    Attributes:
        patch: Cells along each axis that become a token.
        width: Channels of a token, a multiple of 4 and of `heads`.
        depth: Number of blocks.
        heads: Number of attention heads.
        window: Tokens along each side of the windows within which they see each other; 0: all see all.
        gates: Multiply each branch by a learned vector that starts at 0, so that a new block changes nothing.
        drop_path: Probability of leaving out the last block's branches in training; grows linearly from 0.
    """

    name: Literal["transformer"] = "transformer"
    patch: int = Field(default=4, ge=1)
    width: int = Field(default=192, ge=4, multiple_of=4)
    depth: int = Field(default=8, ge=1)
    heads: int = Field(default=6, ge=1)
    window: int = Field(default=0, ge=0)
    gates: bool = False
    drop_path: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> "TransformerConfig":
        if self.width % self.heads:
            raise UserError(
                f"width: expected a multiple of the {self.heads} attention heads, found {self.width}; take "
                f"{math.lcm(4, self.heads) * -(-self.width // math.lcm(4, self.heads))}."
            )
        return self

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Transformer":
        """Return the network with random weights."""
        return Transformer(frames, input_channels, output_channels, padding, self)


class Transformer(FoldedNetwork):
    """z = P x;  z ← z + α₁ ⊙ Attention(LN z);  z ← z + α₂ ⊙ MLP(LN z), N times;  y = Q LN z.

    P and Q are matrices from the cells of a patch to a token and back. With attention over all tokens, their position
    enters as sines and cosines, of whole waves on a periodic axis; within windows, through a learned number for each
    head and distance. Windows of every second block are shifted by half of their side: around the globe on a periodic
    axis, while beyond another border no token sees those of the other side.

    Source: Dosovitskiy et al. (2021), arXiv:2010.11929 (ViT); Peebles and Xie (2023), arXiv:2212.09748, section 3.2
    (gates); Liu et al. (2021), arXiv:2103.14030 (windows).

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
        config: TransformerConfig,
    ) -> None:
        multiple = config.patch * max(1, config.window)
        super().__init__(frames, input_channels, output_channels, padding, multiple)
        self.patch, self.is_global = config.patch, config.window == 0
        self.stem = nn.Conv2d(self.channels_in, config.width, config.patch, stride=config.patch)
        drops = np.linspace(0, config.drop_path, config.depth).tolist()
        self.blocks = nn.ModuleList(
            _Block(config, number, drop, padding) for number, drop in enumerate(drops)
        )
        self.norm = nn.LayerNorm(config.width)
        self.readout = nn.Linear(config.width, self.channels_out * config.patch**2)

    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the output maps."""
        tokens = self.stem(x).permute(0, 2, 3, 1)
        if self.is_global:
            rows, columns, width = tokens.shape[1:]
            tokens = tokens + _position(rows, columns, width, self.padding).to(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return functional.pixel_shuffle(
            self.readout(self.norm(tokens)).permute(0, 3, 1, 2), self.patch
        )


class _Block(nn.Module):
    def __init__(
        self, config: TransformerConfig, number: int, drop_path: float, padding: Padding
    ) -> None:
        super().__init__()
        width = config.width
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention: nn.Module
        if config.window:
            shift = config.window // 2 if number % 2 else 0
            self.attention = _WindowAttention(width, config.heads, config.window, shift, padding)
        else:
            self.attention = _GlobalAttention(width, config.heads)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)
        self.gates: nn.ParameterList | tuple[float, float] = (1.0, 1.0)
        if config.gates:
            self.gates = nn.ParameterList(torch.zeros(width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.gates
        x = x + self.drop_path(first * self.attention(self.attention_norm(x)))
        hidden = self.mlp(self.mlp_norm(x).flatten(1, 2)).unflatten(1, x.shape[1:3])
        return x + self.drop_path(second * hidden)


class _GlobalAttention(SelfAttention):
    """Attention over all tokens of a map [batch, row, column, channel]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


class _WindowAttention(nn.Module):
    """Attention within windows, with a learned bias for each head and distance."""

    def __init__(self, width: int, heads: int, window: int, shift: int, padding: Padding) -> None:
        super().__init__()
        self.heads, self.window, self.shift, self.padding = heads, window, shift, padding
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        for linear in (self.qkv, self.projection):
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
        side = 2 * window - 1
        self.bias = nn.Parameter(torch.zeros(heads, side * side))
        place = torch.arange(window)
        apart = place[:, None] - place[None, :] + window - 1
        number = apart[:, None, :, None] * side + apart[None, :, None, :]
        self.register_buffer("number", number.reshape(window**2, window**2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[1:3]
        shifts = [self.shift if size > self.window else 0 for size in (rows, columns)]
        x = x.roll((-shifts[0], -shifts[1]), dims=(1, 2))
        size = self.window
        windows = x.unflatten(2, (-1, size)).unflatten(1, (-1, size)).transpose(2, 3)
        tokens = windows.flatten(3, 4).flatten(1, 2)  # batch, window, token, channel
        heads = self.qkv(tokens).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        query, key, value = heads.flatten(1, 2).unbind(0)
        mask = self._mask(rows, columns, shifts).repeat(len(x), 1, 1, 1).to(query)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = self.projection(mixed.transpose(1, 2).flatten(2)).unflatten(0, (len(x), -1))
        out = out.unflatten(2, (size, size)).unflatten(1, (rows // size, columns // size))
        out = out.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return out.roll((shifts[0], shifts[1]), dims=(1, 2))

    def _mask(self, rows: int, columns: int, shifts: list[int]) -> Tensor:
        """Return the mask for the scores [window, head, token, token]: −∞ across a border that is not periodic."""
        bias = self.bias[:, self.get_buffer("number")]
        sides = [
            _side_of_border(count, shift, rule, bias.device).unflatten(0, (-1, self.window))
            for count, shift, rule in zip((rows, columns), shifts, self.padding, strict=True)
        ]
        region = 2 * sides[0][:, None, :, None] + sides[1][None, :, None, :]
        region = region.flatten(2).flatten(0, 1)
        apart = region[:, :, None] != region[:, None, :]
        return torch.where(apart[:, None], -torch.inf, bias[None])


def _side_of_border(count: int, shift: int, rule: Rule, device: torch.device) -> Tensor:
    """Return 1 for the tokens that a shift has brought across a border that is not periodic."""
    place = torch.arange(count, device=device)
    return ((place >= count - shift) & (rule == "zero")).long()


def _position(rows: int, columns: int, width: int, padding: Padding) -> Float[Tensor, "y x c"]:
    """Return sines and cosines of the position, half of the channels for each axis."""
    axes = [
        _waves(count, width // 4, rule)
        for count, rule in zip((rows, columns), padding, strict=True)
    ]
    return torch.cat(
        [axes[0][:, None].expand(-1, columns, -1), axes[1][None].expand(rows, -1, -1)], dim=-1
    )


def _waves(count: int, waves: int, rule: Rule) -> Tensor:
    part = torch.arange(waves) / max(1, waves - 1)
    frequency = LONGEST_WAVE**-part
    if rule == "periodic":
        frequency = torch.round(max(1.0, count / 2) ** part) * 2 * math.pi / count
    phase = torch.arange(count)[:, None] * frequency
    return torch.cat([phase.sin(), phase.cos()], dim=1)
