"""Attention in about half the time for narrow heads in bfloat16 on a CPU."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

WIDEST_HEAD = 32
WIDEST_WITH_UNITS, MOST_CELLS = 64, 512
_KNOWN = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
MATRIX_UNITS = bool(_KNOWN.get("amx_bf16", False))
"""Whether the processor multiplies matrices of bfloat16 in units of their own; an older torch does not tell."""
SCORES_AT_ONCE = 2**20
LARGEST_EXPONENT = 60.0


def is_narrow(query: Tensor) -> bool:
    """Return whether `narrow_attention` is made for these heads; it looks at values, which subclasses may lack.

    With matrix units torch's own attention takes half its time, but for the gradient, for which it takes twice as long
    on up to 512 cells, with wider heads too.
    """
    if query.device.type != "cpu" or type(query) is not Tensor or query.dtype != torch.bfloat16:
        return False
    cells, width = query.shape[-2:]
    if not MATRIX_UNITS:
        return width <= WIDEST_HEAD
    widest = WIDEST_WITH_UNITS if cells <= MOST_CELLS else WIDEST_HEAD
    return torch.is_grad_enabled() and width <= widest


def narrow_attention(
    query: Float[Tensor, "batch head cell width"],
    key: Float[Tensor, "batch head cell width"],
    value: Float[Tensor, "batch head cell width"],
) -> Float[Tensor, "batch head cell width"] | None:
    """Return softmax(QKᵀ/√d)V, or None where the scores may be too large for this method.

    With few channels per head nearly all time goes into the passes over the scores. Here there
    are four: S = QKᵀ, P = exp S, PV and the row sums of P, over as many scores at once as stay in
    the cache; the gradient computes P again. No maximum is subtracted: by Cauchy and Schwarz
    |S_ij| ≤ max‖q_i‖·max‖k_j‖/√d, and where that bound is at most 60, no exponential or sum of
    them leaves the range of the number format.

    Args:
        query: Q, bfloat16.
        key: K.
        value: V.
    """
    query = query * query.shape[-1] ** -0.5
    bound = query.detach().norm(dim=-1).max() * key.detach().norm(dim=-1).max()
    if not bound <= LARGEST_EXPONENT:
        return None
    groups = [part.flatten(0, 1).contiguous() for part in (query, key, value)]
    mixed: Tensor = _ExponentialAttention.apply(*groups)
    return mixed.unflatten(0, query.shape[:2])


class _ExponentialAttention(torch.autograd.Function):
    """Y = PV/(P1) with P = exp(QKᵀ); arguments [group, cell, width], Q scaled."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        result, total = torch.empty_like(query), torch.empty_like(query[..., :1])
        for group, block in _blocks(*query.shape[:2]):
            weights = torch.bmm(query[group, block], key[group].transpose(1, 2)).exp_()
            total[group, block] = weights.sum(dim=-1, keepdim=True)
            result[group, block] = torch.bmm(weights, value[group]) / total[group, block]
        ctx.save_for_backward(query, key, value, result, total)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """∂P = G Vᵀ − (G·Y)1ᵀ with G the gradient of Y over P1; ∂S = P ⊙ ∂P."""
        query, key, value, result, total = ctx.saved_tensors
        gradient = gradients[0] / total
        offset = -(gradient * result).sum(dim=-1, keepdim=True)
        query_gradient = torch.empty_like(query)
        key_gradient = torch.zeros_like(key, dtype=torch.float32)
        value_gradient = torch.zeros_like(value, dtype=torch.float32)
        for group, block in _blocks(*query.shape[:2]):
            q, g = query[group, block], gradient[group, block]
            weights = torch.bmm(q, key[group].transpose(1, 2)).exp_()
            value_gradient[group] += torch.bmm(weights.transpose(1, 2), g)
            scores_gradient = torch.baddbmm(offset[group, block], g, value[group].transpose(1, 2))
            scores_gradient *= weights
            query_gradient[group, block] = torch.bmm(scores_gradient, key[group])
            key_gradient[group] += torch.bmm(scores_gradient.transpose(1, 2), q)
        return query_gradient, key_gradient.to(key.dtype), value_gradient.to(value.dtype)


def _blocks(groups: int, cells: int) -> Iterator[tuple[slice, slice]]:
    """Cut [group, query] into blocks of about `SCORES_AT_ONCE` scores: groups first, then queries."""
    group_step = max(1, SCORES_AT_ONCE // cells**2)
    query_step = max(1, SCORES_AT_ONCE // cells)
    for group in range(0, groups, group_step):
        for query in range(0, cells, query_step):
            yield slice(group, group + group_step), slice(query, query + query_step)
