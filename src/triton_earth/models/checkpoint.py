"""Forecasters on disk: a folder with weights as safetensors and everything else as JSON; loading runs no code."""

import hashlib
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.files import (
    claim_output,
    make_folder,
    publish,
    read_json,
    write_bytes,
    write_json,
)
from triton_earth.core.grid import grid_from_dict
from triton_earth.core.time import decode_duration, encode_duration
from triton_earth.core.variables import Variables
from triton_earth.data.normalization import Normalizer
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster

FORMAT = "triton-earth forecaster 1"
WEIGHTS, DESCRIPTION = "weights.safetensors", "forecaster.json"
_MASK, _FORCING_MASK = "valid_mask", "forcing_mask"
_NETWORK = "network."


def save_forecaster(
    forecaster: NetworkForecaster,
    folder: Path,
    provenance: dict[str, Any],
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write a forecaster; an older one of that name is replaced only by a complete new one.

    Args:
        forecaster: What to save.
        folder: Its folder.
        provenance: How it was trained: recipe, seed, data hash, versions; plain values.
        weights: Weights to save in place of the network's own, for example their moving average.

    Raises:
        UserError: if the folder cannot be made or written.
    """
    partial = claim_output(folder, resume=False, overwrite=True)
    make_folder(partial)
    state = forecaster.network.state_dict() if weights is None else weights
    tensors = {
        _NETWORK + name: tensor.detach().cpu().contiguous() for name, tensor in state.items()
    }
    masks = {_MASK: forecaster.valid_mask, _FORCING_MASK: forecaster.forcing_mask}
    tensors.update(
        {name: mask.cpu().contiguous() for name, mask in masks.items() if mask is not None}
    )
    tensors.update(forecaster.normalizer.tensors)
    write_bytes(partial / WEIGHTS, safetensors.torch.save(tensors))
    write_json(
        partial / DESCRIPTION,
        {
            "format": FORMAT,
            "model": forecaster.config.model_dump(mode="json"),
            "precision": forecaster.precision,
            "variables": forecaster.variables.to_list(),
            "grid": forecaster.grid.to_dict(),
            "time_step": encode_duration(forecaster.time_step),
            **forecaster.normalizer.to_dict(),
            "provenance": provenance,
        },
    )
    publish(partial, folder)


def load_forecaster(folder: str | Path, device: str | torch.device = "cpu") -> NetworkForecaster:
    """Load a forecaster in evaluation mode.

    Args:
        folder: Folder that `save_forecaster` wrote, or a run folder of `train` that contains it.
        device: Where the weights shall be.

    Raises:
        UserError: if the folder is no forecaster, its network is not registered, or its files are damaged or do not
            belong together.

    Example:
        model = triton_earth.load_forecaster("run")
        model.predicted.names, model.history, model.time_step
    """
    folder = forecaster_folder(folder)
    description = read_json(folder / DESCRIPTION, "forecaster")
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{folder / DESCRIPTION}: not the description of a forecaster.")
    try:
        tensors = safetensors.torch.load_file(folder / WEIGHTS)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder / WEIGHTS} cannot be read ({error}); train the model again."
        ) from error
    try:
        forecaster = NetworkForecaster(
            ModelConfig.parse(description["model"], str(folder / DESCRIPTION)),
            Variables.from_list(description["variables"]),
            grid_from_dict(description["grid"]),
            decode_duration(description["time_step"]),
            Normalizer.from_dict(description, tensors),
            tensors.pop(_MASK, None),
            description["precision"],
            tensors.pop(_FORCING_MASK, None),
        )
        weights = {name.removeprefix(_NETWORK): tensor for name, tensor in tensors.items()}
        forecaster.network.load_state_dict(weights)
    except UserError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder}: weights and description do not belong together ({str(error).splitlines()[0]})."
        ) from error
    forecaster.network.to(device).eval()
    return forecaster


def load_provenance(folder: str | Path) -> dict[str, Any]:
    """Return how a saved forecaster was trained, and the SHA-256 of its weights as `model_hash`."""
    folder = forecaster_folder(folder)
    return {
        "model_hash": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "training": read_json(folder / DESCRIPTION, "forecaster")["provenance"],
    }


def forecaster_folder(folder: str | Path) -> Path:
    """Return the forecaster's folder, be it given itself or its run folder.

    Raises:
        UserError: if neither is one.
    """
    folder = Path(folder)
    for candidate in (folder, folder / "forecaster"):
        if (candidate / DESCRIPTION).is_file():
            return candidate
    raise UserError(
        f"{folder}: there is no trained model (no {DESCRIPTION}, no forecaster/{DESCRIPTION}). "
        "Train one with `triton-earth train RECIPE`."
    )
