"""`triton-earth train`: from a recipe and a training store to a run folder with a forecaster."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from triton_earth.core.config import to_yaml
from triton_earth.core.errors import UserError
from triton_earth.core.files import read_json, remove, require_writable, write_json, write_text
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.normalization import Normalizer, compute_normalizer
from triton_earth.data.store import TrainingStore
from triton_earth.data.windows import Windows, require_batch
from triton_earth.models.checkpoint import load_forecaster, save_forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.loop import fit
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipe import Recipe, load_recipe

logger = logging.getLogger("triton_earth")

CONFIG, STORE = "config.yaml", "store.json"


def train(
    recipe: str | Path,
    store: Path,
    out: Path,
    overrides: list[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> NetworkForecaster:
    """Train the model of a recipe.

    The run folder gets the resolved recipe (``config.yaml``), the hash of its data (``store.json``), a log
    (``log.csv``), the state to go on from (``training_state.pt``) and the forecaster with the averaged weights that did
    best on the validation split (``forecaster/``).

    Args:
        recipe: Recipe file, or name of a shipped recipe.
        store: Training store.
        out: Run folder.
        overrides: Dotted assignments to the recipe.
        resume: Go on with an unfinished run of the same recipe and data.
        overwrite: Replace an existing run.

    Returns:
        The trained forecaster.

    Raises:
        UserError: if recipe and store do not fit, or `out` exists and neither option allows it.
    """
    resolved = load_recipe(recipe, overrides)
    config = resolved.train
    device = resolve_device(config.device)
    data = TrainingStore.open(store)
    training = _dataset(resolved, data, "train")
    validation = _dataset(resolved, data, "valid")
    require_batch(len(training), config.batch_size)
    forecaster = _new_forecaster(resolved, data)
    forecaster.network.to(device)
    _claim_run(out, resolved, data, resume=resume, overwrite=overwrite)
    logger.info(
        "train %s: %d parameters, %d windows, batches of %d, on %s",
        forecaster.name,
        forecaster.parameter_count,
        len(training),
        config.batch_size,
        device,
    )
    facts = provenance(
        recipe=resolved.model_dump(mode="json"), seed=resolved.seed, store_hash=data.content_hash
    )

    def save_best(
        trained: NetworkForecaster, weights: dict[str, Tensor], scores: dict[str, float]
    ) -> None:
        save_forecaster(trained, out / "forecaster", {**facts, "validation": scores}, weights)

    fit(forecaster, training, validation, config, resolved.seed, out, save_best)
    return load_forecaster(out)


def _dataset(recipe: Recipe, store: TrainingStore, split: str) -> ForecastDataset:
    history = recipe.model.history
    windows = Windows(
        tuple(store.trajectories_in(split).tolist()),
        len(store.times),
        history + recipe.train.horizon * history,
    )
    return ForecastDataset(store, windows, history, recipe.train.memory_gb)


def _new_forecaster(recipe: Recipe, store: TrainingStore) -> NetworkForecaster:
    """Return the forecaster with random weights, which depend on the recipe's seed only."""
    torch.manual_seed(recipe.seed)
    forecaster = NetworkForecaster(
        recipe.model,
        store.variables,
        store.grid,
        store.time_step,
        _training_statistics(store),
        precision=recipe.train.precision,
    )
    if store.valid_mask is not None:
        predicted = store.variables.indices(forecaster.predicted.names)
        forecaster.valid_mask = torch.from_numpy(store.valid_mask[predicted])
    return forecaster


def _training_statistics(store: TrainingStore) -> Normalizer:
    return compute_normalizer(
        (store.read(number, slice(None)) for number in store.trajectories_in("train")),
        store.variables,
        store.valid_mask,
    )


def _claim_run(
    out: Path, recipe: Recipe, store: TrainingStore, *, resume: bool, overwrite: bool
) -> None:
    """Make the run folder, or refuse to touch what is there."""
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other; give one of them.")
    text = to_yaml(recipe)
    if out.exists() and resume:
        config = out / CONFIG
        if not config.is_file() or config.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{out}: the run there was started with another recipe or other overrides than this command's "
                f"(see {config}). Repeat its own command with --resume, or choose another folder."
            )
        if read_json(out / STORE, "run folder")["content_hash"] != store.content_hash:
            raise UserError(
                f"{out}: the run there was started with another training store than {store.path}. "
                "Repeat its own command with --resume, or choose another folder."
            )
        return
    if out.exists() and not overwrite:
        raise UserError(
            f"{out} exists already. Choose another folder, or add --resume to go on with its run "
            "or --overwrite to replace it."
        )
    require_writable(out)
    remove(out)
    out.mkdir(parents=True)
    write_json(out / STORE, {"path": str(store.path), "content_hash": store.content_hash})
    write_text(out / CONFIG, text)
