"""Muon against the singular value decomposition, against torch's own, and over a broken-off run."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from triton_earth.training.optimization.muon import (
    COEFFICIENTS,
    ITERATIONS,
    Muon,
    orthogonalized,
)


def moved(weight, gradients, **settings):
    """The weight after a step along each gradient."""
    weight = nn.Parameter(weight.clone())
    optimizer = Muon([weight], 0.1, **{"weight_decay": 0.0, **settings})
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (8, 3, 3, 3), (2, 40, 1, 1)])
def test_a_step_follows_the_orthogonal_factor_and_is_as_large_as_adamw_s(shape):
    # The first step: the update is U Vᵀ of the gradient's U S Vᵀ.
    torch.manual_seed(0)
    weight, gradient = torch.randn(shape), torch.randn(shape)
    u, _, v = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    size = 0.1 * 0.2 * max(gradient.flatten(1).shape) ** 0.5
    update = (weight - moved(weight, [gradient])).flatten(1) / size
    # Five steps of Newton and Schulz bring singular values near one only.
    singular = torch.linalg.svdvals(update)
    assert 0.3 < singular.min() <= singular.max() < 1.25
    assert nn.functional.cosine_similarity(update.flatten(), (u @ v).flatten(), dim=0) > 0.93


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)),
    size=st.floats(1e-3, 1e3),
    seed=st.integers(0, 99),
)
def test_singular_vectors_stay_and_sizes_do_not_matter(shape, size, seed):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    (found,) = orthogonalized([matrices])
    larger, turned = orthogonalized([size * matrices, matrices.mT])
    torch.testing.assert_close(larger, found, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(turned, found.mT, rtol=1e-3, atol=1e-4)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ found @ v.mT
    off_diagonal = inner - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1))
    assert off_diagonal.abs().max() < 0.01
    assert inner.diagonal(dim1=-2, dim2=-1).max() < 1.25


@given(
    rows=st.integers(1, 12),
    wider=st.integers(2, 9),
    rank=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_the_iteration_on_products_is_the_iteration(rows, wider, rank, seed):
    # Momentum is often of low rank: directions that it lacks must stay as small.
    random = torch.Generator().manual_seed(seed)
    left = torch.randn((2, rows, rank), generator=random, dtype=torch.float64)
    right = torch.randn((2, rank, wider * rows), generator=random, dtype=torch.float64)
    matrices = left @ right
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        a_of_x = x @ x.mT
        x = a * x + b * a_of_x @ x + c * a_of_x @ a_of_x @ x
    exact, found, wider = orthogonalized(
        [matrices, matrices.float(), torch.cat([matrices, matrices], 2)]
    )
    torch.testing.assert_close(exact, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.double(), x, rtol=0, atol=1e-3)
    (low,) = orthogonalized([matrices.bfloat16()])
    assert low.dtype == torch.bfloat16
    (of_low,) = orthogonalized([matrices.bfloat16().float()])
    torch.testing.assert_close(low, of_low.bfloat16(), rtol=0, atol=0)
    # With as many rows, so that they go together: each has half the squares of the first.
    torch.testing.assert_close(wider[..., : x.shape[2]] * 2**0.5, x, rtol=0, atol=1e-9)


def test_zeros_stay_zeros():
    for found in orthogonalized([torch.zeros(1, 3, 4), torch.zeros(1, 3, 8)]):
        assert found.abs().max() == 0


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9 has no Muon")
def test_matrices_move_as_with_torch_s_own():
    torch.manual_seed(1)
    weight, gradients = torch.randn(6, 9), torch.randn(5, 6, 9)
    theirs = nn.Parameter(weight.clone())
    optimizer = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        theirs.grad = gradient.clone()
        optimizer.step()
    found = moved(weight, gradients, weight_decay=0.1)
    # Torch's iterates in bfloat16.
    assert (found - theirs).norm() < 0.02 * (found - weight).norm()


def test_kernels_move_as_their_matrices_do_one_or_many_together():
    torch.manual_seed(2)
    kernels, gradients = torch.randn(3, 8, 4, 3, 3), torch.randn(2, 3, 8, 4, 3, 3)
    alone = [moved(k, gradients[:, n]) for n, k in enumerate(kernels)]
    as_matrices = [
        moved(k.flatten(1), gradients[:, n].flatten(2)).reshape(k.shape)
        for n, k in enumerate(kernels)
    ]
    innermost = torch.channels_last
    together = [nn.Parameter(k.clone(memory_format=innermost)) for k in kernels]
    optimizer = Muon(together, 0.1, weight_decay=0.0)
    for step in gradients:
        for weight, gradient in zip(together, step, strict=True):
            weight.grad = gradient.clone(memory_format=innermost)
        optimizer.step()
    for others in (as_matrices, together):
        for found, expected in zip(others, alone, strict=True):
            torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=1e-4)
    assert together[0].is_contiguous(memory_format=innermost)


def test_weights_without_a_gradient_stay_and_decay_is_decoupled():
    weights = [nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
    weights[1].grad = torch.zeros(2, 2)
    Muon(weights, 0.5, weight_decay=0.5).step()
    assert weights[0].tolist() == [[1, 1], [1, 1]]
    assert weights[1].tolist() == [[0.75, 0.75], [0.75, 0.75]]


def test_a_saved_state_goes_on_with_the_same_bits():
    torch.manual_seed(3)
    weight, gradients = torch.randn(4, 3, 3, 3), torch.randn(4, 4, 3, 3, 3)
    expected = moved(weight, gradients)
    first = nn.Parameter(weight.clone())
    optimizer = Muon([first], 0.1, weight_decay=0.0)
    for gradient in gradients[:2]:
        first.grad = gradient
        optimizer.step()
    second = nn.Parameter(first.detach().clone())
    again = Muon([second], 0.3, weight_decay=0.0)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for gradient in gradients[2:]:
        second.grad = gradient
        again.step()
    assert torch.equal(second.detach(), expected)


def test_a_closure_is_evaluated_before_the_step():
    weight = nn.Parameter(torch.eye(2))
    optimizer = Muon([weight], 0.1, weight_decay=0.0)

    def loss():
        optimizer.zero_grad()
        value = weight.square().sum()
        value.backward()
        return value.item()

    assert optimizer.step(loss) == 2
    assert weight[0, 0] < 1
