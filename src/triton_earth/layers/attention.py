"""Multi-head self-attention over all cells of a map, or over those in a cell's row and column."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.narrow_attention import is_narrow, narrow_attention


class _Heads(nn.Module):
    """The weights of attention: queries, keys and values of all heads, and the projection of their mixtures."""

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


class SelfAttention(_Heads):
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

    def forward(
        self, x: Float[Tensor, "batch cell channel"]
    ) -> Float[Tensor, "batch cell channel"]:
        """Return the tokens, each a mixture of all."""
        return self.projection(_attend(self.qkv(x).unflatten(2, (3, self.heads, -1))))


class AxialAttention(_Heads):
    """As `SelfAttention`, but the first half of the heads mixes the cells of a row, the second half those of a column.

    Two layers in a row let each cell see all others. Time grows with the number of cells times the length of rows and
    columns; the weights are those of `SelfAttention`.

    Source: Ho et al. (2019), arXiv:1912.12180; both axes at once as in Dong et al. (2022), arXiv:2107.00652, with
    stripes of one cell.

    Args:
        width: d, channels of a token.
        heads: Number of heads; even, divides `width`.

    Raises:
        UserError: if the number of heads is odd, or does not divide `width`.
    """

    def __init__(self, width: int, heads: int = 8) -> None:
        super().__init__(width, heads)
        if heads % 2:
            raise UserError(
                f"axial attention: expected an even number of heads, half for rows and half for "
                f"columns, found {heads}; take {heads + 1}."
            )

    def forward(
        self, x: Float[Tensor, "batch row column channel"]
    ) -> Float[Tensor, "batch row column channel"]:
        """Return the tokens, each a mixture of its row and its column."""
        by_row, by_column = self.qkv(x).unflatten(3, (3, self.heads, -1)).chunk(2, dim=4)
        rows = _attend(by_row.flatten(0, 1)).unflatten(0, x.shape[:2])
        columns = _attend(by_column.transpose(1, 2).flatten(0, 1))
        columns = columns.unflatten(0, (len(x), -1)).transpose(1, 2)
        return self.projection(torch.cat([rows, columns], dim=3))


def _attend(heads: Float[Tensor, "batch cell 3 head width"]) -> Float[Tensor, "batch cell channel"]:
    query, key, value = torch.unbind(heads.transpose(1, 3), dim=2)
    mixed = narrow_attention(query, key, value) if is_narrow(query) else None
    if mixed is None:
        mixed = functional.scaled_dot_product_attention(query, key, value)
    return mixed.transpose(1, 2).flatten(2)
