"""What training starts from: statistics of the data and weights, new ones or those of another run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from jaxtyping import Bool
from torch import Tensor

from triton_earth.core.errors import DAMAGE, UserError, first_line
from triton_earth.core.outputs import sealed_tensors
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.models.forecaster import NetworkForecaster, Precision
from triton_earth.models.training_statistics import training_statistics
from triton_earth.workflow.device import resolve_device, resolve_precision
from triton_earth.workflow.forecasting.masks import require_same_mask
from triton_earth.workflow.recipes.recipe import Recipe
from triton_earth.workflow.running.run_folder import START


@dataclass(frozen=True)
class Start:
    """What the main process finds out, all processes need, and a run keeps.

    Attributes:
        normalizer: Statistics of the training data.
        init_from: Provenance of the forecaster whose weights training starts from; None for random ones.
    """

    normalizer: Normalizer
    init_from: dict[str, Any] | None = None

    def to_bytes(self, step: int = 0) -> bytes:
        """Return this, and how many steps are done already, as a safetensors file."""
        told = {**self.normalizer.to_dict(), "init_from": self.init_from, "step": step}
        return sealed_tensors.to_bytes(self.normalizer.tensors, json.dumps(told))

    @classmethod
    def from_bytes(cls, content: bytes) -> tuple["Start", int]:
        """Read back what `to_bytes` gave.

        Raises:
            ValueError: if it is not what was written.
        """
        tensors, text = sealed_tensors.from_bytes(content)
        told = json.loads(text)
        return cls(Normalizer.from_dict(told, tensors), told["init_from"]), told["step"]


def start_of(recipe: Recipe, store: TrainingStore, run: Path | None = None) -> Start:
    """Return the normaliser, and the forecaster whose weights it takes, that a training starts from.

    Args:
        recipe: What is to be trained.
        store: With which data.
        run: Run folder that has it already, if training goes on.

    Raises:
        UserError: if `train.init_from` names no forecaster, or what the run folder has is damaged.
    """
    if run is not None and (run / START).is_file():
        try:
            return Start.from_bytes((run / START).read_bytes())[0]
        except (*DAMAGE, safetensors.SafetensorError) as error:
            raise UserError(
                f"{run / START} cannot be read ({first_line(error)}); start again with --overwrite."
            ) from error
    path = recipe.train.init_from
    if path is not None:
        return Start(load_forecaster(path).normalizer, load_provenance(path))
    return Start(training_statistics(store, recipe.model.normalization, recipe.model.skip_damping))


def initial_forecaster(
    recipe: Recipe, store: TrainingStore, start: Start, *, new: bool = True
) -> NetworkForecaster:
    """Return the forecaster that training starts from.

    Args:
        recipe: What is to be trained.
        store: With which data.
        start: What `start_of` gave.
        new: False where a training state will set the weights: what `train.init_from` names is not needed then.

    Raises:
        UserError: if `train.init_from` names a forecaster of other data, another network, or one that has changed; the
            message names both.
    """
    if recipe.train.init_from is not None and new:
        return _given_forecaster(recipe, store, recipe.train.init_from, start)
    if recipe.model.mask_input and store.valid_mask is None:
        raise UserError(
            f"{store.path}: model.mask_input is true, but all variables are defined everywhere. Leave it out."
        )
    torch.manual_seed(recipe.seed)
    forecaster = NetworkForecaster(
        recipe.model,
        store.variables,
        store.grid,
        store.time_step,
        start.normalizer,
        precision=_precision(recipe),
    )
    forecaster.valid_mask = _mask(store, forecaster.predicted)
    forecaster.forcing_mask = _mask(store, forecaster.forcing)
    return forecaster


def _given_forecaster(
    recipe: Recipe, store: TrainingStore, path: Path, start: Start
) -> NetworkForecaster:
    forecaster, found = load_forecaster(path), load_provenance(path)["model_hash"]
    forecaster.network.requires_grad_(True)
    recorded = found if start.init_from is None else start.init_from["model_hash"]
    if recorded != found:
        raise UserError(
            f"train.init_from={path}: the run was started from weights {recorded[:12]}, there are {found[:12]} now. "
            "Bring those back, or start again with --overwrite."
        )
    # A forecaster has the sizes that the recipe leaves to the grid.
    network = recipe.model.network.for_grid(forecaster.grid)
    model = recipe.model.model_copy(update={"network": network})
    if forecaster.config != model:
        ours, theirs = (
            {f"model.{key}": value for key, value in config.model_dump(mode="json").items()}
            for config in (model, forecaster.config)
        )
        differing = [key for key in ours if ours[key] != theirs[key]]
        raise UserError(
            f"train.init_from={path}: the recipe's "
            + ", ".join(f"{key} is {ours[key]}, there it is {theirs[key]}" for key in differing)
            + ". Fine-tune with the same model."
        )
    require_same_mask(forecaster, store)
    forecaster.precision = _precision(recipe)
    return forecaster


def _mask(store: TrainingStore, variables: Variables) -> Bool[Tensor, "channel y x"] | None:
    if store.valid_mask is None or not len(variables):
        return None
    return torch.from_numpy(store.valid_mask[store.variables.indices(variables.names)])


def _precision(recipe: Recipe) -> Precision:
    return resolve_precision(recipe.train.precision, resolve_device(recipe.train.device))
