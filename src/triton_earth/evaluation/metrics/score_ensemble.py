"""Scores of ensembles by lead time: fair CRPS, spread against error, rank histogram."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Int

from triton_earth.core.variables import Variables
from triton_earth.evaluation.intervals import joined
from triton_earth.evaluation.metrics.ensemble_records import EnsembleRecords
from triton_earth.evaluation.metrics.ensembles import spread_skill_ratio
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.resampling import Resampling

DIMENSIONS = ("variable", "lead_time")


def score_ensemble(
    records: EnsembleRecords, variables: Variables, resampling: Resampling
) -> xr.Dataset:
    """Score the members of ensembles against the truth.

    Args:
        records: What was kept of them.
        variables: Variables of the records.
        resampling: Bootstrap of the initial conditions.

    Returns:
        `crps`, `ensemble_spread`, `spread_skill` (variable, lead_time), each with NAME_interval (…, bound);
        `rank_histogram` (variable, lead_time, rank); `finite_members` (lead_time).
    """
    units = joined([METRICS["rmse"].units(variable.units) for variable in variables])
    members, ranks = records.members, records.ranks
    spreads, errors = resampling.means(records.variance), resampling.means(records.error)
    samples = {
        "crps": resampling.means(records.crps),
        "ensemble_spread": np.sqrt(spreads),
        "spread_skill": spread_skill_ratio(spreads, errors, members),
    }
    words = {
        "crps": (
            "fair continuous ranked probability score",
            units,
            f"fair CRPS of {members} members (Ferro 2014), area-weighted mean over the valid cells, averaged "
            "over initial conditions; of a single forecast it would be the mae",
        ),
        "ensemble_spread": (
            "ensemble spread",
            units,
            "root of the area-weighted mean variance of the members (divided by members - 1), averaged over initial "
            "conditions before the root",
        ),
        "spread_skill": (
            "spread divided by error",
            "1",
            "root of ((M + 1) / M * mean variance of the members / mean square error of their mean), averages over "
            "cells and initial conditions before the root (Fortin et al. 2014): 1 is reliable, below 1 too confident",
        ),
    }
    data: dict[str, Any] = {}
    for name, (long_name, unit, definition) in words.items():
        attributes = {"long_name": long_name, "units": unit, "definition": definition}
        data[name] = (DIMENSIONS, samples[name][0].T, attributes)
        data[f"{name}_interval"] = (
            (*DIMENSIONS, "bound"),
            resampling.interval(samples[name]).swapaxes(0, 1),
            {
                **attributes,
                "long_name": f"95 % interval of the {long_name}",
                "definition": f"95 % bootstrap interval of {name} over initial conditions",
            },
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        data["rank_histogram"] = (
            (*DIMENSIONS, "rank"),
            ranks / ranks.sum(axis=-1, keepdims=True),
            {
                "long_name": "rank histogram",
                "units": "1",
                "definition": "part of the valid cells of all initial conditions in which the truth has each rank "
                "among the members, 0 below all of them; among equal members the rank is drawn; cells where a member "
                "is not finite are left out; all parts alike: reliable",
            },
        )
    data["finite_members"] = (
        "lead_time",
        resampling.means(records.finite[..., None])[0][:, 0],
        {
            "long_name": "members without missing values",
            "units": "1",
            "definition": f"number of the {members} members that are finite in all valid cells, averaged "
            "over initial conditions",
        },
    )
    ranks_axis = np.arange(ranks.shape[-1])
    return xr.Dataset(
        data,
        coords={"rank": ("rank", ranks_axis, {"long_name": "rank of the truth", "units": "1"})},
    )


def lost_members(name: str, scores: xr.Dataset, leads: Int[np.ndarray, " lead"]) -> list[str]:
    """Return a sentence where members hold missing values, from what `score_ensemble` gave.

    Args:
        name: Name of the model.
        scores: Scores of its members.
        leads: Numbers of the leads.
    """
    finite, members = scores["finite_members"].values, scores.sizes["rank"] - 1
    lost = np.flatnonzero(finite < members)
    if not lost.size:
        return []
    return [
        f"{name}: of {members} members on average {finite[lost[0]]:.3g} are without missing values at step "
        f"{leads[lost[0]]} and {finite[-1]:.3g} at step {leads[-1]}; scores of the members and of their mean are "
        "missing or infinite there."
    ]


def beside_references(scores: xr.Dataset, ensembles: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return the CRPS of every forecast: of ensembles that of their members, of single forecasts their mae.

    Args:
        scores: Scores with `mae` and its interval, of all forecasts.
        ensembles: What `score_ensemble` gave of the ensembles among them, by name.

    Returns:
        `crps_by_forecast` (forecast, variable, lead_time) with its interval.
    """
    data = {}
    for ending in ("", "_interval"):
        each = scores[f"mae{ending}"].copy()
        for name, part in ensembles.items():
            each.loc[{"forecast": name}] = part[f"crps{ending}"].values
        attributes = {
            "long_name": f"{'95 % interval of the ' if ending else ''}continuous ranked probability score",
            "definition": "of ensembles the fair CRPS of their members, of single forecasts their mae, which is what "
            "the CRPS of one value is",
        }
        data[f"crps_by_forecast{ending}"] = each.assign_attrs(attributes)
    return xr.Dataset(data)
