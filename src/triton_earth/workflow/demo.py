"""`triton-earth demo`: the whole path on data that comes with the package or is made on the spot."""

import logging
from pathlib import Path

import xarray as xr

from triton_earth.core.errors import UserError, nearest
from triton_earth.evaluation.scores_file import JSON
from triton_earth.models.zoo import shipped_models
from triton_earth.workflow.evaluate import evaluate
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.train import train as train_recipe

logger = logging.getLogger("triton_earth")

TASKS = {
    "turbulence": "turbulence_small",
    "weather": "weather_small_quick",
    "ocean": "ocean_small",
    "kuroshio": "kuroshio_small",
}
"""Recipe of each task that has a demonstration."""

MODELS = {
    "turbulence": "turbulence-small",
    "weather": "weather-small",
    "ocean": "ocean-small",
    "kuroshio": "kuroshio-small",
}
"""Shipped model of each task."""


def demo(
    task: str = "turbulence",
    out: str | Path | None = None,
    *,
    train: bool = False,
    overwrite: bool = False,
) -> xr.Dataset:
    """Prepare data, forecast from unseen states with the model that is shipped for the task, and judge the forecast.

    What an earlier run has finished is used again, what it left unfinished is gone on with.

    Args:
        task: What to demonstrate; `TASKS` lists them.
        out: Folder for everything it makes; ``demo/TASK`` by default, ``demo/TASK-trained`` with `train`.
        train: Train a model from its random start instead of using the shipped one.
        overwrite: Make everything again.

    Returns:
        The scores.

    Raises:
        UserError: if there is no such task, or the folder cannot be written or holds something else.
    """
    if task not in TASKS:
        raise UserError(f"no demonstration is called '{task}'; {nearest(task, TASKS)}")
    shipped = None if train else shipped_models().get(MODELS[task])
    folder = demo_folder(task, out, train=train)
    recipe = TASKS[task] if shipped is None else str(shipped.card["recipe"])
    store, run, forecasts = folder / "truth.zarr", folder / "run", folder / "forecast.zarr"
    report = folder / "report"
    if report.exists() and not overwrite and not (report / JSON).is_file():
        raise UserError(
            f"{report} exists already and is no report of ours (no {JSON}). Choose another folder, or add --overwrite "
            "to replace all that the demonstration makes."
        )
    resume = not overwrite
    logger.info("prepare: the truth into %s", store)
    prepare(recipe, store, resume=resume, overwrite=overwrite)
    if shipped is None:
        logger.info("train: a model from its random start into %s", run)
        train_recipe(recipe, store, run, resume=resume, overwrite=overwrite)
    else:
        logger.info("model: %s, which is shipped (--train trains one)", shipped.name)
    logger.info("forecast: from unseen initial states into %s", forecasts)
    model = run if shipped is None else shipped.folder
    forecast(model, store, forecasts, resume=resume, overwrite=overwrite)
    logger.info("evaluate: scores and report into %s", report)
    return evaluate(forecasts, store, out=report, overwrite=True)


def demo_folder(task: str, out: str | Path | None, *, train: bool) -> Path:
    """Return the folder of a demonstration: the one that is named, or one in ``demo``."""
    if out is not None:
        return Path(out)
    return Path("demo") / (f"{task}-trained" if train else task)
