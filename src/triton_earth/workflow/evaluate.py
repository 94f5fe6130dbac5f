"""`triton-earth evaluate`: from a forecast and the truth to scores and a report."""

from pathlib import Path

import xarray as xr

from triton_earth.core.files import claim_output, publish
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.example_case import example_case
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.plots.report import write_report
from triton_earth.rollout.forecast_store import ForecastStore

REPORT = "report.html"


def evaluate(
    forecast: Path,
    store: Path,
    out: Path,
    *,
    seed: int = 0,
    resamples: int = 1000,
    title: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Judge a forecast against the truth, with persistence beside it.

    Args:
        forecast: Forecast store.
        store: Training store that holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        title: Heading of the report; by default the title of the model's recipe.
        overwrite: Replace an existing folder.

    Returns:
        The scores.

    Raises:
        UserError: if forecast and truth do not fit, or `out` exists and may not be replaced.
    """
    forecasts = ForecastStore.open(forecast)
    truth = TrainingStore.open(store)
    partial = claim_output(out, resume=False, overwrite=overwrite)
    scores = evaluate_forecast(forecasts, truth, seed=seed, resamples=resamples)
    scores.attrs["command"] = (
        f"triton-earth evaluate {forecast} {store} --out {out} --seed {seed} --resamples {resamples}"
    )
    save_scores(scores, partial)
    recipe = forecasts.provenance.get("training", {}).get("recipe", {})
    heading = title or recipe.get("title") or f"Forecast of {scores['forecast'].values[0]}"
    write_report(scores, example_case(forecasts, truth), partial / REPORT, heading)
    publish(partial, out)
    return scores
