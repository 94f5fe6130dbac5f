"""Scores beside their intervals: names, dimensions, units and definitions in one place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.evaluation.bootstrap import Bootstrap

ORDER = ("region", "forecast", "source", "model", "variable", "velocity", "latitude_band")
"""Dimensions that come before that of the leads, in this order; all others come after it."""

REPORT = "report"
"""Attribute of a score that says where the report shows it."""

Place = Literal["", "curves"]

Samples = Float64[np.ndarray, "sample *shape"]
"""A score of the data first, then of each resample."""


def join_units(units: Iterable[str]) -> str:
    """Return the units of several variables: once where all are the same."""
    names = list(units)
    return names[0] if len(set(names)) == 1 else "; ".join(names)


def squared_units(units: str) -> str:
    """Return the units of the square of a variable."""
    return "1" if units == "1" else f"({units})2"


class Results:
    """Scores that are put together into a dataset.

    Attributes:
        bootstrap: Bootstrap of the initial conditions, which gives the intervals.
        data: The scores so far.
    """

    def __init__(self, bootstrap: Bootstrap) -> None:
        """Begin without scores."""
        self.bootstrap = bootstrap
        self.data: dict[str, tuple] = {}

    def add(
        self,
        name: str,
        dimensions: Sequence[str],
        samples: Samples | Iterable[Samples],
        *,
        long_name: str,
        units: str | Iterable[str],
        definition: str,
        joined: bool = False,
        at: Bootstrap | None = None,
        note: str = "",
        report: Place = "",
    ) -> None:
        """Add a score with its interval, as NAME and NAME_interval (…, bound).

        Args:
            name: What the score is called.
            dimensions: Its dimensions in the order of the arrays; they are brought into the order of score files.
            samples: The score of the data, then of each resample, as `Bootstrap.means` gives them; an iterable of such
                arrays has the first of the dimensions, and one of them at a time is held.
            long_name: The score in words.
            units: Its units; of each variable where they differ.
            definition: What it is.
            joined: Whether it joins several leads.
            at: Bootstrap at the leads of the score, where these are not all.
            note: What else is to be said of the interval.
            report: Where the report shows it, for a score that no section knows by its name: ``curves`` for one over
                forecast, variable and lead_time, beside those of the package.
        """
        bootstrap = at or self.bootstrap
        interval = bootstrap.joined_interval if joined else bootstrap.interval
        if isinstance(samples, np.ndarray):
            estimates, bounds = samples[0], interval(samples)
        else:
            pairs = [(one[0], interval(one)) for one in samples]
            estimates, bounds = (np.stack(values) for values in zip(*pairs, strict=True))
        self.add_with_bounds(
            name,
            dimensions,
            estimates,
            bounds,
            long_name=long_name,
            units=units,
            definition=definition,
            note=note,
            report=report,
        )

    def add_with_bounds(
        self,
        name: str,
        dimensions: Sequence[str],
        estimates: Float64[np.ndarray, "*shape"],
        bounds: Float64[np.ndarray, "*shape 2"],
        *,
        long_name: str,
        units: str | Iterable[str],
        definition: str,
        note: str = "",
        report: Place = "",
    ) -> None:
        """Add a score whose interval is known; arguments are those of `add`."""
        shown = {REPORT: report} if report else {}
        self.add_plain(
            name,
            dimensions,
            estimates,
            long_name=long_name,
            units=units,
            definition=definition,
            **shown,
        )
        self.add_plain(
            f"{name}_interval",
            (*dimensions, "bound"),
            bounds,
            long_name=f"95 % interval of the {long_name}",
            units=units,
            definition=f"95 % bootstrap interval of {name} over initial conditions{note}",
        )

    def add_plain(
        self,
        name: str,
        dimensions: Sequence[str],
        values: np.ndarray,
        *,
        long_name: str,
        definition: str,
        units: str | Iterable[str] | None = None,
        **attributes: str,
    ) -> None:
        """Add a score without an interval; arguments are those of `add`."""
        words = {"long_name": long_name, "definition": definition, **attributes}
        if units is not None:
            words["units"] = units if isinstance(units, str) else join_units(units)
        ordered = sorted(range(len(dimensions)), key=lambda axis: _rank(dimensions[axis]))
        names = tuple(dimensions[axis] for axis in ordered)
        self.data[name] = (names, np.transpose(values, ordered), words)

    def dataset(self, coordinates: Mapping[str, Any] | None = None) -> xr.Dataset:
        """Return all of them.

        Args:
            coordinates: Of dimensions that not all scores have.
        """
        return xr.Dataset(self.data, coords=coordinates)


def _rank(dimension: str) -> int:
    """Return where a dimension stands among those of a score."""
    if dimension in ORDER:
        return ORDER.index(dimension)
    if dimension == "bound":
        return len(ORDER) + 2
    return len(ORDER) if dimension.endswith("lead_time") else len(ORDER) + 1
