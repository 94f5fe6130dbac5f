"""`triton-earth compare`: several forecasts of the same initial conditions against one truth and each other."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from triton_earth.core.claim import Claim
from triton_earth.core.errors import UserError
from triton_earth.core.files import require_apart
from triton_earth.data.store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.matching import describe_match, match
from triton_earth.evaluation.named_regions import named_regions
from triton_earth.evaluation.places import Surface, find_place
from triton_earth.evaluation.regions import Region, WeightsName
from triton_earth.evaluation.scores_file import save_scores
from triton_earth.evaluation.surface_variables import keep_defined
from triton_earth.plots.page import Section
from triton_earth.plots.report import write_report
from triton_earth.rollout.forecast_store import ForecastStore
from triton_earth.workflow.about_rollout import about_rollout
from triton_earth.workflow.command_line import command_line
from triton_earth.workflow.evaluate import REPORT, SCORES


def compare(
    forecasts: Sequence[str | Path],
    store: str | Path,
    out: str | Path,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    title: str | None = None,
    region: str | None = None,
    surface: Surface | None = None,
    by_region: Sequence[str] | None = None,
    weights: WeightsName = "cell_area",
    heat_waves: str | None = None,
    eddies: str | None = None,
    climatology: str | Path | None = None,
    workers: int = 1,
    dask: str | None = None,
    sections: Sequence[Section] = (),
    overwrite: bool = False,
) -> xr.Dataset:
    """Judge several forecasts against the truth and each other, over what they have in common.

    Args:
        forecasts: Two forecast stores or more; the scorecard compares with the first.
        store: Training store that holds the initial times and what followed.
        out: New folder for ``scores.nc``, ``scores.json``, ``report.html`` and ``animation.gif``.
        names: What to call the forecasts; by default the names of their files.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        title: Heading of the report.
        region: Where scores are taken, SOUTH:NORTH,WEST:EAST in degrees; None: everywhere.
        surface: Whether on ``land`` or at ``sea``; None: on both.
        by_region: Regions with scores of their own beside the main ones: NAME=SOUTH:NORTH,WEST:EAST, ``land``, ``sea``
            or a well-known name.
        weights: Cell weights of all means, by name.
        heat_waves: Temperature whose marine heat waves are scored too, against the training split; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        climatology: Store whose training split the climatology is of; None: `store`.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        sections: Sections of the report that stand after its verdict.
        overwrite: Replace an existing folder.

    Returns:
        The scores; differences of mse are paired, over the same resamples of initial conditions.

    Raises:
        UserError: if there are fewer than two forecasts, they have nothing in common, they and the truth do not fit, or
            `out` exists and may not be replaced, or is, holds or lies within what is read.

    Example:
        triton_earth.forecast("run", "truth.zarr", "noisy.zarr", members=3)
        scores = triton_earth.compare(["forecast.zarr", "noisy.zarr"], "truth.zarr", "comparison")
        scores["forecast"].values
    """
    paths = [Path(path) for path in forecasts]
    store, out = Path(store), Path(out)
    climatology = None if climatology is None else Path(climatology)
    if len(paths) < 2:
        raise UserError(
            f"compare: expected at least two forecasts and a store, found {len(paths)} forecasts. "
            "Judge a single one with `triton-earth evaluate`."
        )
    require_apart(out, [*paths, store, *([] if climatology is None else [climatology])])
    called = list(names or [path.name.removesuffix(".zarr") for path in paths])
    if len(called) != len(paths):
        raise UserError(
            f"compare: expected a --name for each of {len(paths)} forecasts, found {len(called)}."
        )
    box = None if region is None else Region.parse(region)
    stored = [ForecastStore.open(path) for path in paths]
    matched = match(stored, called)
    truth = TrainingStore.open(store).on(matched[0].grid)
    where = find_place(box, surface, truth)
    models, left_out = keep_defined(matched, truth, where, [heat_waves, eddies])
    regions = named_regions(by_region or (), models[0], truth, where)
    normal = None if climatology is None else TrainingStore.open(climatology).on(truth.grid)
    with Claim(out, SCORES, resume=False, overwrite=overwrite) as claim:
        partial = claim.begin()
        evaluation = evaluate_forecasts(
            models,
            truth,
            seed=seed,
            resamples=resamples,
            region=where,
            weights=weights,
            names=called,
            heat_waves=heat_waves,
            eddies=eddies,
            climatology=normal,
            workers=workers,
            dask=dask,
            remarks=[describe_match(stored, called, models[0]), *left_out],
            by_region=regions,
            examples=True,
        )
        scores = evaluation.scores
        scores.attrs["command"] = command_line(
            "compare",
            [*paths, store],
            {
                "out": out,
                "name": names,
                "seed": seed,
                "resamples": resamples,
                "title": title,
                "region": region,
                "surface": surface,
                "by-region": by_region,
                "weights": weights,
                "heat-waves": heat_waves,
                "eddies": eddies,
                "climatology": climatology,
                "workers": None if workers == 1 else workers,
                "dask": dask,
            },
        )
        save_scores(scores, partial)
        examples = evaluation.examples
        judged = [str(name) for name in scores["forecast"].values[: len(paths)]]
        write_report(
            scores,
            examples[0],
            partial / REPORT,
            title or f"{', '.join(judged[:-1])} and {judged[-1]} compared",
            [
                *sections,
                *(
                    section
                    for one, name in zip(stored, judged, strict=True)
                    for section in about_rollout(one, truth, name)
                ),
            ],
            others=dict(zip(judged[1:], examples[1:], strict=True)),
        )
        claim.publish()
    return scores
