"""`triton-earth demo`: the whole path on data that comes with the package or is made on the spot."""

import logging
from pathlib import Path

import xarray as xr

from triton_earth.core.errors import UserError, nearest
from triton_earth.evaluation.scores_file import JSON
from triton_earth.workflow.evaluate import evaluate
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.prepare import prepare
from triton_earth.workflow.train import train

logger = logging.getLogger("triton_earth")

TASKS = {
    "turbulence": "turbulence_small",
    "weather": "weather_small_quick",
    "ocean": "ocean_small",
    "kuroshio": "kuroshio_small",
}
"""Recipe of each task that has a demonstration."""


def demo(
    task: str = "turbulence", out: str | Path | None = None, *, overwrite: bool = False
) -> xr.Dataset:
    """Prepare data, train a small model, forecast from unseen states and judge the forecast.

    What an earlier run has finished is used again, what it left unfinished is gone on with.

    Args:
        task: What to demonstrate; `TASKS` lists them.
        out: Folder for everything it makes; ``demo/TASK`` by default.
        overwrite: Make everything again.

    Returns:
        The scores.

    Raises:
        UserError: if there is no such task, or the folder cannot be written or holds something else.
    """
    if task not in TASKS:
        raise UserError(f"no demonstration is called '{task}'; {nearest(task, TASKS)}")
    folder = Path(out) if out else Path("demo") / task
    recipe = TASKS[task]
    store, run, forecasts = folder / "truth.zarr", folder / "run", folder / "forecast.zarr"
    report = folder / "report"
    if report.exists() and not overwrite and not (report / JSON).is_file():
        raise UserError(
            f"{report} exists already and is no report of ours (no {JSON}). Choose another folder, or add --overwrite "
            "to replace all that the demonstration makes."
        )
    resume = not overwrite
    logger.info("1/4 prepare: the truth into %s", store)
    prepare(recipe, store, resume=resume, overwrite=overwrite)
    logger.info("2/4 train: a model from its random start into %s", run)
    train(recipe, store, run, resume=resume, overwrite=overwrite)
    logger.info("3/4 forecast: from unseen initial states into %s", forecasts)
    forecast(run, store, forecasts, resume=resume, overwrite=overwrite)
    logger.info("4/4 evaluate: scores and report into %s", report)
    return evaluate(forecasts, store, out=report, overwrite=True)
