import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from triton_earth.core.errors import UserError
from triton_earth.interop.official import load_network

FIXTURES = Path(__file__).parents[2] / "golden" / "official"
NAMES = ["attention_1frame", "attention_forced_channels", "uniformer_4frames"]
ENCODER = "atmospheric_encoder.enc.0.conv.conv.weight"
QKV = "temporal_evolution.enc.0.block.attn.qkv.weight"
TURBULENCE = {
    "atmospheric_encoder": "Turbulence_encoder",
    "temporal_evolution": "LDC",
    "atmospheric_decoder": "Turbulence_decoder",
}


def read(name):
    with safe_open(FIXTURES / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
    weights = {
        key.removeprefix("weights/"): value
        for key, value in tensors.items()
        if key.startswith("weights/")
    }
    return weights, tensors, config


def bare(name="attention_forced_channels"):
    return {key.removeprefix("module."): value for key, value in read(name)[0].items()}


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("name", NAMES)
def test_output_and_input_gradient_are_the_originals(name):
    weights, tensors, config = read(name)
    network = load_network(weights)
    x = tensors["input"].requires_grad_()
    y = network(x)
    (gradient,) = torch.autograd.grad(y.square().mean(), x)
    assert relative(y, tensors["output"]) < 1e-5
    assert relative(gradient, tensors["input_gradient_of_mean_square_output"]) < 1e-5
    assert [network.frames, network.input_channels] == config["shape_in"][:2]
    with torch.no_grad():
        assert relative(network(tensors["input"]), tensors["output"]) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_keys_may_be_prefixed_renamed_or_inside_a_checkpoint(name):
    weights, tensors, _ = read(name)
    renamed = {}
    for key, value in bare(name).items():
        part, _, rest = key.partition(".")
        renamed[f"{TURBULENCE[part]}.{rest}"] = value
    expected = load_network(weights)(tensors["input"])
    for variant in (
        bare(name),
        {f"module.{key}": value for key, value in bare(name).items()},
        renamed,
        {"iters": 3, "epoch": 1, "model_state": weights, "optimizer_state_dict": {}},
    ):
        assert torch.equal(load_network(variant)(tensors["input"]), expected)


def test_an_unknown_key_is_named():
    with pytest.raises(
        UserError,
        match=r"unknown key 'atmospheric_encodr.enc.0.x'; did you mean 'atmospheric_encoder'",
    ):
        load_network(bare() | {"atmospheric_encodr.enc.0.x": torch.zeros(1)})
    with pytest.raises(
        UserError, match=r"unknown key '.*attn\.qkx\.weight'; did you mean 'attn\.qkv'"
    ):
        load_network(bare() | {QKV.replace("qkv", "qkx"): torch.zeros(1)})
    key = "temporal_evolution.enc.1.other.weight"
    with pytest.raises(
        UserError, match=rf"unknown key '{key}'; expected '…block' or '…reduction'\."
    ):
        load_network(bare() | {key: torch.zeros(1)})
    key = "temporal_evolution.enc.1.reduction.weight"
    with pytest.raises(UserError, match=f"key '{key}' has no place in the network"):
        load_network(bare() | {key: torch.zeros(1)})


def test_a_shape_that_does_not_fit_is_named():
    with pytest.raises(
        UserError, match=rf"key '{QKV}' expected shape \[24, 8\], found \[24, 9\]\."
    ):
        load_network(bare() | {QKV: torch.zeros(24, 9)})
    with pytest.raises(UserError, match=r"expected 4 dimensions, found \[8, 7\]"):
        load_network(bare() | {ENCODER: torch.zeros(8, 7)})
    key = "temporal_evolution.enc.0.block.pos_embed.weight"
    with pytest.raises(
        UserError, match=f"key '{key}' has 12 channels, no multiple of the encoder's 8"
    ):
        load_network(bare() | {key: torch.zeros(12, 1, 3, 3)})


def test_a_missing_key_is_named_as_the_original_names_it():
    for name in NAMES:
        complete = bare(name)
        for key in list(complete)[::6]:
            weights = {other: value for other, value in complete.items() if other != key}
            with pytest.raises(
                UserError, match=f"key '{re.escape(key)}' is missing; pass the whole"
            ):
                load_network(weights)
    with pytest.raises(UserError, match="at least two blocks"):
        load_network(
            {key: value for key, value in bare().items() if "temporal_evolution" not in key}
        )


def test_what_is_no_state_dict_is_refused():
    with pytest.raises(
        UserError, match="expected a tensor under 'epoch', found int; pass the state dict"
    ):
        load_network({"epoch": 3})


def test_a_weight_named_twice_is_refused():
    weights = bare() | {
        "module." + ENCODER: bare()[ENCODER],
        ENCODER.replace("atmospheric", "Turbulence"): bare()[ENCODER],
    }
    with pytest.raises(UserError, match="name the same weight"):
        load_network(weights)


@pytest.mark.parametrize("weights", [{}, {"model_state": {}}, {"ged": 3}])
def test_an_empty_dict_is_refused(weights):
    with pytest.raises(UserError, match="the dict is empty; pass the whole state dict"):
        load_network(weights)
