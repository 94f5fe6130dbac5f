"""The global block: every cell sees every other through self-attention."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.attention import AxialAttention, SelfAttention
from triton_earth.layers.convolution import Convolution
from triton_earth.layers.drop_path import DropPath
from triton_earth.layers.mlp import Mlp
from triton_earth.layers.padding import ZERO, Padding
from triton_earth.layers.tokens import to_maps, to_tokens

Attention = Literal["global", "axial"]

INITIAL_SCALE = 1e-6


class AttentionBlock(nn.Module):
    """Position, attention and perceptron, each added to what it is computed from.

    x ← x + dwconv₃ₓ₃(x);  x ← x + γ₁ ⊙ Attention(LN x);  x ← x + γ₂ ⊙ MLP(LN x).

    The depthwise convolution stands for a position encoding, so any map size is legal. The layer
    scales γ start at 1e-6: a new block is nearly its position encoding alone.

    Source: Li et al. (2022), UniFormer, global block; used in arXiv:2505.19432 as the latent
    dynamical core.

    Args:
        width: Channels; a multiple of `heads`.
        heads: Number of attention heads.
        drop_path: Probability of leaving out a branch in training.
        padding_rule: The rule of the height axis and of the width axis.
        attention: ``global`` between all cells, or ``axial`` along rows and columns.

    Raises:
        UserError: if `heads` does not divide `width`.
    """

    def __init__(
        self,
        width: int,
        heads: int = 8,
        drop_path: float = 0.0,
        padding_rule: Padding = ZERO,
        attention: Attention = "global",
    ) -> None:
        super().__init__()
        self.position = Convolution(width, width, groups=width, padding_rule=padding_rule)
        self.attention_norm = nn.LayerNorm(width)
        self.axial = attention == "axial"
        self.attention = (AxialAttention if self.axial else SelfAttention)(width, heads)
        self.attention_scale = nn.Parameter(torch.full((width,), INITIAL_SCALE))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self.mlp_scale = nn.Parameter(torch.full((width,), INITIAL_SCALE))
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return maps of the same shape."""
        height, width = x.shape[2:]
        x = to_tokens(x + self.position(x))
        branch = self.attention_norm(x)
        if self.axial:
            branch = self.attention(branch.unflatten(1, (height, width))).flatten(1, 2)
        else:
            branch = self.attention(branch)
        x = x + self.drop_path(self.attention_scale * branch)
        branch = self.mlp(self.mlp_norm(x))
        x = x + self.drop_path(self.mlp_scale * branch)
        return to_maps(x, height, width)
