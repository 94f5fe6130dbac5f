"""The residual stage: two 3×3 convolutions beside a shortcut, the unit of modern U-Nets."""

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import ZERO, Padding

Norm = Literal["group", "none", "channel"]
NORMS: tuple[Norm, ...] = get_args(Norm)
GROUPS = 8
CHANNELS_AT_ONCE = 16
"""Numbers of float32 that the widest vector register of a CPU holds."""


class ResidualBlock(nn.Module):
    """y = SiLU(s(x) + N(conv₃ₓ₃(SiLU(N(conv₃ₓ₃(x)))))), with s the identity, or a 1×1 convolution to another width.

    The shortcut carries the amplitude of x past the norms N.

    Source: He et al. (2016), arXiv:1512.03385, Fig. 2; norm and activation as in the U-Nets of arXiv:2209.15616.

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        norm: As in `map_norm`.
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        norm: Norm = "group",
        padding_rule: Padding = ZERO,
    ) -> None:
        super().__init__()
        self.first = Convolution(input_channels, output_channels, padding_rule=padding_rule)
        self.first_norm = map_norm(norm, output_channels)
        self.second = Convolution(output_channels, output_channels, padding_rule=padding_rule)
        self.second_norm = map_norm(norm, output_channels)
        self.shortcut: nn.Module = nn.Identity()
        if input_channels != output_channels:
            self.shortcut = nn.Conv2d(input_channels, output_channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return maps of the same size."""
        y = functional.silu(self.first_norm(self.first(x)))
        return functional.silu(self.shortcut(x) + self.second_norm(self.second(y)))


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` computed in float32, with a result in the precision of the input."""

    def forward(
        self, input: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the normalised maps, in the precision of the input."""
        on_cpu = input.device.type == "cpu" and type(input) is Tensor
        if on_cpu and input.dtype == torch.bfloat16:
            normalised: Tensor = _LowNorm.apply(
                input, self.weight, self.bias, self.num_groups, self.eps
            )
            return normalised
        return super().forward(input.float()).to(input.dtype)


class _LowNorm(torch.autograd.Function):
    """Group normalisation of bfloat16 on a CPU, with statistics and gradients of the weights in float32.

    Torch's own gradient takes half the time of one in float32 where vector registers divide the channels of a group,
    and up to three times as long elsewhere. Torch's kernels take it for granted that all maps lie in memory alike.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        sizes = (len(x), x.shape[1], x.shape[2:].numel(), groups)
        y, mean, reciprocal_std = torch.native_group_norm(x, weight, bias, *sizes, eps)
        ctx.save_for_backward(x, weight, mean, reciprocal_std)
        ctx.sizes = sizes
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x = ctx.saved_tensors[0]
        weight, *statistics = (tensor.float() for tensor in ctx.saved_tensors[1:])
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        _, channels, _, groups = ctx.sizes
        if channels // groups % CHANNELS_AT_ONCE:
            x, gradient = x.float(), gradient.float()
        of_x, of_weight, of_bias = torch.ops.aten.native_group_norm_backward(
            gradient, x, *statistics, weight, *ctx.sizes, [True] * 3
        )
        return of_x.to(gradients[0].dtype), of_weight, of_bias, None, None


class CellNorm(nn.Module):
    """y = γ ⊙ (x − m)/√(v + ε) + β, with m and v the mean and variance over the channels of each cell.

    Source: Ba et al. (2016), arXiv:1607.06450, on the channels of a cell.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the normalised maps."""
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def map_norm(norm: Norm, width: int) -> nn.Module:
    """Return a normalisation of maps.

    Args:
        norm: ``group`` over all cells and the channels of each of eight groups (fewer where eight do not divide
            `width`), which hides the amplitude of a whole map; ``channel`` over the channels of each cell; ``none``.
        width: Channels.
    """
    if norm == "group":
        return GroupNorm(math.gcd(GROUPS, width), width)
    return CellNorm(width) if norm == "channel" else nn.Identity()
