"""The work of a bench: the search of a variant's learning rate, and single runs, each written down once it is done."""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.bench.budget import (
    Cost,
    affordable_steps,
    measured_cost,
    schedule_for,
)
from triton_earth.bench.config import BenchConfig
from triton_earth.bench.errors import forecast_errors
from triton_earth.bench.folder import BenchFolder
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import remove
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.training.interruption import ProcessLost
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.train import train

logger = logging.getLogger("triton_earth")

ROUNDS = 3
"""How often the cost of each variant is measured, in turns; the least counts."""

FAILURES = (UserError, ValueError, RuntimeError, OSError, MemoryError, ProcessLost)
"""What ends a run without stopping the bench."""


def measure_costs(folder: BenchFolder, variants: Iterable[str]) -> None:
    """Measure what a step costs, of variants of which it is not known yet, in turns.

    Raises:
        UserError: naming the variant, if its network cannot run on the store's grid.
    """
    store = TrainingStore.open(folder.store)
    unknown = [name for name in variants if folder.cost(name) is None]
    found: dict[str, list[Cost]] = {name: [] for name in unknown}
    for _ in range(ROUNDS):
        for name in unknown:
            recipe = folder.config.recipe_of(name)
            try:
                found[name].append(measured_cost(recipe, store))
            except UserError as error:
                raise UserError(f"variant '{name}': {error}") from error
    for name, costs in found.items():
        least = {key: min(asdict(cost)[key] for cost in costs) for key in asdict(costs[0])}
        folder.write_cost(name, Cost(**least))


def require_affordable(folder: BenchFolder) -> None:
    """Refuse a budget that pays for no variant.

    Raises:
        UserError: with the reason of the cheapest.
    """
    reasons = []
    for name in folder.config.variants:
        try:
            _steps(folder, name)
        except UserError as error:
            reasons.append(f"variant '{name}': {error}")
    if len(reasons) == len(folder.config.variants):
        raise UserError(f"the budget pays for no variant; {reasons[0]}")


def search_rate(folder: BenchFolder, variant: str) -> dict[str, Any]:
    """Find the learning rate of a variant by short runs, unless that is done.

    Returns:
        What is known of the variant: steps of a run, rate, score of each rate that was tried, what that cost; or why
        there is no run of it.

    Raises:
        UserError: if another process is at it.
    """
    place = folder.variant(variant)
    with sole_use(place):
        row = folder.read_row(place)
        if row is None:
            row = _noted(lambda: _searched(folder, variant))
            folder.write_row(place, row)
    return row


def _searched(folder: BenchFolder, variant: str) -> dict[str, Any]:
    steps, search = _steps(folder, variant), folder.config.search
    row: dict[str, Any] = {"steps": steps, "rate": None, "trials": {}, "search_cpu_seconds": 0.0}
    if search is None:
        return row
    recipe = folder.config.recipe_of(variant)
    short = max(2, math.ceil(search.part * steps))
    for rate in search.rates:
        settings = schedule_for(recipe.train, short) | {"train__learning_rate": rate}
        settings["seed"] = folder.config.seeds[0]
        place = folder.trial(variant, rate)
        logger.info("bench: variant '%s', trial of the learning rate %g", variant, rate)
        started = time.process_time()
        try:
            _train(folder, variant, place, settings)
            kept = load_provenance(place)["training"]["validation"]
            score = kept[recipe.train.select_by]
        except FAILURES as error:
            logger.info("bench: %s", _reason(error))
            score = None
        row["search_cpu_seconds"] += time.process_time() - started
        row["trials"][f"{rate:g}"] = score
        remove(place)
    finite = {rate: score for rate, score in row["trials"].items() if score is not None}
    if not finite:
        raise UserError(
            f"no learning rate of {', '.join(row['trials'])} gives a finite validation score; try smaller ones."
        )
    row["rate"] = float(min(finite, key=lambda rate: finite[rate]))
    return row


def run_variant(folder: BenchFolder, variant: str, seed: int) -> dict[str, Any]:
    """Train, forecast and judge one variant with one seed, unless that is done, going on where an earlier start ended.

    Returns:
        The row: what it took and how good it is, or why there is nothing.

    Raises:
        UserError: if another process is at it, or the learning rate is not known yet.
    """
    place = folder.run(variant, seed)
    with sole_use(place):
        row = folder.read_row(place)
        if row is None:
            row = _run(folder, variant, seed)
            folder.write_row(place, {"variant": variant, "seed": seed, **row})
    return row


def _run(folder: BenchFolder, variant: str, seed: int) -> dict[str, Any]:
    known = folder.read_row(folder.variant(variant))
    if known is None:
        raise UserError(
            f"{folder.path}: the learning rate of variant '{variant}' is not known yet. Let its search run first."
        )
    if "failure" in known:
        return {"failure": known["failure"]}
    logger.info("bench: variant '%s', seed %d", variant, seed)
    return _noted(lambda: _judged(folder, variant, seed, known))


def _judged(folder: BenchFolder, variant: str, seed: int, known: dict[str, Any]) -> dict[str, Any]:
    config, place = folder.config, folder.run(variant, seed)
    recipe = config.recipe_of(variant)
    settings = schedule_for(recipe.train, known["steps"]) | {"seed": seed}
    if known["rate"] is not None:
        settings["train__learning_rate"] = known["rate"]
    resumed = (place / "run").exists()
    worked, started = time.process_time(), time.monotonic()
    _train(folder, variant, place / "run", settings)
    worked, lasted = time.process_time() - worked, time.monotonic() - started
    stored = forecast(
        place / "run", folder.store, place / "forecast.zarr", guard="record", resume=True
    )
    truth = TrainingStore.open(folder.store)
    leads = [lead for lead in config.leads if lead <= len(stored.lead_times)]
    trained = load_forecaster(place / "run")
    std = [
        trained.normalizer.std[trained.normalizer.variables.index(name)]
        for name in trained.predicted.names
    ]
    errors = forecast_errors(stored, truth, leads, std)
    scores = evaluate_forecast(stored, truth, baselines=config.baselines)
    save_scores(scores, place)
    if seed != config.seeds[0]:
        remove(place / "forecast.zarr")
    return {
        "steps": known["steps"],
        "samples": known["steps"] * recipe.train.batch_size,
        "learning_rate": known["rate"] or recipe.train.learning_rate,
        "cpu_seconds": worked,
        "wall_seconds": lasted,
        "resumed": resumed,
        "leads": leads,
        "std": std,
        "trajectories": [int(number) for number in stored.trajectories],
        "errors": [[float(e) if math.isfinite(e) else None for e in row] for row in errors],
        **_scores(scores, trained.name),
    }


def _scores(scores: xr.Dataset, name: str) -> dict[str, Any]:
    """Return the numbers of an evaluation that the table shows beside the errors."""
    model = scores.sel(forecast=name)
    found: dict[str, Any] = {
        "mse_over_persistence": float(
            np.mean(model["mse"].values[:, 0] / scores["mse"].sel(forecast="persistence")[:, 0])
        ),
        "stable_fraction": float(model["stable_fraction"]),
        "stability_horizon": float(model["stability_horizon"]),
    }
    if "small_scale_enstrophy" in scores:
        last = scores["small_scale_enstrophy"].isel(lead_time=-1)
        found["small_scales"] = float(last.sel(source=name) / last.sel(source="truth"))
    for score in ("acc", "activity"):
        if score in model:
            found[score] = float(model[score].values[:, -1].mean())
    for score in ("climate_skill", "climate_skill_worst"):
        if score in scores:
            found[score] = float(scores[score].sel(model=name))
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def _train(folder: BenchFolder, variant: str, place: Path, settings: dict[str, Any]) -> None:
    config: BenchConfig = folder.config
    train(config.recipe, folder.store, place, config.assignments(variant, **settings), resume=True)


def _steps(folder: BenchFolder, variant: str) -> int:
    cost = folder.cost(variant)
    assert cost is not None, "costs are measured before anything else"
    recipe = folder.config.recipe_of(variant)
    return affordable_steps(folder.config.budget, cost, recipe.train.batch_size)


def _noted(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except FAILURES as error:
        logger.info("bench: %s", _reason(error))
        return {"failure": _reason(error)}


def _reason(error: BaseException) -> str:
    return f"{str(error) or type(error).__name__}".splitlines()[0]
