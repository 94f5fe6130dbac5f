"""`triton-earth train`: from a recipe and a training store to a run folder with a forecaster."""

import json
import logging
import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from triton_earth.core.config import read_yaml, to_yaml
from triton_earth.core.errors import UserError
from triton_earth.core.files import (
    make_folder,
    read_json,
    remove,
    remove_leftovers,
    require_apart,
    require_writable,
    set_aside,
    write_json,
    write_text,
)
from triton_earth.core.threads import torch_threads
from triton_earth.core.variables import Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.store import TrainingStore
from triton_earth.data.windows import Windows, require_batch
from triton_earth.models.checkpoint import (
    forecaster_folder,
    load_forecaster,
    load_provenance,
    save_forecaster,
)
from triton_earth.models.forecaster import NetworkForecaster, Precision
from triton_earth.models.training_statistics import training_statistics
from triton_earth.plots.training_report import write_training_report
from triton_earth.training.distributed import Processes, joined
from triton_earth.training.interruption import ProcessLost
from triton_earth.training.log import read_logs
from triton_earth.training.loggers import require_loggers
from triton_earth.training.loop import fit
from triton_earth.training.objective import require_predicted
from triton_earth.training.rollout_loss import require_lead_weights
from triton_earth.training.sharding import gathered
from triton_earth.training.shares import own_parts
from triton_earth.workflow.device import resolve_device, resolve_precision
from triton_earth.workflow.masks import require_same_mask
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipe import Recipe, find_recipe, load_recipe

logger = logging.getLogger("triton_earth")

CONFIG, STORE = "config.yaml", "store.json"
FORECASTER, LAST, REPORT = "forecaster", "forecaster_last", "report.html"
REPLACED = "replaced"
"""What a run replaces, kept within its folder until it has a forecaster of its own."""


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

    The run folder gets the resolved recipe (``config.yaml``), the hash of its data (``store.json``), logs (``log.csv``,
    ``losses.csv``, ``validation.csv``), the state to go on from (``training_state.pt`` and the one before it) and the
    forecaster with the averaged weights that did best on the validation split by ``train.select_by``
    (``forecaster/``). In the end it gets the forecaster with the weights of the last step as they are
    (``forecaster_last/``) and a report of the logs (``report.html``).

    What is replaced stays in ``replaced/`` until the run has its first forecaster; if the run fails before, it comes
    back.

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
        UserError: if recipe and store do not fit, the training diverges, `out` exists and neither option allows it, or
            `out` is, holds or lies within what is read.
        Interrupted: if SIGTERM or SIGUSR1 asked to stop; all that was done is saved.
    """
    resolved = load_recipe(recipe, overrides)
    start = resolved.train.init_from
    require_apart(
        out, [find_recipe(recipe), store, *([] if start is None else [forecaster_folder(start)])]
    )
    with torch_threads(resolved.train.threads), joined() as processes:
        return _train(resolved, store, out, processes, resume=resume, overwrite=overwrite)


def _train(
    recipe: Recipe,
    store: Path,
    out: Path,
    processes: Processes,
    *,
    resume: bool,
    overwrite: bool,
) -> NetworkForecaster:
    device = processes.device(resolve_device(recipe.train.device))
    recipe = _with_precision(recipe, device, out if resume else None)
    config = recipe.train
    require_loggers(config.loggers)
    data = TrainingStore.open(store)
    data.require_gap(recipe.window)
    require_lead_weights(config, recipe.model.history)
    training = split_dataset(recipe, data, "train", recipe.window)
    validation = split_dataset(recipe, data, "valid", 2 * recipe.model.history)
    rollouts = None
    if config.validation_leads:
        longest = recipe.model.history + config.validation_leads[-1]
        rollouts = split_dataset(recipe, data, "valid", longest)
    require_batch(len(training), config.batch_size)
    own_parts(config, processes)
    forecaster, origin = initial_forecaster(recipe, data)
    require_predicted(config, forecaster.predicted.names)
    forecaster.network.to(device)
    with processes.main_first():
        if processes.is_main:
            _claim_run(out, recipe, data, resume=resume, overwrite=overwrite)
    if processes.is_main:
        logger.info(
            "train %s: %d parameters, %d windows, batches of %d, on %s%s",
            forecaster.name,
            forecaster.parameter_count,
            len(training),
            config.batch_size,
            device,
            f" and {processes.count - 1} more" if processes.count > 1 else "",
        )
    facts = provenance(
        recipe=recipe.model_dump(mode="json"),
        seed=recipe.seed,
        store_hash=data.content_hash,
        **origin,
    )

    def save_best(
        trained: NetworkForecaster, weights: dict[str, Tensor], scores: dict[str, float]
    ) -> None:
        finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        save_forecaster(
            trained,
            out / FORECASTER,
            {**facts, "weights": "moving average", "validation": finite},
            weights,
        )
        # A process that was killed between the renames may have left one.
        for left in out.glob(f".{FORECASTER}.*.old"):
            remove(left)
        remove(out / REPLACED)

    try:
        fit(
            forecaster,
            training,
            validation,
            config,
            recipe.seed,
            out,
            save_best,
            rollouts=rollouts,
            processes=processes,
        )
    except (ValueError, RuntimeError, OSError, MemoryError, ProcessLost):
        if processes.is_main:
            _put_back(out)
        raise
    last = gathered(dict(forecaster.network.state_dict()))
    if processes.is_main:
        save_forecaster(forecaster, out / LAST, {**facts, "weights": "last step"}, last)
        if config.report:
            title = f"Training of {recipe.title}"
            selected = load_provenance(out)["training"]["validation"][config.select_by]
            logs = read_logs(out).assign_attrs(
                selected_by=config.select_by, selected_score=selected, provenance=json.dumps(facts)
            )
            write_training_report(logs, out / REPORT, title)
    processes.wait()
    return load_forecaster(out)


def split_dataset(recipe: Recipe, store: TrainingStore, split: str, length: int) -> ForecastDataset:
    """Return the windows of a split of so many times, kept in memory as far as the recipe allows."""
    stride = recipe.train.window_stride if split == "train" else 1
    windows = Windows(store.segments(split), length, stride)
    return ForecastDataset(store, windows, recipe.model.history, recipe.train.memory_gb)


def initial_forecaster(
    recipe: Recipe, store: TrainingStore
) -> tuple[NetworkForecaster, dict[str, Any]]:
    """Return the forecaster that training starts from, and what provenance says about where it comes from.

    Raises:
        UserError: if `train.init_from` names a forecaster of other data or another network; the message names both.
    """
    path = recipe.train.init_from
    if path is None:
        return _new_forecaster(recipe, store), {}
    forecaster = load_forecaster(path)
    if forecaster.config != recipe.model:
        ours, theirs = (
            {f"model.{key}": value for key, value in config.model_dump(mode="json").items()}
            for config in (recipe.model, forecaster.config)
        )
        differing = [key for key in ours if ours[key] != theirs[key]]
        raise UserError(
            f"train.init_from={path}: the recipe's "
            + ", ".join(f"{key} is {ours[key]}, there it is {theirs[key]}" for key in differing)
            + ". Fine-tune with the same model."
        )
    require_same_mask(forecaster, store)
    forecaster.precision = _precision(recipe)
    return forecaster, {"init_from": load_provenance(path)}


def _mask(store: TrainingStore, variables: Variables) -> Bool[Tensor, "channel y x"] | None:
    if store.valid_mask is None or not len(variables):
        return None
    return torch.from_numpy(store.valid_mask[store.variables.indices(variables.names)])


def _new_forecaster(recipe: Recipe, store: TrainingStore) -> NetworkForecaster:
    """Return the forecaster with random weights, which depend on the recipe's seed only."""
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
        training_statistics(store, recipe.model.normalization),
        precision=_precision(recipe),
    )
    forecaster.valid_mask = _mask(store, forecaster.predicted)
    forecaster.forcing_mask = _mask(store, forecaster.forcing)
    return forecaster


def _precision(recipe: Recipe) -> Precision:
    return resolve_precision(recipe.train.precision, resolve_device(recipe.train.device))


def _with_precision(recipe: Recipe, device: torch.device, begun: Path | None) -> Recipe:
    """Return the recipe with the precision that it takes here; a run that is gone on with keeps its own."""
    precision: str = resolve_precision(recipe.train.precision, device)
    if recipe.train.precision == "auto" and begun is not None and (begun / CONFIG).is_file():
        precision = read_yaml(begun / CONFIG).get("train", {}).get("precision", precision)
    return recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"precision": precision})}
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
        remove_leftovers(out)
        return
    if out.exists() and not overwrite:
        raise UserError(
            f"{out} exists already. Choose another folder, or add --resume to go on with its run "
            "or --overwrite to replace it."
        )
    require_writable(out)
    _make_way(out)
    write_json(out / STORE, {"path": str(store.path), "content_hash": store.content_hash})
    write_text(out / CONFIG, text)


def _make_way(out: Path) -> None:
    """Make an empty run folder; what it replaces is kept within."""
    replaced = out / REPLACED
    if replaced.exists():
        # An unfinished run that was to replace another is worth less than that.
        for path in out.iterdir():
            if path != replaced:
                remove(path)
    elif out.exists():
        old = set_aside(out)
        make_folder(out)
        old.rename(replaced)
    else:
        make_folder(out)


def _put_back(out: Path) -> None:
    """Remove a run that failed before it had a forecaster, if it was to replace something."""
    if (out / REPLACED).exists():
        failed = set_aside(out)
        (failed / REPLACED).rename(out)
        remove(failed)
        logger.warning("%s: what was there before is back.", out)
