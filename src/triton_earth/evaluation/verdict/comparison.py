"""Forecasts beside each other: which are judged, and where a difference in error is more than chance."""

import numpy as np
import xarray as xr

from triton_earth.core.wording import is_baseline
from triton_earth.evaluation.metrics.errors import difference_name


def models(scores: xr.Dataset) -> list[str]:
    """Return the forecasts that are judged: all but the baselines, or all where there is nothing else."""
    names = [str(name) for name in scores["forecast"].values]
    return [name for name in names if not is_baseline(name)] or names


def cases(scores: xr.Dataset) -> int | None:
    """Return how many initial conditions were scored, or None where that is not said."""
    if "initial_conditions" in scores and scores["initial_conditions"].size:
        return int(scores["initial_conditions"].max())
    return scores.sizes.get("init")


def relative_difference(scores: xr.Dataset, opponent: str) -> xr.DataArray:
    """Return by how many percent the mean square error of every forecast differs from that of an opponent.

    It is NaN where the opponent has no error.
    """
    mse = scores["mse"]
    held = mse.sel(forecast=opponent, drop=True)
    return 100 * (mse / held.where(held > 0) - 1)


def beyond_chance(scores: xr.Dataset, opponent: str, suffix: str = "") -> xr.DataArray:
    """Return whether the mean square error of every forecast surely differs from that of an opponent.

    Args:
        scores: Scores with the interval of the paired difference.
        opponent: A baseline or another model.
        suffix: Ending of the names of scores that have another dimension, such as ``_by_region``.

    Returns:
        −1 where the whole interval of the difference is below zero (better), 1 where it is above (worse), else 0.

    Raises:
        KeyError: if the difference from the opponent is not in `scores`.
    """
    bounds = scores[f"{difference_name(opponent)}{suffix}_interval"]
    below = bounds.sel(bound="upper", drop=True) < 0
    above = bounds.sel(bound="lower", drop=True) > 0
    return above.astype(np.int64) - below.astype(np.int64)


def against_baselines(scores: xr.Dataset, suffix: str = "") -> xr.DataArray | None:
    """Return −1 where a forecast is surely better than every baseline, 1 where surely worse than any, else 0.

    Args:
        scores: Scores with the intervals of paired differences.
        suffix: As for `beyond_chance`.

    Returns:
        As `beyond_chance`; None where no difference from a baseline is in `scores`.
    """
    names = [str(name) for name in scores["forecast"].values if is_baseline(str(name))]
    there = [name for name in names if f"{difference_name(name)}{suffix}_interval" in scores]
    found = [beyond_chance(scores, name, suffix) for name in there]
    return xr.concat(found, dim="baseline").max("baseline") if found else None
