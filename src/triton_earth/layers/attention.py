"""Multi-head self-attention over all cells of a map."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.narrow_attention import is_narrow, narrow_attention


class SelfAttention(nn.Module):
    """y = W_o concat_h(softmax(Q_h K_hᵀ/√(d/heads)) V_h) + b_o, with (Q, K, V) = W x + b.

    The scores of all pairs of cells are never held in memory at once (fused attention), so memory
    grows linearly with the number of cells; time grows with its square.

    Source: Vaswani et al. (2017), Eq. 1.

    Args:
        width: d, channels of a token.
        heads: Number of heads; divides `width`.

    Raises:
        UserError: if `heads` does not divide `width`.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__()
        if width % heads:
            raise UserError(
                f"attention: expected a width that is a multiple of the {heads} heads, "
                f"found {width}; take {width + -width % heads}."
            )
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        for linear in (self.qkv, self.projection):
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(
        self, x: Float[Tensor, "batch cell channel"]
    ) -> Float[Tensor, "batch cell channel"]:
        """Return the tokens, each a mixture of all."""
        heads = self.qkv(x).unflatten(2, (3, self.heads, -1))
        query, key, value = torch.unbind(heads.transpose(1, 3), dim=2)
        mixed = narrow_attention(query, key, value) if is_narrow(query) else None
        if mixed is None:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.projection(mixed.transpose(1, 2).flatten(2))
