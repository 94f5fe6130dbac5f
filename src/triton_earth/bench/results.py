"""What a bench has found: one row for each variant and reference, from the rows of all runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.bench.budget import Cost
from triton_earth.bench.errors import error_kind, reference_errors
from triton_earth.bench.folder import BenchFolder
from triton_earth.bench.intervals import Summary, summarize
from triton_earth.evaluation.scores_file import NETCDF

MEANS = (
    "mse_over_persistence",
    "stable_fraction",
    "stability_horizon",
    "small_scales",
    "acc",
    "activity",
    "climate_skill",
    "cpu_seconds",
    "wall_seconds",
)
"""Numbers of a run of which the table shows the mean over seeds."""

LOWEST = ("climate_skill_worst",)
"""Numbers of a run of which the table shows the lowest over seeds."""

TIMES = ("cpu_seconds", "wall_seconds")
"""Those that a run which was gone on with does not know as a whole."""


@dataclass(frozen=True)
class Row:
    """A variant, or a reference forecast.

    Attributes:
        name: Its name.
        cost: What a step costs; None for a reference.
        known: Steps, learning rate, trials and their cost, or the reason why there is no run; empty for a reference.
        runs: Seeds that were judged.
        failures: Reasons of the seeds that were not, by seed.
        means: Means over seeds of the `MEANS` that exist, and the lowest of the `LOWEST`.
        summary: Errors at the leads; None without a run.
    """

    name: str
    cost: Cost | None
    known: dict[str, Any]
    runs: list[int]
    failures: dict[int, str]
    means: dict[str, float]
    summary: Summary | None


@dataclass(frozen=True)
class Results:
    """The table of a bench.

    Attributes:
        title: Of the bench.
        budget: What each run may take, in words.
        kind: What the errors are.
        leads: Leads of the table.
        rows: Variants in their order, then the references.
        trajectories: Number of forecasts of each run.
    """

    title: str
    budget: str
    kind: str
    leads: list[int]
    rows: list[Row]
    trajectories: int


def results(folder: BenchFolder) -> Results:
    """Gather the rows of all runs that are done."""
    config = folder.config
    runs = {
        name: {
            seed: row for seed in config.seeds if (row := folder.read_row(folder.run(name, seed)))
        }
        for name in config.variants
    }
    judged = {
        name: {seed: row for seed, row in rows.items() if "failure" not in row}
        for name, rows in runs.items()
    }
    done = [row for rows in judged.values() for row in rows.values()]
    leads = done[0]["leads"] if done else []
    kind = error_kind(len(done[0]["std"]) if done else 1)
    errors = {
        name: np.array([_numbers(row["errors"]) for row in rows.values()])
        for name, rows in judged.items()
        if rows
    }
    summaries = (
        summarize(kind, errors, np.array(done[0]["trajectories"], dtype=np.int64)) if done else {}
    )
    rows = [
        Row(
            name,
            folder.cost(name),
            folder.read_row(folder.variant(name)) or {},
            list(judged[name]),
            {seed: row["failure"] for seed, row in runs[name].items() if "failure" in row},
            _means(list(judged[name].values())),
            summaries.get(name),
        )
        for name in config.variants
    ]
    if done:
        with xr.open_dataset(
            folder.run(done[0]["variant"], done[0]["seed"]) / NETCDF, engine="netcdf4"
        ) as scores:
            rows += _references(scores.load(), leads, done[0]["std"])
    count = len(done[0]["trajectories"]) if done else 0
    return Results(config.title, str(config.budget), kind, leads, rows, count)


def _references(scores: xr.Dataset, leads: list[int], std: list[float]) -> list[Row]:
    rows = []
    for name in map(str, scores["forecast"].values[1:]):
        mean = reference_errors(scores, name, leads, std)
        unknown = np.full((len(leads), 2), np.nan)
        nothing = np.full(len(leads), np.nan)
        summary = Summary(mean, mean, unknown, nothing, unknown)
        one = scores["mse"].sel(forecast=[name, "persistence"]).values[:, :, 0]
        means = {"mse_over_persistence": float(np.mean(one[0] / one[1]))}
        if "small_scale_enstrophy" in scores:
            last = scores["small_scale_enstrophy"].isel(lead_time=-1)
            means["small_scales"] = float(last.sel(source=name) / last.sel(source="truth"))
        rows.append(Row(name, None, {}, [], {}, means, summary))
    return rows


def _means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return means, or the lowest, over seeds; of what one of them does not have there is none."""
    found = {}
    for name in (*MEANS, *LOWEST):
        counted = [row for row in rows if not (row["resumed"] and name in TIMES)]
        values = [row[name] for row in counted if row.get(name) is not None]
        if counted and len(values) == len(counted):
            found[name] = min(values) if name in LOWEST else float(np.mean(values))
    return found


def _numbers(errors: list[list[float | None]]) -> np.ndarray:
    return np.array([[np.inf if value is None else value for value in row] for row in errors])
