"""SimVP: every frame is encoded alone, all frames are translated together, every frame is decoded alone."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.convolution import Convolution
from triton_earth.layers.drop_path import DropPath
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FrameNetwork
from triton_earth.models.registry import NetworkConfig, register

KERNELS = (3, 5, 7, 11)
GROUPS = 8
SHALLOWEST_DROP = 0.01


@register("simvp")
class SimVpConfig(NetworkConfig):
    """Hyper-parameters of `SimVp`; the defaults are OpenSTL's for WeatherBench's temperature.

    Attributes:
        translator: ``gsta`` (gated spatiotemporal attention), ``tau`` (temporal attention unit) or ``incepu`` (the
            inception U of the first version).
        width: Channels of a frame's maps, even.
        hidden_width: Channels of the translator.
        stages: Convolutions of encoder and decoder, even; every second one halves or doubles the map.
        blocks: Blocks of the translator; ``incepu`` has as many each way.
        mlp_ratio: Hidden channels of a block's perceptron over its channels.
        drop_path: Probability of leaving out the last block's branches in training; grows linearly from 0.01.
    """

    name: Literal["simvp"] = "simvp"
    translator: Literal["gsta", "tau", "incepu"] = "gsta"
    width: int = Field(default=32, ge=2, multiple_of=2)
    hidden_width: int = Field(default=256, ge=8, multiple_of=8)
    stages: int = Field(default=2, ge=2, multiple_of=2)
    blocks: int = Field(default=8, ge=2)
    mlp_ratio: int = Field(default=8, ge=1)
    drop_path: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _groups_fit(self) -> "SimVpConfig":
        if self.translator == "incepu" and self.hidden_width % (2 * GROUPS):
            raise UserError(
                f"hidden_width: the inception blocks have {GROUPS} groups of half as many channels, found "
                f"{self.hidden_width}; take {self.hidden_width + -self.hidden_width % (2 * GROUPS)}."
            )
        return self

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "SimVp":
        """Return the network with random weights."""
        return SimVp(frames, input_channels, output_channels, padding, self)


class SimVp(FrameNetwork):
    """e_t = E x_t, s_t = E₁ x_t;  [h_1 … h_T] = M [e_1 … e_T];  y_t = R D_last(D(h_t) + s_t).

    Encoder E and decoder D are 3×3 convolutions with group normalisation (2 groups) and SiLU, every second of stride 2
    or followed by pixel shuffle; s is the output of the first. M sees the maps of all frames as channels.

    Source: Gao et al. (2022), arXiv:2206.05099 (incepu); Tan et al. (2022), arXiv:2211.12509 (gsta); Tan et al. (2023),
    arXiv:2206.12126 (tau); sizes of OpenSTL, arXiv:2306.11249.

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
        config: SimVpConfig,
    ) -> None:
        multiple = 2 ** (config.stages // 2)
        super().__init__(frames, input_channels, output_channels, padding, multiple)
        width = config.width
        channels = [input_channels, *[width] * (config.stages - 1)]
        self.encoder = nn.ModuleList(
            _Stage(wide, width, padding, halves=number % 2 == 1)
            for number, wide in enumerate(channels)
        )
        self.decoder = nn.ModuleList(
            _Stage(width, width, padding, doubles=number % 2 == 0)
            for number in range(config.stages)
        )
        translator = _Inception if config.translator == "incepu" else _Chain
        self.translator = translator(frames * width, padding, config)
        self.readout = nn.Conv2d(width, output_channels, 1)

    def sequence(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames."""
        maps = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        skip = self.encoder[0](maps)
        latent = skip
        for stage in self.encoder[1:]:
            latent = stage(latent)
        folded = latent.unflatten(0, x.shape[:2]).flatten(1, 2)
        y = self.translator(folded).unflatten(1, (self.frames, -1)).flatten(0, 1)
        for stage in self.decoder[:-1]:
            y = stage(y)
        return self.readout(self.decoder[-1](y + skip)).unflatten(0, x.shape[:2])


class _Stage(nn.Module):
    def __init__(
        self, wide: int, width: int, padding: Padding, halves: bool = False, doubles: bool = False
    ) -> None:
        super().__init__()
        self.convolution = Convolution(
            wide, width * (4 if doubles else 1), stride=2 if halves else 1, padding_rule=padding
        )
        self.shuffle = nn.PixelShuffle(2) if doubles else nn.Identity()
        self.norm = nn.GroupNorm(2, width)
        nn.init.trunc_normal_(self.convolution.weight, std=0.02)
        nn.init.zeros_(self.convolution.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.norm(self.shuffle(self.convolution(x))))


class _Chain(nn.Sequential):
    """Blocks of attention and perceptron, wider in between."""

    def __init__(self, channels: int, padding: Padding, config: SimVpConfig) -> None:
        widths = [channels, *[config.hidden_width] * (config.blocks - 1), channels]
        shallowest = min(SHALLOWEST_DROP, config.drop_path)
        drops = np.linspace(shallowest, config.drop_path, config.blocks)
        layers: list[nn.Module] = []
        for number, drop in enumerate(drops.tolist()):
            layers.append(_Block(widths[number], padding, config, drop))
            if widths[number] != widths[number + 1]:
                layers.append(nn.Conv2d(widths[number], widths[number + 1], 1))
        super().__init__(*layers)


class _Block(nn.Module):
    """x ← x + γ₁ ⊙ A N x;  x ← x + γ₂ ⊙ MLP N x, with a depthwise convolution within the perceptron."""

    def __init__(self, width: int, padding: Padding, config: SimVpConfig, drop_path: float) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        attention = _GatedAttention if config.translator == "gsta" else _TemporalAttention
        self.attention = attention(width, padding)
        hidden = config.mlp_ratio * width
        self.mlp = nn.Sequential(
            nn.Conv2d(width, hidden, 1),
            Convolution(hidden, hidden, groups=hidden, padding_rule=padding),
            nn.GELU(),
            nn.Conv2d(hidden, width, 1),
        )
        self.drop_path = DropPath(drop_path)
        self.attention_scale = nn.Parameter(torch.full((width, 1, 1), 1e-2))
        self.mlp_scale = nn.Parameter(torch.full((width, 1, 1), 1e-2))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                fan_out = layer.weight[0, 0].numel() * layer.out_channels // layer.groups
                nn.init.normal_(layer.weight, std=(2 / fan_out) ** 0.5)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attention_scale * self.attention(self.attention_norm(x)))
        return x + self.drop_path(self.mlp_scale * self.mlp(self.mlp_norm(x)))


class _LargeKernel(nn.Sequential):
    """Depthwise 5×5, then depthwise 7×7 of dilation 3: a kernel of 23×23 cells with 74 weights."""

    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__(
            Convolution(width, width, 5, groups=width, padding_rule=padding),
            Convolution(width, width, 7, groups=width, padding_rule=padding, dilation=3),
        )


class _GatedAttention(nn.Module):
    """x + W₂ (f ⊙ sigmoid g), with (f, g) = V K GELU W₁ x and K the large kernel."""

    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.kernel = _LargeKernel(width, padding)
        self.gating = nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.gating(self.kernel(functional.gelu(self.enter(x)))).chunk(2, dim=1)
        return x + self.leave(torch.sigmoid(gate) * value)


class _TemporalAttention(nn.Module):
    """x + W₂ (s(u) ⊙ V K u ⊙ u), with u = GELU W₁ x and s the squeeze and excitation of the means over all cells."""

    def __init__(self, width: int, padding: Padding) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.kernel = _LargeKernel(width, padding)
        self.mixing = nn.Conv2d(width, width, 1)
        squeezed = width // max(width // 16, 4)
        self.excitation = nn.Sequential(
            nn.Linear(width, squeezed, bias=False),
            nn.ReLU(),
            nn.Linear(squeezed, width, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.gelu(self.enter(x))
        channels = self.excitation(hidden.mean(dim=(2, 3)))[:, :, None, None]
        return x + self.leave(channels * self.mixing(self.kernel(hidden)) * hidden)


class _Inception(nn.Module):
    """A U of inception blocks at one resolution: those on the way down are joined to those on the way up."""

    def __init__(self, channels: int, padding: Padding, config: SimVpConfig) -> None:
        super().__init__()
        width, count = config.hidden_width, config.blocks
        self.down = nn.ModuleList(
            _InceptionBlock(channels if number == 0 else width, width, width, padding)
            for number in range(count)
        )
        self.up = nn.ModuleList(
            _InceptionBlock(
                width if number == 0 else 2 * width,
                width,
                channels if number == count - 1 else width,
                padding,
            )
            for number in range(count)
        )

    def forward(self, x: Tensor) -> Tensor:
        kept = [x]
        for block in self.down:
            kept.append(block(kept[-1]))
        y = self.up[0](kept.pop())
        for block in self.up[1:]:
            y = block(torch.cat([y, kept.pop()], dim=1))
        return y


class _InceptionBlock(nn.Module):
    """y = Σ_k LeakyReLU N C_k W x with kernels of 3, 5, 7 and 11 cells in groups."""

    def __init__(self, channels: int, width: int, channels_out: int, padding: Padding) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, width // 2, 1)
        groups = GROUPS if channels_out % GROUPS == 0 else 1
        self.branches = nn.ModuleList(
            nn.Sequential(
                Convolution(width // 2, channels_out, size, groups=groups, padding_rule=padding),
                nn.GroupNorm(groups, channels_out),
                nn.LeakyReLU(0.2),
            )
            for size in KERNELS
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.enter(x)
        return torch.stack([branch(hidden) for branch in self.branches]).sum(dim=0)
