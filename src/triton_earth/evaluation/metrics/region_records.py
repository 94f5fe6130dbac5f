"""What is kept of every forecast in each of several regions: the same sums as everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.metrics.error_sums import COUNT, ErrorSums, error_sums
from triton_earth.evaluation.named_regions import NamedRegion
from triton_earth.evaluation.passing import Passing
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights


@dataclass(frozen=True)
class RegionRecords:
    """The sums of `ErrorSums` in regions, for forecasts and references.

    Attributes:
        regions: The regions, in order.
        sums: Sums of the fields; zero where there is no truth.
        anomaly_sums: The same of the anomalies from climatology, or None where there is none.
    """

    regions: tuple[NamedRegion, ...]
    sums: Float64[np.ndarray, "region sum source init lead variable"]
    anomaly_sums: Float64[np.ndarray, "region sum source init lead variable"] | None

    @classmethod
    def join(cls, parts: Sequence["RegionRecords"]) -> "RegionRecords":
        """Return the sums of consecutive initial conditions."""
        anomalies = [part.anomaly_sums for part in parts if part.anomaly_sums is not None]
        return cls(
            parts[0].regions,
            np.concatenate([part.sums for part in parts], axis=3),
            np.concatenate(anomalies, axis=3) if anomalies else None,
        )

    def errors(self, region: int, variables: Sequence[int]) -> list[ErrorSums]:
        """Return the sums of some variables in one region for every source, [init, lead, variable]."""
        return _by_source(self.sums[region], variables)

    def anomalies(self, region: int, variables: Sequence[int]) -> list[ErrorSums]:
        """Return the same of the anomalies; nothing without a climatology."""
        return [] if self.anomaly_sums is None else _by_source(self.anomaly_sums[region], variables)


class RegionRecorder:
    """Adds up the cells of each region.

    Attributes:
        records: What it has kept.
    """

    def __init__(
        self,
        forecast: Forecasts,
        truth: Truth,
        alignment: Alignment,
        regions: Sequence[NamedRegion],
        *,
        sources: int,
        with_anomalies: bool,
        region: Place | None = None,
        weights_name: WeightsName = "cell_area",
    ) -> None:
        """Say what to keep.

        Args:
            forecast: Stored forecasts.
            truth: The truth.
            alignment: Which belong together.
            regions: The regions.
            sources: Number of forecasts and references.
            with_anomalies: Whether there is a climatology.
            region: Where all scores are taken; None: everywhere.
            weights_name: Which cell weights.
        """
        self._weights = cell_weights(forecast.grid, weights_name)
        self._valid = TruthReader(forecast, truth, alignment, region).valid_mask
        shape = (len(regions), COUNT, sources, *alignment.available.shape, len(forecast.variables))
        anomaly_sums = np.zeros(shape) if with_anomalies else None
        self.records = RegionRecords(tuple(regions), np.zeros(shape), anomaly_sums)

    def put(self, passing: Passing) -> None:
        """Keep the sums of some initial conditions at one lead."""
        at = (passing.rows, passing.lead)
        anomaly_sums, mean = self.records.anomaly_sums, passing.climatology
        for number, region in enumerate(self.records.regions):
            cells = np.broadcast_to(region.cells, passing.truth.shape[1:])
            mask = cells if self._valid is None else self._valid & cells
            for source, field in enumerate(passing.fields):
                found = error_sums(field, passing.truth, self._weights, mask)
                self.records.sums[number][:, source, *at] = found.to_array()
                if anomaly_sums is not None and mean is not None:
                    found = error_sums(field - mean, passing.truth - mean, self._weights, mask)
                    anomaly_sums[number][:, source, *at] = found.to_array()


def _by_source(
    sums: Float64[np.ndarray, "sum source init lead variable"], variables: Sequence[int]
) -> list[ErrorSums]:
    return [ErrorSums(*one) for one in sums[..., list(variables)].swapaxes(0, 1)]
