"""What every network of the field has to do, whatever is inside it."""

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.core.errors import UserError
from triton_earth.models.registry import create, list_networks

PERIODIC, GLOBAL, CLOSED = ("periodic", "periodic"), ("zero", "periodic"), ("zero", "zero")

SMALL = {
    "fno": {"name": "fno", "modes": 4, "width": 8, "layers": 2, "border": 2},
    "fno, pdearena": {"name": "fno", "layout": "pdearena", "modes": 4, "width": 8, "layers": 1},
    "unet": {"name": "unet", "width": 4, "levels": 2},
    "unet, layer": {"name": "unet", "width": 4, "levels": 2, "normalization": "layer"},
    "modern_unet": {"name": "modern_unet", "width": 8, "multipliers": [1, 2], "attention": True},
    "convnext_unet": {"name": "convnext_unet", "width": 6, "levels": 2, "initial_scale": 0.1},
    "resnet": {"name": "resnet", "width": 8, "blocks": 2},
    "resnet, dilated": {"name": "resnet", "width": 8, "blocks": 1, "dilated": True},
    "simvp, gsta": {"name": "simvp", "width": 8, "hidden_width": 16, "blocks": 2, "mlp_ratio": 2},
    "simvp, tau": {
        "name": "simvp",
        "translator": "tau",
        "width": 16,
        "hidden_width": 16,
        "blocks": 2,
        "mlp_ratio": 2,
    },
    "simvp, incepu": {
        "name": "simvp",
        "translator": "incepu",
        "width": 8,
        "hidden_width": 16,
        "blocks": 2,
    },
    "convlstm": {"name": "convlstm", "width": 8, "layers": 2, "kernel": 3},
    "vit": {"name": "transformer", "width": 16, "depth": 2, "heads": 2, "patch": 2},
    "dit": {"name": "transformer", "width": 16, "depth": 2, "heads": 2, "patch": 2, "gates": True},
    "swin": {"name": "transformer", "width": 16, "depth": 2, "heads": 2, "patch": 2, "window": 2},
    "afno": {"name": "afno", "width": 16, "depth": 2, "groups": 2, "patch": 2, "threshold": 1e-3},
    "lsm": {
        "name": "lsm",
        "width": 8,
        "levels": 2,
        "patch": 2,
        "bases": 3,
        "tokens": 2,
        "heads": 2,
    },
    "kno": {"name": "kno", "modes": 4, "width": 8, "powers": 3, "border": 2},
}
LEARNING_RATE = {"afno": 1e-2, "dit": 1e-2, "swin": 1e-2, "vit": 1e-2}

STRIDES = {"unet": 4, "unet, layer": 4, "modern_unet": 2, "convnext_unet": 4, "convlstm": 2}
STRIDES |= {"simvp, gsta": 2, "simvp, tau": 2, "simvp, incepu": 2, "swin": 4}
STRIDES |= {"resnet": 1, "resnet, dilated": 1, "fno, pdearena": 1, "kno": 1}
"""Shifts by these many cells of a periodic box shift the output alike."""


def build(case, frames=1, channels_in=3, channels_out=2, padding=PERIODIC, **options):
    torch.manual_seed(1)
    return create(SMALL[case] | options).build(frames, channels_in, channels_out, padding)


@pytest.fixture(params=SMALL)
def case(request):
    return request.param


def test_every_network_of_the_field_is_here():
    assert {settings["name"] for settings in SMALL.values()} == set(list_networks()) - {
        "sfno",
        "triton",
    }


@pytest.mark.parametrize("padding", [PERIODIC, GLOBAL, CLOSED])
@pytest.mark.parametrize("frames", [1, 2])
def test_any_size_and_number_of_frames(case, frames, padding):
    network = build(case, frames, padding=padding).eval()
    y = network(torch.randn(2, frames, 3, 13, 18))
    assert y.shape == (2, frames, 2, 13, 18)
    assert y.isfinite().all()


def test_samples_of_a_batch_do_not_see_each_other(case):
    network, x = build(case, frames=2).eval(), torch.randn(2, 2, 3, 12, 16)
    torch.testing.assert_close(network(x)[:1], network(x[:1]), rtol=1e-4, atol=1e-5)


def test_loss_falls_and_every_weight_learns(case):
    network = build(case, frames=1, channels_in=1, channels_out=1).train()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE.get(case, 5e-3))
    x = torch.randn(2, 1, 1, 16, 16)
    y = torch.tanh(x + x.roll(1, 3) - x.roll(1, 4))
    losses = []
    for _ in range(30):
        loss = (network(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0], losses[::5]
    idle = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    # with one frame nothing is remembered yet
    assert [name for name in idle if "of_hidden" not in name] == []


@pytest.mark.parametrize("case", STRIDES)
@given(rows=st.integers(-3, 3), columns=st.integers(-3, 3))
@settings(deadline=None, max_examples=4)
def test_shifts_of_a_periodic_box(case, rows, columns):
    network = build(case).eval()
    shift = rows * STRIDES[case], columns * STRIDES[case]
    x = torch.randn(1, 1, 3, 16, 16)
    shifted = network(x.roll(shift, (3, 4)))
    torch.testing.assert_close(shifted, network(x).roll(shift, (3, 4)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", STRIDES)
def test_on_the_globe_only_longitude_is_periodic(case):
    network = build(case, padding=GLOBAL, **({"border": 4} if "fno" in case else {})).eval()
    stride = STRIDES[case]
    x = torch.randn(1, 1, 3, 16, 16)
    along = network(x.roll(stride, 4))
    torch.testing.assert_close(along, network(x).roll(stride, 4), rtol=1e-3, atol=1e-4)
    across = network(x.roll(stride, 3)) - network(x).roll(stride, 3)
    assert across.abs().max() > 1e-4


def test_fno_without_coordinates_does_not_see_where_a_periodic_box_begins():
    network = build("fno", coordinates=False).eval()
    x = torch.randn(1, 1, 3, 12, 16)
    shifted = network(x.roll((5, 3), (3, 4)))
    torch.testing.assert_close(shifted, network(x).roll((5, 3), (3, 4)), rtol=1e-4, atol=1e-5)


def test_bfloat16(case):
    network, x = build(case).eval(), torch.randn(1, 1, 3, 16, 16)
    exact = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(x).float()
    assert (found - exact).norm() < 0.03 * exact.norm() + 1e-6


def test_another_shape_is_refused(case):
    text = r"expected shape \[batch, 1, 3, height, width\], found \[1, 1, 2, 8, 8\]; build the"
    with pytest.raises(UserError, match=text):
        build(case)(torch.zeros(1, 1, 2, 8, 8))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"name": "fno", "modes": 3}, r"'modes': Input should be a multiple of 2, found 3"),
        ({"name": "modern_unet", "width": 12}, r"'width': Input should be a multiple of 8"),
        (
            {"name": "simvp", "translator": "incepu", "hidden_width": 24},
            r"hidden_width: .* 8 groups of half as many channels, found 24; take 32\.",
        ),
        (
            {"name": "transformer", "width": 20, "heads": 6},
            r"width: expected a multiple of the 6 attention heads, found 20; take 24\.",
        ),
        (
            {"name": "afno", "width": 20},
            r"width: expected a multiple of the 8 groups, found 20; take 24",
        ),
        ({"name": "lsm", "width": 12}, r"'width': Input should be a multiple of 8, found 12"),
    ],
)
def test_refusals(values, text):
    with pytest.raises(UserError, match=text):
        create(values)


COMPILED = """
import json, sys, warnings
import torch
from triton_earth.models.registry import create

warnings.simplefilter("ignore")  # transforms are run as they are, which the compiler says
torch.manual_seed(0)
network = create(json.loads(sys.argv[1])).build(1, 3, 2, ("zero", "periodic")).eval()
x = torch.randn(1, 1, 3, 16, 16)
expected = network(x)
network.compile()
torch.testing.assert_close(network(x), expected, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", ["fno", "afno", "swin", "lsm", "convlstm", "simvp, gsta"])
def test_compiled_networks_give_the_same(case):
    """In a process of its own: the checks of array shapes in tests cannot be compiled."""
    command = [sys.executable, "-c", COMPILED, json.dumps(SMALL[case])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
