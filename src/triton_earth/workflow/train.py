"""`triton-earth train`: from a recipe and a training store to a run folder with a forecaster."""

import json
import logging
import math
from contextlib import ExitStack, nullcontext
from pathlib import Path

import torch
from torch import Tensor

from triton_earth.core.config import read_yaml
from triton_earth.core.outputs.files import remove, require_apart
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.core.processes.kept_memory import kept_memory
from triton_earth.core.processes.workers import torch_threads
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Windows
from triton_earth.models.checkpoint import (
    forecaster_folder,
    load_forecaster,
    load_provenance,
    save_forecaster,
)
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.plots.training_report import write_training_report
from triton_earth.training.checkpoint import continue_training, saved_step
from triton_earth.training.interruption import Interrupted, ProcessLost, Request, listening
from triton_earth.training.logs.log import read_logs
from triton_earth.training.logs.loggers import require_loggers
from triton_earth.training.loop import fit, leave
from triton_earth.training.losses.objective import require_predicted
from triton_earth.training.mean_correction import correcting_runs
from triton_earth.training.optimization.optimizers import build_optimizers
from triton_earth.training.parallel.distributed import Processes, joined
from triton_earth.training.parallel.sharding import gathered
from triton_earth.training.step import require_scales
from triton_earth.workflow.device import resolve_device, resolve_precision
from triton_earth.workflow.plan import require_training_fits
from triton_earth.workflow.provenance import provenance
from triton_earth.workflow.recipes.expected_course import expected_course, with_course
from triton_earth.workflow.recipes.expected_data import require_agreement
from triton_earth.workflow.recipes.recipe import Recipe, find_recipe, load_recipe
from triton_earth.workflow.running.mean_correction import correct_mean
from triton_earth.workflow.running.run_folder import (
    CONFIG,
    FORECASTER,
    LAST,
    REPLACED,
    REPORT,
    claim_run,
    goes_on,
    put_back,
    run_path,
    settle_run,
)
from triton_earth.workflow.running.start import Start, initial_forecaster, start_of
from triton_earth.workflow.running.training_windows import training_windows

logger = logging.getLogger("triton_earth")


def train(
    recipe: str | Path,
    store: str | Path,
    out: str | Path,
    overrides: list[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> NetworkForecaster:
    """Train the model of a recipe.

    The run folder gets the resolved recipe (``config.yaml``), the hash of its data (``store.json``), the statistics it
    starts from (``start.safetensors``), logs (``log.csv``, ``losses.csv``, ``validation.csv``), the state to go on from
    (``training_state.pt`` and the one before it) and the forecaster with the averaged weights that did best on the
    validation split by ``train.select_by`` (``forecaster/``). In the end it gets the forecaster with the weights of the
    last step as they are (``forecaster_last/``) and a report of the logs (``report.html``); with
    ``train.mean_correction`` the mean of the best forecaster's own runs is taken out of its climatology then.

    What is replaced stays in ``replaced/`` until the run has its first forecaster; if the run fails before, it comes
    back.

    Args:
        recipe: Recipe file, or name of a shipped recipe.
        store: Training store.
        out: Run folder.
        overrides: Dotted assignments to the recipe.
        resume: Go on with an unfinished run of the same recipe and data, or start where there is none.
        overwrite: Replace an existing run.
        force: Go on though memory or disk do not suffice.

    Returns:
        The trained forecaster.

    Raises:
        UserError: if recipe and store do not fit, the training diverges, `out` exists and neither option allows it, is
            being written by another process, or is, holds or lies within what is read.
        Interrupted: if SIGTERM or SIGUSR1 asked to stop; all that was done is saved.

    Example:
        model = triton_earth.train("turbulence_small", "truth.zarr", "run", tiny)
        model.parameter_count
    """
    store, out = Path(store), Path(out)
    # Joined first: where one process fails, the others must hear of it.
    with listening() as request, joined() as processes:
        resolved = load_recipe(recipe, overrides)
        inputs = [find_recipe(recipe), store]
        source = resolved.train.init_from
        if source is not None and (source.exists() or not resume):
            inputs.append(forecaster_folder(source))
        require_apart(out, inputs)
        out = run_path(out, resume=resume, overwrite=overwrite)
        with torch_threads(resolved.train.threads), ExitStack() as held:
            return _train(
                resolved,
                store,
                out,
                processes,
                request,
                held,
                resume=resume,
                overwrite=overwrite,
                force=force,
            )


def _train(
    recipe: Recipe,
    store: Path,
    out: Path,
    processes: Processes,
    request: Request,
    held: ExitStack,
    *,
    resume: bool,
    overwrite: bool,
    force: bool,
) -> NetworkForecaster:
    device = processes.device(resolve_device(recipe.train.device))
    recipe = _with_precision(recipe, device, out if resume else None)
    config = recipe.train
    require_loggers(config.loggers)
    data = TrainingStore.open(store)
    require_agreement(recipe, data)
    data.require_gap(recipe.window)
    windows = training_windows(recipe, data.segments, processes)

    def begin() -> bytes:
        if not force:
            require_training_fits(recipe, data, out, processes.count)
        held.enter_context(sole_use(out))
        settle_run(out)
        old = goes_on(out, recipe, data, resume=resume, overwrite=overwrite)
        step = saved_step(out) if old else 0
        return start_of(recipe, data, out if old else None).to_bytes(step)

    start, step = Start.from_bytes(processes.from_main(begin))
    forecaster = initial_forecaster(recipe, data, start, new=step == 0)
    require_predicted(config, forecaster.predicted.names)
    require_scales(config, data.grid.shape)
    stabilizers = recipe.forecast.stabilizers if config.stabilized else None
    if stabilizers is not None:
        stabilizers.build(data, forecaster.prognostic)
    if config.mean_correction is not None:
        correcting_runs(forecaster, data, config.mean_correction, recipe.forecast.stabilizers)
    # Refuses before anything is written; `fit` does it for good.
    optimizers = build_optimizers(forecaster.network, config)
    if config.init_from is not None and config.init_optimizer == "continued" and step == 0:
        continue_training(config.init_from, forecaster.network, optimizers)
    forecaster.network.to(device)
    with processes.main_first():
        if processes.is_main:
            claim_run(out, recipe, data, start.to_bytes(), overwrite=overwrite)
    if processes.is_main:
        logger.info(
            "train %s: %d parameters, %d windows, batches of %d, on %s%s",
            forecaster.name,
            forecaster.parameter_count,
            len(windows.training),
            config.batch_size,
            device,
            f" and {processes.count - 1} more" if processes.count > 1 else "",
        )
    facts = provenance(
        recipe=recipe.model_dump(mode="json"),
        seed=recipe.seed,
        store_hash=data.content_hash,
        **({} if start.init_from is None else {"init_from": start.init_from}),
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
        remove(out / REPLACED)

    def dataset(chosen: Windows) -> ForecastDataset:
        return ForecastDataset(data, chosen, forecaster.history, config.memory_gb)

    try:
        with kept_memory() if device.type == "cpu" else nullcontext():
            fit(
                forecaster,
                dataset(windows.training),
                dataset(windows.validation),
                config,
                recipe.seed,
                out,
                save_best,
                rollouts=None if windows.rollouts is None else dataset(windows.rollouts),
                processes=processes,
                request=request,
                stabilizers=stabilizers,
            )
    except (ValueError, RuntimeError, OSError, MemoryError, ProcessLost):
        if processes.is_main:
            put_back(out)
        raise
    stopped = False
    last = gathered(dict(forecaster.network.state_dict()))
    if processes.is_main:
        save_forecaster(forecaster, out / LAST, {**facts, "weights": "last step"}, last)
        try:
            correct_mean(out, data, recipe, device, request)
        except Interrupted:
            stopped = True
    if any(processes.sums(float(stopped))):
        leave(request.name, config.steps, out, processes)
    if processes.is_main:
        course = expected_course(recipe)
        if course is not None or config.report:
            logs = read_logs(out)
        if course is not None:
            logs = with_course(logs, course)
            logger.info("%s", logs.attrs["expected"])
        if config.report:
            title = f"Training of {recipe.title}"
            selected = load_provenance(out)["training"]["validation"][config.select_by]
            logs = logs.assign_attrs(
                selected_by=config.select_by, selected_score=selected, provenance=json.dumps(facts)
            )
            write_training_report(logs, out / REPORT, title)
    processes.wait()
    return load_forecaster(out)


def _with_precision(recipe: Recipe, device: torch.device, begun: Path | None) -> Recipe:
    """Return the recipe with the precision that it takes here; a run that is gone on with keeps its own."""
    precision: str = resolve_precision(recipe.train.precision, device)
    if recipe.train.precision == "auto" and begun is not None and (begun / CONFIG).is_file():
        precision = read_yaml(begun / CONFIG).get("train", {}).get("precision", precision)
    return recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"precision": precision})}
    )
