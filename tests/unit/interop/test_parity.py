"""The loaded network beside the published mathematics written plainly, at all kinds of sizes."""

import pytest
import torch
from benchmarks.plain_triton import PlainTriton

from triton_earth.interop.official import load_network

PARTS = {
    "atmospheric_encoder": "Turbulence_encoder",
    "temporal_evolution": "LDC",
    "atmospheric_decoder": "Turbulence_decoder",
}

# frames T, channels in, S, channels out, H_t, spatial layers, temporal layers N, convolution blocks at the ends
SIZES = {
    "many temporal layers": ((1, 1, 8, 1, 16, 4, 8, False), (2, 16, 16)),
    "other channels out": ((1, 5, 16, 3, 24, 4, 3, False), (1, 20, 12)),
    "more channels out": ((3, 2, 8, 4, 16, 4, 4, True), (2, 16, 24)),
    "T S = H_t": ((2, 2, 8, 2, 16, 4, 3, True), (2, 16, 16)),
    "T S = H_t, attention": ((1, 3, 16, 3, 16, 4, 2, False), (3, 12, 16)),
    "five frames": ((5, 1, 8, 1, 8, 4, 2, True), (2, 16, 16)),
    "ten frames": ((10, 2, 8, 1, 64, 4, 2, True), (1, 16, 16)),
    "one spatial layer": ((1, 1, 8, 1, 16, 1, 2, False), (2, 6, 5)),
    "two spatial layers": ((1, 2, 16, 1, 8, 2, 5, False), (2, 10, 14)),
    "three spatial layers": ((1, 2, 8, 2, 16, 3, 2, False), (2, 8, 6)),
    "six spatial layers": ((1, 1, 8, 1, 128, 6, 3, False), (2, 16, 24)),
    "many channels": ((1, 69, 32, 69, 64, 4, 2, False), (1, 20, 36)),
    "all of it": ((4, 3, 10, 2, 40, 4, 8, True), (1, 16, 16)),
}


def plain_network(frames, inputs, spatial, outputs, temporal, spatial_layers, layers, local):
    """A network none of whose weights, biases, scales and running statistics is neutral."""
    network = PlainTriton(
        (frames, inputs), spatial, outputs, temporal, spatial_layers, layers, local_ends=local
    )
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.5 * torch.randn_like(parameter))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return network.eval()


def output_and_gradient(network, x):
    x = x.detach().requires_grad_()
    y = network(x)
    return y.detach(), *torch.autograd.grad(y.square().mean(), x)


def require_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert one.shape == other.shape
        assert (one - other).norm() < 1e-5 * other.norm()


@pytest.mark.parametrize("size", SIZES)
def test_output_and_input_gradient(size):
    arguments, (batch, height, width) = SIZES[size]
    plain = plain_network(*arguments)
    x = torch.randn(batch, *arguments[:2], height, width)
    expected = output_and_gradient(plain, x)
    network = load_network(plain.state_dict())
    require_same(output_and_gradient(network, x), expected)
    with torch.no_grad():
        require_same([network(x)], expected[:1])
    assert sum(p.numel() for p in network.parameters()) == sum(
        p.numel() for p in plain.parameters()
    )


@pytest.fixture
def case():
    arguments, (batch, height, width) = SIZES["more channels out"]
    return plain_network(*arguments), torch.randn(batch, *arguments[:2], height, width)


def renamed(weights):
    parts = {key: key.split(".")[0] for key in weights}
    return {key.replace(part, PARTS[part]): weights[key] for key, part in parts.items()}


def strided(tensor):
    return tensor.transpose(0, 1).contiguous().transpose(0, 1) if tensor.ndim > 1 else tensor


VARIANTS = {
    "module.": lambda weights: {f"module.{key}": value for key, value in weights.items()},
    "checkpoint": lambda weights: {
        "iters": 1, "model_state": {f"module.{key}": value for key, value in weights.items()},
    },
    "other part names": renamed,
    "ged": lambda weights: {**weights, "ged": 3, "module.ged": torch.zeros(1)},
    "other order": lambda weights: dict(reversed(weights.items())),
    "not contiguous": lambda weights: {key: strided(value) for key, value in weights.items()},
    "float64": lambda weights: {
        key: value.double() if value.is_floating_point() else value for key, value in weights.items()
    },
    "no batch count": lambda weights: {
        key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")
    },
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_state_dict_in_another_form(case, variant):
    plain, x = case
    expected = output_and_gradient(plain, x)
    network = load_network(VARIANTS[variant](plain.state_dict()))
    require_same(output_and_gradient(network, x), expected)
    counts = [value for key, value in network.state_dict().items() if key.endswith("_tracked")]
    assert len(counts) == 4
    assert all(count == 0 for count in counts)


def test_weights_in_half_precision(case):
    plain, x = case
    half = {key: v.half() if v.is_floating_point() else v for key, v in plain.state_dict().items()}
    plain.load_state_dict(half)
    require_same(output_and_gradient(load_network(half), x), output_and_gradient(plain, x))


def test_an_input_that_is_not_contiguous(case):
    plain, x = case
    network = load_network(plain.state_dict())
    strided_x = x.transpose(3, 4).contiguous().transpose(3, 4)
    require_same(output_and_gradient(network, strided_x), output_and_gradient(plain, x))


def test_the_network_is_float32_whatever_the_default(case):
    plain, x = case
    expected = output_and_gradient(plain, x)
    torch.set_default_dtype(torch.float64)
    try:
        network = load_network(plain.state_dict())
    finally:
        torch.set_default_dtype(torch.float32)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    require_same(output_and_gradient(network, x), expected)
