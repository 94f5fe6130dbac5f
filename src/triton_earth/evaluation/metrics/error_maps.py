"""Where forecasts err: maps of root mean square error and mean error over the initial conditions, at a few leads."""

import math
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.alignment import spread_leads
from triton_earth.evaluation.results import Results

MOST_LEADS = 3
"""Leads that have maps: the first, one half-way and the last."""

MOST_VARIABLES = 8
"""Variables that have maps, the first ones."""

MOST_VALUES = 2**24
"""Values of one kind of map that are kept at most: of very large grids fewer variables have maps."""

DIMENSIONS = ("model", "map_lead_time", "variable", "y", "x")

Sums = Float64[np.ndarray, "model lead variable y x"]


class ErrorMaps(Aggregator):
    """Adds the errors of the models over initial conditions, cell by cell.

    Attributes:
        leads: Positions of the leads that have maps.
        count: Number of fields that were added, of each lead.
        errors: Sum of forecast − truth.
        squares: Sum of (forecast − truth)².
    """

    INIT_AXES: ClassVar = {"count": None, "errors": None, "squares": None}

    def __init__(self, case: Case) -> None:
        """Begin with zero."""
        models, leads = len(case.models), spread_leads(case.shape[1], MOST_LEADS)
        self._variables = mapped_variables(models, len(case.variables), math.prod(case.grid.shape))
        self.leads = leads
        self.count: Int[np.ndarray, " lead"] = np.zeros(len(leads), np.int64)
        shape = (models, len(leads), self._variables, *case.grid.shape)
        self.errors: Sums = np.zeros(shape)
        self.squares: Sums = np.zeros(shape)

    def add(self, batch: Batch) -> None:
        """Add the errors of some initial conditions, where the lead is one of those with maps."""
        for position in np.flatnonzero(self.leads == batch.lead).tolist():
            self.count[position] += len(batch.rows)
            chosen = slice(0, self._variables)
            truth = batch.truth[:, chosen].astype(np.float64)
            for model in range(len(self.errors)):
                with np.errstate(invalid="ignore", over="ignore"):
                    error = batch.fields[model][:, chosen] - truth
                    self.errors[model, position] += error.sum(axis=0)
                    self.squares[model, position] += (error**2).sum(axis=0)

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return `map_rmse` and `map_bias` (model, variable, map_lead_time, y, x).

        They are NaN where a variable is not scored, and of variables without maps.
        """
        case, results = finished.case, Results(finished.bootstrap)
        with np.errstate(invalid="ignore", divide="ignore"):
            count = self.count.reshape(1, -1, 1, 1, 1)
            bias, rmse = self.errors / count, np.sqrt(self.squares / count)
        units = [variable.units for variable in case.variables]
        for name, values, long_name, definition in (
            ("map_rmse", rmse, "root mean square error", "square root of the mean of (forecast - truth) squared"),
            ("map_bias", bias, "mean error", "mean of (forecast - truth)"),
        ):  # fmt: skip
            results.add_plain(
                name,
                DIMENSIONS,
                self._whole(case, values),
                long_name=f"{long_name} at each place",
                units=units,
                definition=f"{definition} over the initial conditions in each cell, at some leads, of the first "
                f"{values.shape[2]} variables",
            )
        y, x = case.grid.axes
        title = {"long_name": "lead time of the maps"}
        return results.dataset(
            {
                "model": ("model", list(case.names[: len(case.models)]), {"long_name": "model"}),
                "map_lead_time": ("map_lead_time", case.lead_times[self.leads], title),
                "y": ("y", case.grid.y, {"long_name": y}),
                "x": ("x", case.grid.x, {"long_name": x}),
            }
        )

    def _whole(self, case: Case, values: Sums) -> np.ndarray:
        """Return maps of all variables, NaN where nothing is scored or known."""
        shape = (*values.shape[:2], len(case.variables), *values.shape[3:])
        found = np.full(shape, np.nan, np.float32)
        with np.errstate(over="ignore"):
            found[:, :, : values.shape[2]] = np.where(np.isfinite(values), values, np.nan)
        if case.valid_mask is not None:
            found[:, :, ~case.valid_mask] = np.nan
        return found


def mapped_variables(models: int, variables: int, cells: int) -> int:
    """Return how many variables have maps."""
    return max(1, min(variables, MOST_VARIABLES, MOST_VALUES // (models * MOST_LEADS * cells)))
