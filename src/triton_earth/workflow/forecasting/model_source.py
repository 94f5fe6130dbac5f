"""What MODEL may be: a trained model, a shipped one, one on the Hub, a reference forecast; in Python a loaded one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from triton_earth import __version__
from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.models.checkpoint import forecaster_folder, load_forecaster, load_provenance
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.models.references import REFERENCES, reference_forecaster
from triton_earth.workflow.forecasting.masks import require_same_mask


@dataclass(frozen=True)
class Opened:
    """A model, ready to forecast.

    Attributes:
        forecaster: The model.
        parameters: Trainable parameters of its network; 0 of a reference forecast.
        origin: `model_hash`, and `training`: how it was trained or fitted.
    """

    forecaster: Forecaster
    parameters: int
    origin: dict[str, Any]


def is_reference(model: str | Path | Forecaster) -> bool:
    """Return whether a model is a reference forecast, by name or loaded; a folder of that name goes before."""
    if isinstance(model, Forecaster):
        return not isinstance(model, NetworkForecaster)
    return str(model) in REFERENCES and not Path(model).exists()


def model_folders(model: str | Path) -> list[Path]:
    """Return the folder that a model is read from; none of a reference forecast.

    Raises:
        UserError: if there is no such model.
    """
    return [] if is_reference(model) else [forecaster_folder(model)]


def open_model(
    model: str | Path | Forecaster,
    store: TrainingStore,
    steps: int | None,
    device: torch.device,
) -> Opened:
    """Load a model, or fit the reference forecast of that name to the training split of the store.

    Args:
        model: Run folder, forecaster folder, name of a shipped model or a reference forecast, address on the Hub, or a
            forecaster, which stays on its device.
        store: Training store with the initial conditions.
        steps: Number of leads, if they are known.
        device: Where the weights shall be.

    Raises:
        UserError: if there is no such model, or it does not fit the store.
    """
    if isinstance(model, Forecaster):
        parameters = 0
        if isinstance(model, NetworkForecaster):
            require_same_mask(model, store)
            parameters = model.parameter_count
        return Opened(model, parameters, {"training": {}})
    if not is_reference(model):
        forecaster = load_forecaster(model, device)
        require_same_mask(forecaster, store)
        return Opened(forecaster, forecaster.parameter_count, load_provenance(model))
    name = str(model)
    if steps is None:
        raise UserError(
            f"{name}: a reference forecast has no recipe that says how many steps to forecast; add --steps or --length."
        )
    fitted = reference_forecaster(name, store, steps)
    # The same store and version give the same forecast.
    identity = f"{name} {__version__} {store.content_hash}"
    training = {"reference": name, "definition": REFERENCES[name], "fitted_to": store.content_hash}
    return Opened(
        fitted,
        0,
        {"model_hash": hashlib.sha256(identity.encode()).hexdigest(), "training": training},
    )
