"""The local block: cells see their neighbourhood through a 5×5 depthwise convolution."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.drop_path import DropPath
from triton_earth.layers.mlp import Mlp
from triton_earth.layers.padding import ZERO, Padding
from triton_earth.layers.tokens import to_maps, to_tokens


class ConvolutionBlock(nn.Module):
    """Position, local mixing and perceptron, each added to what it is computed from.

    x ← x + dwconv₃ₓ₃(x);  x ← x + W₂ dwconv₅ₓ₅(W₁ BN x);  x ← x + MLP(BN x).

    BN is batch normalization: its statistics are those of the batch in training and running means
    in evaluation. Weights start as N(0, 2/fan_out), biases at 0.

    Source: Li et al. (2022), UniFormer, local block.

    Args:
        width: Channels.
        drop_path: Probability of leaving out a branch in training.
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(self, width: int, drop_path: float = 0.0, padding_rule: Padding = ZERO) -> None:
        super().__init__()
        self.position = Convolution(width, width, groups=width, padding_rule=padding_rule)
        self.mixing_norm = nn.BatchNorm2d(width)
        self.enter = nn.Linear(width, width)
        self.mixing = Convolution(width, width, 5, groups=width, padding_rule=padding_rule)
        self.leave = nn.Linear(width, width)
        self.mlp_norm = nn.BatchNorm2d(width)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)
        for linear in (self.enter, self.leave, self.mlp.expand, self.mlp.contract):
            _initialize(linear.weight, linear.bias, fan_out=linear.out_features)
        for depthwise in (self.position, self.mixing):
            assert depthwise.bias is not None
            _initialize(depthwise.weight, depthwise.bias, fan_out=depthwise.weight[0].numel())

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return maps of the same shape."""
        height, width = x.shape[2:]
        x = x + self.position(x)
        branch = to_maps(self.enter(to_tokens(self.mixing_norm(x))), height, width)
        branch = to_maps(self.leave(to_tokens(self.mixing(branch))), height, width)
        x = x + self.drop_path(branch)
        branch = to_maps(self.mlp(to_tokens(self.mlp_norm(x))), height, width)
        return x + self.drop_path(branch)


def _initialize(weight: Tensor, bias: Tensor, fan_out: int) -> None:
    nn.init.normal_(weight, std=math.sqrt(2.0 / fan_out))
    nn.init.zeros_(bias)
