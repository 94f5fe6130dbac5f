"""Error metrics in each of several regions: the same sums as everywhere, over the cells of each."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.metrics.error_sums import COUNT
from triton_earth.evaluation.metrics.errors import Sums, error_scores, put_sums
from triton_earth.evaluation.regions.named_regions import NamedRegion, describe_regions
from triton_earth.evaluation.results import Results

DIMENSIONS = ("region", "forecast", "lead_time", "variable")

SUFFIX = "_by_region"
"""What the name of a score ends in that has a dimension `region`."""


@dataclass(frozen=True)
class ByRegion(Family):
    """Scores of regions.

    Attributes:
        regions: The regions, in order.
    """

    regions: tuple[NamedRegion, ...]

    def check(self, case: Case) -> list[str]:
        """Say which regions have scores, and what is not defined there."""
        return describe_regions(self.regions)

    def start(self, case: Case) -> list[Aggregator]:
        """Return the aggregator of the sums of each region."""
        return [ErrorsByRegion(case, self.regions)]


class ErrorsByRegion(Aggregator):
    """Keeps the sums that error metrics follow from, of each region.

    Attributes:
        regions: The regions, in order.
        sums: Sums of the fields; zero where there is no truth.
        anomaly_sums: The same of the departures from climatology, or None where there is none.
    """

    INIT_AXES: ClassVar = {"sums": 3, "anomaly_sums": 3}

    def __init__(self, case: Case, regions: tuple[NamedRegion, ...]) -> None:
        """Begin without sums."""
        self._weights, self._valid_mask = case.weights, case.valid_mask
        self.regions = regions
        sources, variables = len(case.forecasts), len(case.variables)
        shape = (len(regions), COUNT, sources, *case.shape, variables)
        self.sums: Float64[np.ndarray, "region sum source init lead variable"] = np.zeros(shape)
        self.anomaly_sums: Float64[np.ndarray, "region sum source init lead variable"] | None = None
        if case.baselines.climatology is not None:
            self.anomaly_sums = np.zeros(shape)

    def add(self, batch: Batch) -> None:
        """Keep the sums over the cells of each region of some initial conditions at one lead."""
        for number, region in enumerate(self.regions):
            cells = np.broadcast_to(region.cells, batch.truth.shape[1:])
            mask = cells if self._valid_mask is None else self._valid_mask & cells
            put_sums(batch, self._weights, mask, self.sums[number], self._anomalies(number))

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return every metric and paired difference as NAME_by_region (region, forecast, variable, lead_time).

        They are NaN where a variable is not defined in a region; `region_description` (region) says which cells it has.
        """
        case, bootstrap, results = finished.case, finished.bootstrap, Results(finished.bootstrap)
        estimates: list[list[np.ndarray]] = []
        bounds: list[list[np.ndarray]] = []
        for number, region in enumerate(self.regions):
            there = np.array([variable.name not in region.without for variable in case.variables])
            sums, anomaly_sums = self._of(number, there)
            estimates.append([])
            bounds.append([])
            for score in error_scores(case, sums, anomaly_sums):
                pairs = [(one[0], bootstrap.interval(one)) for one in score.samples(bootstrap)]
                values, intervals = (np.stack(part) for part in zip(*pairs, strict=True))
                estimates[-1].append(_of_all(values, there))
                bounds[-1].append(_of_all(intervals, there))
        for position, score in enumerate(error_scores(case, self.sums[0], self._anomalies(0))):
            results.add_with_bounds(
                f"{score.name}{SUFFIX}",
                DIMENSIONS,
                np.stack([of_region[position] for of_region in estimates]),
                np.stack([of_region[position] for of_region in bounds]),
                long_name=f"{score.long_name} by region",
                units=score.units(case.variables),
                definition=f"{score.name} over the cells of each region",
            )
        names = [region.name for region in self.regions]
        descriptions = [region.description for region in self.regions]
        return results.dataset(
            {
                "region": ("region", names, {"long_name": "region"}),
                "region_description": ("region", descriptions, {"long_name": "which cells it has"}),
            }
        )

    def _anomalies(self, number: int) -> Sums | None:
        return None if self.anomaly_sums is None else self.anomaly_sums[number]

    def _of(self, number: int, there: Bool[np.ndarray, " all"]) -> tuple[Sums, Sums | None]:
        """Return the sums of those variables that are defined in a region."""
        anomaly_sums = self._anomalies(number)
        chosen = None if anomaly_sums is None else anomaly_sums[..., there]
        return self.sums[number][..., there], chosen


def _of_all(
    values: Float64[np.ndarray, "forecast lead some *bound"], there: Bool[np.ndarray, " variable"]
) -> Float64[np.ndarray, "forecast lead variable *bound"]:
    """Return values of some variables as values of all, NaN of the others."""
    filled = np.full((*values.shape[:2], len(there), *values.shape[3:]), np.nan)
    filled[:, :, there] = values
    return filled
