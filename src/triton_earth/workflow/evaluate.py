"""`triton-earth evaluate`: from a forecast and the truth to scores and a report."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.files import claim_output, publish, require_apart
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.example_case import example_case
from triton_earth.evaluation.regions import Region, WeightsName
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.models.checkpoint import forecaster_folder, load_forecaster, load_provenance
from triton_earth.plots.page import Section
from triton_earth.plots.report import write_report
from triton_earth.plots.stabilizers import stabilizers
from triton_earth.plots.triage import first_trips, steps_around, triage
from triton_earth.rollout.climate import training_pairs
from triton_earth.rollout.forecast_store import ForecastStore
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.forecast import require_same_mask, windows_of
from triton_earth.workflow.provenance import provenance

REPORT = "report.html"


def evaluate(
    forecast: Path,
    store: Path,
    out: Path,
    *,
    seed: int = 0,
    resamples: int = 1000,
    title: str | None = None,
    region: str | None = None,
    weights: WeightsName = "cell_area",
    heat_waves: str | None = None,
    eddies: str | None = None,
    workers: int = 1,
    dask: str | None = None,
    steps: int | None = None,
    split: str = "test",
    overwrite: bool = False,
) -> xr.Dataset:
    """Judge a forecast against the truth, with the baselines beside it.

    Args:
        forecast: Forecast store; with `steps` a model (run folder or forecaster folder), whose forecasts are judged
            while they are made and not stored.
        store: Training store that holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        title: Heading of the report; by default the title of the model's recipe.
        region: Where scores are taken, SOUTH:NORTH,WEST:EAST in degrees; None: everywhere.
        weights: Cell weights of all means, by name.
        heat_waves: Temperature whose marine heat waves are scored too, against the training split; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        steps: Steps that the model is rolled out for; None: `forecast` is a forecast store.
        split: Split whose trajectories or periods the model forecasts.
        overwrite: Replace an existing folder.

    Returns:
        The scores.

    Raises:
        UserError: if forecast and truth do not fit, `out` exists and may not be replaced, or is, holds or lies within
            what is read.
    """
    require_apart(out, [forecast if steps is None else forecaster_folder(forecast), store])
    if steps is not None and (workers > 1 or dask is not None):
        raise UserError(
            "--steps: a model is rolled out in one process. Leave out --workers and --dask, or store the forecast."
        )
    forecasts = (
        ForecastStore.open(forecast) if steps is None else _live(forecast, store, steps, split)
    )
    truth = TrainingStore.open(store).on(forecasts.grid)
    where = None if region is None else Region.parse(region)
    partial = claim_output(out, resume=False, overwrite=overwrite)
    scores = evaluate_forecast(
        forecasts,
        truth,
        seed=seed,
        resamples=resamples,
        region=where,
        weights=weights,
        heat_waves=heat_waves,
        eddies=eddies,
        workers=workers,
        dask=dask,
    )
    scores.attrs["command"] = (
        f"triton-earth evaluate {forecast} {store} --out {out} --seed {seed} --resamples {resamples}"
        f" --weights {weights}"
        + ("" if region is None else f" --region={region}")
        + ("" if heat_waves is None else f" --heat-waves {heat_waves}")
        + ("" if steps is None else f" --steps {steps} --split {split}")
        + ("" if eddies is None else f" --eddies {eddies}")
    )
    save_scores(scores, partial)
    recipe = forecasts.provenance.get("training", {}).get("recipe", {})
    heading = title or recipe.get("title") or f"Forecast of {scores['forecast'].values[0]}"
    write_report(
        scores,
        example_case(forecasts, truth),
        partial / REPORT,
        heading,
        _about_rollout(forecasts, truth),
    )
    publish(partial, out)
    return scores


def _live(model: Path, store: Path, steps: int, split: str) -> LiveForecasts:
    """Return the forecasts of a model from each possible start of a split, `steps` apart."""
    device = resolve_device("auto")
    forecaster = load_forecaster(model, device)
    data = TrainingStore.open(store)
    require_same_mask(forecaster, data)
    windows = windows_of(data, split, forecaster.history, steps, steps)
    origin = load_provenance(model)
    return LiveForecasts(
        forecaster,
        data,
        trajectories=[trajectory for trajectory, _ in windows],
        starts=[start for _, start in windows],
        steps=steps,
        provenance=provenance(
            model=forecaster.name,
            parameters=forecaster.parameter_count,
            store_hash=data.content_hash,
            split=split,
            **origin,
        ),
        device=device,
    )


def _about_rollout(forecasts: ForecastStore | LiveForecasts, truth: TrainingStore) -> list[Section]:
    """Return the report's sections on what the guard saw and the stabilisers did."""
    sections = (
        [] if forecasts.guard is None else [_guard_section(forecasts, forecasts.guard, truth)]
    )
    change = forecasts.stabilizer_change if isinstance(forecasts, ForecastStore) else None
    if change is not None:
        names = change["corrected"].values.tolist()
        pairs = [pair.select(names).data.flatten(0, 1) for pair in training_pairs(truth, 16)]
        deviation = np.nanstd(np.concatenate(pairs), axis=(0, 2, 3))
        sections.append(stabilizers(change, dict(zip(names, deviation.tolist(), strict=True))))
    return sections


def _guard_section(
    forecasts: ForecastStore | LiveForecasts, guard: dict[str, Any], truth: TrainingStore
) -> Section:
    """Return the report's section on the guard, with maps of the forecast that left the climate first."""
    first = first_trips(guard)[:1]
    example = None
    for trip in first:
        alignment = align(forecasts, truth)
        reached = alignment.numbers[alignment.available[trip["init"]]]
        leads = [step for step in steps_around(trip["step"]) if step in reached]
        if leads:
            example = example_case(forecasts, truth, init=trip["init"], leads=leads)
    return triage(guard, len(forecasts.init_times) * forecasts.members, example)
