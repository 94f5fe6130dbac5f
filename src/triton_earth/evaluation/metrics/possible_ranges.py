"""Possible ranges: whether values of forecasts and truth are such as their variable can have on Earth."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Float64, Int

from triton_earth.core.wording import one_variable, units_of, variable_words
from triton_earth.data.sources.values.possible_values import Possible, possible_values_of
from triton_earth.evaluation.aggregator import TRUTH_NAME, Aggregator, Batch, Case, Finished
from triton_earth.evaluation.results import Results

IMPOSSIBLE = "impossible_values"
"""Score that counts them."""
LIMITS = ("lowest_possible", "highest_possible")
"""Scores that say which values are possible."""
EXTREMES = ("lowest_value", "highest_value")
"""Scores that say which there are."""


class PossibleRanges(Aggregator):
    """Keeps the lowest and highest value of the models (of each member) and the truth, and counts impossible ones.

    Values that are not finite are no part of it. A field costs two passes over its valid cells.

    Attributes:
        lowest: Lowest value; +∞ where there is none.
        highest: Highest value; −∞ where there is none.
        impossible: Number of values that the variable cannot have.
        first: Number of the first lead with such a value; 0 where there is none.
    """

    INIT_AXES: ClassVar = {"lowest": 1, "highest": 1, "impossible": 1, "first": 1}

    def __init__(self, case: Case) -> None:
        """Begin without values."""
        self._mask, self._numbers = case.defined, case.alignment.numbers
        self._possible = [possible_values_of(variable) for variable in case.variables]
        shape = (len(case.models) + 1, case.shape[0], len(case.variables))
        self.lowest: Float64[np.ndarray, "source init variable"] = np.full(shape, np.inf)
        self.highest: Float64[np.ndarray, "source init variable"] = np.full(shape, -np.inf)
        self.impossible: Int[np.ndarray, "source init variable"] = np.zeros(shape, np.int64)
        self.first: Int[np.ndarray, "source init variable"] = np.zeros(shape, np.int64)

    def add(self, batch: Batch) -> None:
        """Keep the extremes of some initial conditions at one lead."""
        lead = int(self._numbers[batch.lead])
        for source, fields in enumerate([*batch.members, batch.truth[:, None]]):
            valid = fields if self._mask is None else np.where(self._mask, fields, np.nan)
            lowest, highest = _extremes(valid)
            at = (source, batch.rows)
            self.lowest[at] = np.fmin(self.lowest[at], lowest)
            self.highest[at] = np.fmax(self.highest[at], highest)
            for channel, possible in enumerate(self._possible):
                if possible is None:
                    continue
                outside = (lowest[:, channel] < possible.lowest) | (
                    highest[:, channel] > possible.highest
                )
                for place in np.flatnonzero(outside).tolist():
                    cell = source, int(batch.rows[place]), channel
                    wrong = _count(valid[place, :, channel], possible)
                    self.impossible[cell] += wrong
                    if wrong and not self.first[cell]:
                        self.first[cell] = lead

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return counts and ranges.

        Returns:
            `impossible_values`, `first_impossible`, `lowest_value`, `highest_value` (source, variable), NaN for
            baselines; `lowest_possible`, `highest_possible` (variable), NaN where nobody can tell.
        """
        case, results = finished.case, Results(finished.bootstrap)
        units = [variable.units for variable in case.variables]
        kept = [*range(len(case.models)), case.sources - 1]

        def of_sources(values: np.ndarray) -> Float64[np.ndarray, "source variable"]:
            whole = np.full((case.sources, len(case.variables)), np.nan)
            whole[kept] = np.where(np.isfinite(values), values, np.nan)
            return whole

        first = np.where(self.first > 0, self.first, np.inf).min(axis=1, initial=np.inf)
        told = (
            (IMPOSSIBLE, self.impossible.sum(axis=1), "1", "number of impossible values",
             "values of valid cells at scored leads that the variable cannot have on Earth"),
            ("first_impossible", first, "1", "first lead with impossible values",
             "number of the first lead at which any initial condition has impossible values"),
            (EXTREMES[0], self.lowest.min(axis=1, initial=np.inf), units, "lowest value",
             "lowest finite value of all valid cells, scored leads and initial conditions"),
            (EXTREMES[1], self.highest.max(axis=1, initial=-np.inf), units, "highest value",
             "highest finite value of all valid cells, scored leads and initial conditions"),
        )  # fmt: skip
        for name, values, of_units, long_name, definition in told:
            results.add_plain(
                name,
                ("source", "variable"),
                of_sources(values),
                long_name=long_name,
                units=of_units,
                definition=f"{definition}; of models and truth",
            )
        for name, values, words in zip(
            LIMITS, self._limits(case), ("least", "largest"), strict=True
        ):
            results.add_plain(
                name,
                ("variable",),
                values,
                long_name=f"{words} possible value",
                units=units,
                definition=f"{words} value that the variable can have on Earth, with a wide margin; missing where "
                "nobody can tell",
            )
        return results.dataset()

    def remarks(self, finished: Finished) -> list[str]:
        """Name the variables of models and truth that have impossible values."""
        case = finished.case
        names = {"source": [*case.names, TRUTH_NAME], "variable": case.variables.names}
        return list(impossible_ranges(self.scores(finished).assign_coords(names)))

    @staticmethod
    def _limits(case: Case) -> tuple[np.ndarray, np.ndarray]:
        found = [possible_values_of(variable) for variable in case.variables]
        nothing = Possible(np.nan, np.nan, "1", "")
        pairs = (
            [(one or nothing).lowest for one in found],
            [(one or nothing).highest for one in found],
        )
        lowest, highest = (np.array(values, np.float64) for values in pairs)
        return lowest, highest


def impossible_ranges(scores: xr.Dataset, sources: list[str] | None = None) -> Iterator[str]:
    """Yield a sentence for each variable of a model or the truth that has impossible values.

    Args:
        scores: Scores with those of `PossibleRanges`; there are no sentences where these are missing.
        sources: Names of the models, or `truth`; all if not given.
    """
    if IMPOSSIBLE not in scores:
        return
    for source in scores["source"].values if sources is None else sources:
        for variable in scores["variable"].values:
            at = {"source": source, "variable": variable}
            count = float(scores[IMPOSSIBLE].sel(at))
            if not count > 0:
                continue
            lowest, highest = (float(scores[name].sel(at)) for name in EXTREMES)
            least, most = (float(scores[name].sel(variable=variable)) for name in LIMITS)
            units = units_of(one_variable(scores[EXTREMES[0]], str(variable)))
            units = f" {units}" if units else ""
            bounds = (
                f"below {least:.4g}" if np.isinf(most) else f"outside {least:.4g} to {most:.4g}"
            )
            whose = "the truth" if source == TRUTH_NAME else str(source)
            words = variable_words(scores, str(variable))
            yield (
                f"{words} of {whose} reaches from {lowest:.5g} to {highest:.5g}{units}: {count:.0f} values are "
                f"{bounds}{units}, which is impossible on Earth, the first at step "
                f"{float(scores['first_impossible'].sel(at)):.0f}."
            )


def _extremes(
    fields: Float[np.ndarray, "batch member channel y x"],
) -> tuple[Float64[np.ndarray, "batch channel"], Float64[np.ndarray, "batch channel"]]:
    """Return the lowest and highest finite values, NaN where there are none."""

    def both(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ends = (np.fmin.reduce(values, axis=(1, 3, 4)), np.fmax.reduce(values, axis=(1, 3, 4)))
        return ends[0].astype(np.float64), ends[1].astype(np.float64)

    lowest, highest = both(fields)
    if np.isinf(lowest).any() or np.isinf(highest).any():
        lowest, highest = both(np.where(np.isfinite(fields), fields, np.nan))
    return lowest, highest


def _count(values: Float[np.ndarray, "member y x"], possible: Possible) -> int:
    """Return how many of some values cannot be."""
    there = values[np.isfinite(values)].astype(np.float64)
    lowest, highest = possible.limits(float(there.mean()), float(there.max()))
    return int(((there < lowest) | (there > highest)).sum())
