"""Attention in half the time for narrow heads in bfloat16 on a CPU, without gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

WIDEST_HEAD = 32
SCORES_AT_ONCE = 2**20
LARGEST_EXPONENT = 60.0


def is_narrow(query: Tensor) -> bool:
    """Return whether `narrow_attention` is made for these heads and this mode."""
    return (
        query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and query.shape[-1] <= WIDEST_HEAD
        and not torch.is_grad_enabled()
    )


def narrow_attention(
    query: Float[Tensor, "batch head cell width"],
    key: Float[Tensor, "batch head cell width"],
    value: Float[Tensor, "batch head cell width"],
) -> Float[Tensor, "batch head cell width"] | None:
    """Return softmax(QKᵀ/√d)V, or None where the scores may be too large for this method.

    With few channels per head nearly all time goes into the passes over the scores. Here there
    are four: S = QKᵀ, exp S, (exp S)V and the row sums of exp S, over as many queries at once as
    stay in the cache. No maximum is subtracted: by Cauchy and Schwarz |S_ij| ≤ max‖q_i‖·max‖k_j‖/√d, and where that
    bound is at most 60, no exponential or sum of them leaves the range of the number format.

    Args:
        query: Q, bfloat16.
        key: K.
        value: V.
    """
    batch, heads, cells, width = query.shape
    query = query * width**-0.5
    bound = query.norm(dim=-1).max() * key.norm(dim=-1).max()
    if not bound <= LARGEST_EXPONENT:
        return None
    queries = query.reshape(batch * heads, cells, width)
    keys = key.reshape(batch * heads, cells, width).transpose(1, 2).contiguous()
    values = value.reshape(batch * heads, cells, width)
    at_once = max(1, SCORES_AT_ONCE // cells)
    result = torch.empty_like(queries)
    for head in range(batch * heads):
        for start in range(0, cells, at_once):
            block = slice(start, start + at_once)
            weights = (queries[head, block] @ keys[head]).exp_()
            total = weights.sum(dim=-1, keepdim=True)
            torch.div(weights @ values[head], total, out=result[head, block])
    return result.view(batch, heads, cells, width)
