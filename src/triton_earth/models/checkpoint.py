"""Forecasters on disk: a folder with weights as safetensors and everything else as JSON; loading runs no code."""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from triton_earth.core.errors import DAMAGE, UserError, first_line
from triton_earth.core.grid import grid_from_dict
from triton_earth.core.outputs.claim import Claim, Kind
from triton_earth.core.outputs.files import write_bytes, write_json
from triton_earth.core.time import decode_duration, encode_duration
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.hub import HUB, fetch_model
from triton_earth.models.zoo import shipped_models

FORMAT = "triton-earth forecaster 1"
WEIGHTS, DESCRIPTION = "weights.safetensors", "forecaster.json"
SEAL = "seal"
ATTEMPTS = 3
"""How often a forecaster is opened anew that was replaced while it was read."""

SAVED = Kind("forecaster", (DESCRIPTION,), FORMAT, resumable=False)
"""What `save_forecaster` makes."""

_MASK, _FORCING_MASK = "valid_mask", "forcing_mask"
_NETWORK = "network."


def save_forecaster(
    forecaster: NetworkForecaster,
    folder: Path,
    provenance: dict[str, Any],
    weights: dict[str, Tensor] | None = None,
    *,
    overwrite: bool = True,
) -> None:
    """Write a forecaster; an older one of that name is replaced only by a complete new one.

    Args:
        forecaster: What to save.
        folder: Its folder.
        provenance: How it was trained: recipe, seed, data hash, versions; plain values.
        weights: Weights to save in place of the network's own, for example their moving average.
        overwrite: Replace an older one.

    Raises:
        UserError: if the folder cannot be made or written, or there is an older one that may not be replaced.
    """
    state = forecaster.network.state_dict() if weights is None else weights
    tensors = {
        _NETWORK + name: tensor.detach().cpu().contiguous() for name, tensor in state.items()
    }
    masks = {_MASK: forecaster.valid_mask, _FORCING_MASK: forecaster.forcing_mask}
    tensors.update(
        {name: mask.cpu().contiguous() for name, mask in masks.items() if mask is not None}
    )
    tensors.update(forecaster.normalizer.tensors)
    content = safetensors.torch.save(tensors)
    description = {
        "format": FORMAT,
        "weights": hashlib.sha256(content).hexdigest(),
        "model": forecaster.config.model_dump(mode="json"),
        "precision": forecaster.precision,
        "variables": forecaster.variables.to_list(),
        "grid": forecaster.grid.to_dict(),
        "time_step": encode_duration(forecaster.time_step),
        **forecaster.normalizer.to_dict(),
        "provenance": provenance,
    }
    with Claim(folder, SAVED, resume=False, overwrite=overwrite) as claim:
        partial = claim.begin()
        write_bytes(partial / WEIGHTS, content)
        write_json(partial / DESCRIPTION, {**description, SEAL: _seal(description)})
        claim.publish()


def load_forecaster(folder: str | Path, device: str | torch.device = "cpu") -> NetworkForecaster:
    """Load a forecaster in evaluation mode; its weights ask for no gradient, so that long rollouts keep none.

    Args:
        folder: Folder that `save_forecaster` wrote, a run folder of `train` that contains it, the name of a shipped
            model such as ``weather-small``, or ``hf:OWNER/NAME[@REVISION]`` on the Hugging Face Hub.
        device: Where the weights shall be.

    Raises:
        UserError: if the folder is no forecaster, its network is not registered, or its files are damaged or do not
            belong together.

    Example:
        model = triton_earth.load_forecaster("run")
        model.predicted.names, model.history, model.time_step
    """
    folder = forecaster_folder(folder)
    description, content = _read(folder)
    try:
        tensors = safetensors.torch.load(content)
    except (*DAMAGE, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder / WEIGHTS} cannot be read ({first_line(error)}); train the model again."
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
    except DAMAGE as error:
        raise UserError(
            f"{folder}: weights and description do not belong together ({first_line(error)}). Train the model again."
        ) from error
    forecaster.network.to(device).eval().requires_grad_(False)
    return forecaster


def load_provenance(folder: str | Path) -> dict[str, Any]:
    """Return how a saved forecaster was trained, and the SHA-256 of its weights as `model_hash`."""
    description, content = _read(forecaster_folder(folder))
    return {
        "model_hash": hashlib.sha256(content).hexdigest(),
        "training": description["provenance"],
    }


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the description and the bytes of the weights of one forecaster, also while another replaces it.

    Raises:
        UserError: if one of them is missing or not what was written.
    """
    for _ in range(ATTEMPTS):
        try:
            described, content = _files_of(folder)
            break
        except FileNotFoundError:
            continue  # it was replaced, and its files have gone
    else:
        missing = next((n for n in (DESCRIPTION, WEIGHTS) if not (folder / n).exists()), WEIGHTS)
        raise UserError(f"{folder / missing} is missing: this is not a complete forecaster.")
    path = folder / DESCRIPTION
    try:
        description = json.loads(described)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} cannot be read ({first_line(error)}): the forecaster is damaged; train the model again."
        ) from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{path}: not the description of a forecaster.")
    told = {key: value for key, value in description.items() if key != SEAL}
    # Those of older versions have no seal.
    if description.get(SEAL, _seal(told)) != _seal(told):
        raise UserError(f"{path} is not what was written: it is damaged. Train the model again.")
    if description.get("weights") not in (None, hashlib.sha256(content).hexdigest()):
        raise UserError(
            f"{folder / WEIGHTS} are not the weights that were written: the file is damaged. Train the model again."
        )
    if "provenance" not in description:
        raise UserError(f"{path}: 'provenance' is missing; the forecaster is damaged.")
    return description, content


def _files_of(folder: Path) -> tuple[bytes, bytes]:
    """Return the two files of the folder that has the name now, though another may get it meanwhile."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        contents = []
        for name in (DESCRIPTION, WEIGHTS):
            descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=opened)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise UserError(f"{folder / name} is no file. Train the model again.")
                contents.append(file.read())
        return contents[0], contents[1]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(
            f"{folder} cannot be read ({error.strerror}). Change its permissions, or choose another model."
        ) from error
    finally:
        os.close(opened)


def _seal(description: dict[str, Any]) -> str:
    """Return the SHA-256 of a description, as it is once it has been written and read."""
    read = json.loads(json.dumps(description))
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def forecaster_folder(folder: str | Path) -> Path:
    """Return the forecaster's folder: given itself, by its run folder, by the name of a shipped model, or on the Hub.

    Raises:
        UserError: if there is none.
    """
    asked = folder
    if str(folder).startswith(HUB):
        folder = fetch_model(str(folder))
    shipped = {} if Path(folder).exists() else shipped_models()
    folder = shipped[str(folder)].folder if str(folder) in shipped else Path(folder)
    for candidate in (folder, folder / "forecaster"):
        if (candidate / DESCRIPTION).is_file():
            return candidate
    raise UserError(
        f"{asked}: there is no trained model (no {DESCRIPTION}, no forecaster/{DESCRIPTION}). "
        "Train one with `triton-earth train RECIPE`."
    )
