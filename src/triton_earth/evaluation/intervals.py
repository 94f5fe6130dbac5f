"""Scores beside their intervals, as entries of a dataset."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float64

from triton_earth.evaluation.resampling import Resampling


def over_leads(
    name: str,
    dimensions: tuple[str, ...],
    values: Sequence[Float64[np.ndarray, "init lead variable *rest"]],
    resampling: Resampling,
    long_name: str,
    definition: str,
    units: Iterable[str],
) -> dict[str, tuple]:
    """Return the mean over initial conditions at each lead, and its interval.

    Args:
        name: What the score is called.
        dimensions: Of the score: forecast or source, variable, lead and the rest.
        values: Of each forecast or source.
        resampling: Bootstrap of the initial conditions at these leads.
        long_name: The score in words.
        definition: What it is.
        units: Of each variable.

    Returns:
        `name` and NAME_interval (…, bound).
    """
    samples = [resampling.means(value) for value in values]
    estimates = np.stack([sample[0] for sample in samples]).swapaxes(1, 2)
    bounds = np.stack([resampling.interval(sample) for sample in samples]).swapaxes(1, 2)
    return _both(name, dimensions, estimates, bounds, long_name, definition, units)


def overall(
    name: str,
    dimensions: tuple[str, ...],
    samples: Sequence[Float64[np.ndarray, "sample variable"]],
    resampling: Resampling,
    long_name: str,
    definition: str,
    units: Iterable[str],
) -> dict[str, tuple]:
    """Return what joins several leads, and its interval; all but `samples` is as for `over_leads`.

    Args:
        name: What the score is called.
        dimensions: Of the score: forecast, variable.
        samples: Of each forecast: of the data first, then of each resample.
        resampling: Bootstrap of the initial conditions.
        long_name: The score in words.
        definition: What it is.
        units: Of each variable.
    """
    estimates = np.stack([sample[0] for sample in samples])
    bounds = np.stack([resampling.joined_interval(sample) for sample in samples])
    return _both(name, dimensions, estimates, bounds, long_name, definition, units)


def joined(units: Iterable[str]) -> str:
    """Return the units of several variables: once where all are the same."""
    each = list(units)
    return each[0] if len(set(each)) == 1 else "; ".join(each)


def _both(
    name: str,
    dimensions: tuple[str, ...],
    estimates: np.ndarray,
    bounds: np.ndarray,
    long_name: str,
    definition: str,
    units: Iterable[str],
) -> dict[str, tuple]:
    attributes = {"long_name": long_name, "units": joined(units), "definition": definition}
    interval = {
        "long_name": f"95 % interval of the {long_name}",
        "units": attributes["units"],
        "definition": f"95 % bootstrap interval of {name} over initial conditions",
    }
    return {
        name: (dimensions, estimates, attributes),
        f"{name}_interval": ((*dimensions, "bound"), bounds, interval),
    }
