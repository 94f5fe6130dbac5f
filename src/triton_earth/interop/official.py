"""Read weights published with the original system into our `Triton`."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from triton_earth.core.errors import UserError, nearest
from triton_earth.layers.dynamics import HEADS
from triton_earth.models.triton import Arrangement, Triton, TritonConfig

_CONTAINER = "model_state"
_SKIPPED = ("ged",)
"""Keys of some checkpoints that are no part of the network."""
_COUNT = "num_batches_tracked"
"""How many batches a norm has averaged over; older checkpoints lack it, and it changes no output."""
_PARTS = {
    "atmospheric_encoder": "encoder",
    "Turbulence_encoder": "encoder",
    "temporal_evolution": "dynamics",
    "LDC": "dynamics",
    "atmospheric_decoder": "decoder",
    "Turbulence_decoder": "decoder",
}
_STAGE = {"conv.conv": "convolution", "conv.norm": "norm"}
_ATTENTION = {
    "pos_embed": "position",
    "norm1": "attention_norm",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.projection",
    "norm2": "mlp_norm",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
    "gamma_1": "attention_scale",
    "gamma_2": "mlp_scale",
}
_CONVOLUTION = {
    "pos_embed": "position",
    "norm1": "mixing_norm",
    "conv1": "enter",
    "attn": "mixing",
    "conv2": "leave",
    "norm2": "mlp_norm",
    "mlp.fc1": "mlp.expand",
    "mlp.fc2": "mlp.contract",
}
_BLOCKS: dict[str, dict[str, str]] = {"attention": _ATTENTION, "convolution": _CONVOLUTION}
_FOREIGN = {
    "light_temporal_evolution": "the network of the second version's eddy experiments, whose core is made of gated "
    "convolutions with large kernels",
    "flat_encoder": "the ablation without a V-cycle, whose maps have a single resolution",
    "flat_decoder": "the ablation without a V-cycle, whose maps have a single resolution",
    "enc": "the second version's network with gated attention",
    "dec": "the second version's network with gated attention",
}
"""Parts of networks of the original system that are no Triton, and what these are."""
_LAYER = re.compile(r"(enc|dec)\.(\d+)\.(.+)")


def load_network(state_dict: Mapping[str, Any]) -> Triton:
    """Return the network that an original state dict belongs to, in evaluation mode.

    All sizes are read from the weights: S, H_t, N, T, channels, the kind of every block and the
    number of spatial layers. Output and input gradient agree with the original's to rounding.

    Args:
        state_dict: Tensors by original key, with or without the prefix ``module.``; or a training
            checkpoint that holds them under ``model_state``. Part names of the turbulence
            ablations (``Turbulence_encoder``, ``LDC``, ``Turbulence_decoder``) are understood,
            the key ``ged`` is passed over; of these ablations some have no core.

    Returns:
        The network, float32, with `zero` padding and the full-resolution skip of the original.

    Raises:
        UserError: if a key is unknown or missing, or a shape does not fit; the message names it.
    """
    original = _bare(state_dict)
    for key in original:
        if key.partition(".")[0] in _FOREIGN:
            raise UserError(
                f"official weights: key '{key}' belongs to {_FOREIGN[key.partition('.')[0]]}; this package has no such "
                "network. Load weights of the Triton network."
            )
    if not original:
        raise UserError(
            "official weights: the dict is empty; pass the whole state dict of one network."
        )
    weights: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    kinds = _kinds(original)
    for key, tensor in original.items():
        name = _translate(key, kinds)
        if name in weights:
            raise UserError(
                f"official weights: keys '{names[name]}' and '{key}' name the same weight."
            )
        weights[name], names[name] = tensor, key
    if not kinds and not any(key.startswith("Turbulence_") for key in original):
        raise UserError(
            "official weights: expected at least two blocks under 'temporal_evolution.enc', found 0."
        )
    network = _empty_network(weights, [kinds[layer] for layer in sorted(kinds)])
    _fill(network, weights, names)
    return network.eval()


def _bare(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the tensors out of a checkpoint and the wrapper's prefix off their keys."""
    if _CONTAINER in state_dict:
        state_dict = state_dict[_CONTAINER]
    bare: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = key.removeprefix("module.")
        if name in _SKIPPED:
            continue
        if not isinstance(value, Tensor):
            raise UserError(
                f"official weights: expected a tensor under '{key}', found {type(value).__name__}; "
                f"pass the state dict, or a checkpoint that holds it under '{_CONTAINER}'."
            )
        bare[name] = value
    return bare


def _kinds(original: Mapping[str, Tensor]) -> dict[int, str]:
    """Return the kind of every block by its number: only attention has a qkv matrix."""
    kinds: dict[int, str] = {}
    for key in original:
        part, _, rest = key.partition(".")
        match = _LAYER.fullmatch(rest)
        if _PARTS.get(part) == "dynamics" and match:
            layer = int(match[2])
            kinds.setdefault(layer, "convolution")
            if match[3].startswith("block.attn.qkv."):
                kinds[layer] = "attention"
    return kinds


def _translate(key: str, kinds: Mapping[int, str]) -> str:
    """Return our name of an original key."""
    part_name, _, rest = key.partition(".")
    part = _PARTS.get(part_name)
    if part == "decoder" and rest in ("readout.weight", "readout.bias"):
        return f"decoder.{rest}"
    match = _LAYER.fullmatch(rest)
    if part is None or match is None or (match[1] == "dec") != (part == "decoder"):
        raise UserError(f"official weights: unknown key '{key}'; {nearest(part_name, _PARTS)}")
    layer, inner = int(match[2]), match[3]
    if part != "dynamics":
        return f"{part}.layers.{layer}.{_rename(inner, _STAGE, key)}"
    place, _, inner = inner.partition(".")
    if place == "reduction":
        return f"dynamics.layers.{layer}.1.{inner}"
    if place != "block":
        raise UserError(
            f"official weights: unknown key '{key}'; expected '…block' or '…reduction'."
        )
    return f"dynamics.layers.{layer}.0.{_rename(inner, _BLOCKS[kinds[layer]], key)}"


def _rename(inner: str, table: Mapping[str, str], key: str) -> str:
    if inner in table:
        return table[inner]
    module, _, parameter = inner.rpartition(".")
    if module not in table:
        raise UserError(f"official weights: unknown key '{key}'; {nearest(module, table)}")
    return f"{table[module]}.{parameter}"


def _empty_network(weights: Mapping[str, Tensor], kinds: list[str]) -> Triton:
    """Build the network whose sizes the weights have."""
    spatial, input_channels = _shape(weights, "encoder.layers.0.convolution.weight", 4)[:2]
    output_channels = _shape(weights, "decoder.readout.weight", 4)[0]
    if len(kinds) == 1:
        raise UserError(
            "official weights: expected at least two blocks under 'temporal_evolution.enc', "
            f"found {len(kinds)}."
        )
    folded, temporal = spatial, HEADS
    if kinds:
        folded = _shape(weights, "dynamics.layers.0.0.position.weight", 4)[0]
        temporal = _shape(weights, f"dynamics.layers.{len(kinds) - 1}.0.position.weight", 4)[0]
    if folded % spatial:
        raise UserError(
            "official weights: key 'temporal_evolution.enc.0.block.pos_embed.weight' has "
            f"{folded} channels, no multiple of the encoder's {spatial}."
        )
    stages = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    last = f"decoder.layers.{len(stages) - 1}.convolution.weight"
    joined = last not in weights or weights[last].ndim != 4 or weights[last].shape[1] != spatial
    return Triton(
        shape_in=(folded // spatial, input_channels),
        spatial_hidden_dim=spatial,
        output_channels=output_channels,
        temporal_hidden_dim=temporal,
        num_spatial_layers=len(stages),
        num_temporal_layers=len(kinds),
        blocks=kinds,
        skip="full_resolution" if joined else "none",
    ).float()


def official_config(network: Triton) -> TritonConfig:
    """Return the configuration that builds a network like one that `load_network` gave.

    Raises:
        UserError: if its blocks are arranged as no configuration has them.
    """
    layers = list(network.dynamics.layers)
    kinds = [_kind(layer) for layer in layers]
    width = network.decoder.readout.in_channels
    arrangements: dict[Arrangement, list[str]] = {
        "attention": ["attention"] * len(kinds),
        "convolution": ["convolution"] * len(kinds),
        "uniformer": ["convolution", *["attention"] * (len(kinds) - 2), kinds[-1] if kinds else ""],
    }
    blocks = next((name for name, wanted in arrangements.items() if wanted == kinds), None)
    if kinds and blocks is None:
        raise UserError(
            f"official weights: blocks of the kinds {kinds} are arranged as in no experiment of the original system."
        )
    core = {name: len(tensor) for name, tensor in network.dynamics.named_parameters()}
    temporal = core[f"layers.{len(layers) - 1}.0.position.weight"] if layers else HEADS
    return TritonConfig(
        stages="plain",
        spatial_hidden_dim=width,
        num_spatial_layers=len(network.encoder.layers),
        temporal_hidden_dim=temporal,
        num_temporal_layers=len(layers),
        blocks=blocks or "attention",
        skip="full_resolution" if _skips(network) else "none",
        padding="zero",
    )


def _skips(network: Triton) -> bool:
    last = list(network.decoder.layers)[-1].get_parameter("convolution.weight")
    return last.shape[1] != network.decoder.readout.in_channels


def _shape(weights: Mapping[str, Tensor], name: str, dimensions: int) -> torch.Size:
    if name not in weights:
        raise UserError(_missing(name, {}))
    shape = weights[name].shape
    if len(shape) != dimensions:
        raise UserError(
            f"official weights: '{name}' expected {dimensions} dimensions, found {list(shape)}."
        )
    return shape


def _fill(network: Triton, weights: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
    """Copy the weights in; every weight must be given, and every shape must fit."""
    target = network.state_dict()
    for name, tensor in weights.items():
        if name not in target:
            raise UserError(f"official weights: key '{names[name]}' has no place in the network.")
        if name.startswith("dynamics") and tensor.ndim == 4 and target[name].ndim == 2:
            tensor = tensor.flatten(1)
        if tensor.shape != target[name].shape:
            raise UserError(
                f"official weights: key '{names[name]}' expected shape {list(target[name].shape)}, "
                f"found {list(weights[name].shape)}."
            )
        target[name].copy_(tensor)
    missing = sorted(name for name in set(target) - set(weights) if not name.endswith(f".{_COUNT}"))
    if missing:
        kinds = {i: _kind(layer) for i, layer in enumerate(network.dynamics.layers)}
        raise UserError(_missing(missing[0], kinds))


def _kind(layer: nn.Module) -> str:
    names = dict(layer.named_parameters())
    return "attention" if "0.attention.qkv.weight" in names else "convolution"


def _missing(name: str, kinds: Mapping[int, str]) -> str:
    """Return the message that an original key is missing, found from our name of its weight."""
    part, _, rest = name.partition(".")
    original_part = next(key for key, ours in _PARTS.items() if ours == part)
    if not rest.startswith("readout."):
        _, layer, inner = rest.split(".", 2)
        place = "dec" if part == "decoder" else "enc"
        table = _STAGE
        if part == "dynamics":
            table = _BLOCKS[kinds.get(int(layer), "attention")]
            position, _, inner = inner.partition(".")
            layer += ".reduction" if position == "1" else ".block"
        rest = f"{place}.{layer}.{_original(inner, table)}"
    return (
        f"official weights: key '{original_part}.{rest}' is missing; "
        "pass the whole state dict of one network."
    )


def _original(inner: str, table: Mapping[str, str]) -> str:
    """Return the original name inside a layer (a change of width keeps its own)."""
    inverse = {ours: key for key, ours in table.items()}
    module, _, parameter = inner.rpartition(".")
    return inverse.get(inner) or ".".join(filter(None, [inverse.get(module), parameter]))
