"""Streaming: what is kept of every forecast while fields pass through memory a few at a time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from triton_earth.core.errors import UserError
from triton_earth.core.progress import progress
from triton_earth.evaluation.alignment import Alignment, Forecasts, Truth
from triton_earth.evaluation.flow_records import FlowRecords
from triton_earth.evaluation.statistics import COUNT, ErrorSums, error_sums

FORECAST, PERSISTENCE, TRUTH = 0, 1, 2
"""Positions along the source axis of the records."""

VALUES_IN_MEMORY = 2**22
"""Field values of one kind (forecast, truth) held at a time, unless one field or one stored chunk has more."""


@dataclass(frozen=True)
class Records:
    """Everything that scores are made of; no fields.

    Attributes:
        sums: The sums of `ErrorSums` for forecast and persistence, [sum, source, init, lead, variable]; zero where
            there is no truth.
        flow: Energy and enstrophy of forecast, persistence and truth, or None where they cannot be computed.
    """

    sums: Float64[np.ndarray, "sum source init lead variable"]
    flow: FlowRecords | None

    def errors(self, source: int) -> ErrorSums:
        """Return the sums of one source, [init, lead, variable]."""
        return ErrorSums(*self.sums[:, source])


def record(forecast: Forecasts, truth: Truth, alignment: Alignment) -> Records:
    """Read every forecast and its truth once, a few fields at a time, and keep their sums and spectra.

    Args:
        forecast: Stored forecasts.
        truth: The truth.
        alignment: Which belong together.

    Returns:
        The records; their size per forecast and lead does not depend on the grid.

    Raises:
        UserError: if the truth is not finite in a valid cell; the message names the place.
    """
    reader = TruthReader(forecast, truth, alignment)
    weights = forecast.grid.cell_area_weights
    inits, leads = alignment.available.shape
    sums = np.zeros((COUNT, 2, inits, leads, len(forecast.variables)))
    flow = FlowRecords.empty(
        forecast.variables, forecast.grid, reader.valid_mask, sources=3, inits=inits, leads=leads
    )
    batch, block = _portions(forecast, inits)
    with progress("evaluating", inits * leads) as advance:
        for rows in _slices(inits, batch):
            initial = np.concatenate([reader.read(row, np.zeros(1, int)) for row in _in(rows)])
            held = None if flow is None else flow.spectra(initial)
            for columns in _slices(leads, block):
                truths = [reader.read_available(row, columns) for row in _in(rows)]
                for lead in _in(columns):
                    # A truth that has ended does not begin again: the first of `truths` are the ones there.
                    here = np.flatnonzero(alignment.available[rows, lead])
                    if here.size == 0:
                        continue
                    at = (rows.start + here, lead)
                    fields = forecast.read(rows, int(alignment.leads[lead]))[here]
                    true = np.stack([truths[row][lead - columns.start] for row in here])
                    for source, field in ((FORECAST, fields), (PERSISTENCE, initial[here])):
                        found = error_sums(field, true, weights, reader.valid_mask)
                        sums[:, source, *at] = found.to_array()
                    if flow is not None and held is not None:
                        flow.put(FORECAST, *at, flow.spectra(fields))
                        flow.put(PERSISTENCE, *at, held.select(here))
                        flow.put(TRUTH, *at, flow.spectra(true))
                advance((rows.stop - rows.start) * (columns.stop - columns.start))
    return Records(sums, flow)


class TruthReader:
    """Reads the truth of a forecast and refuses values that are not finite.

    Attributes:
        valid_mask: Valid cells of the forecast's variables, or None.
    """

    def __init__(self, forecast: Forecasts, truth: Truth, alignment: Alignment) -> None:
        self._truth, self._alignment = truth, alignment
        self._names = forecast.variables.names
        self._trajectories = forecast.trajectories
        self.valid_mask: Bool[np.ndarray, "channel y x"] | None = (
            None if truth.valid_mask is None else truth.valid_mask[alignment.channels]
        )

    def read_available(
        self, row: int, columns: slice
    ) -> Float32[np.ndarray, "available channel y x"]:
        """Read the truth at those of some leads that it reaches."""
        there = self._alignment.available[row, columns]
        return self.read(row, self._alignment.offsets[columns][there])

    def read(
        self, row: int, offsets: Int[np.ndarray, " lead"]
    ) -> Float32[np.ndarray, "lead channel y x"]:
        """Read the truth of one forecast, the forecast's variables in its order.

        Args:
            row: Number of the forecast.
            offsets: Steps of the truth since the initial time.

        Raises:
            UserError: if a value in a valid cell is not finite; the message names the place.
        """
        trajectory = int(self._trajectories[row])
        times = self._alignment.starts[row] + offsets
        runs = np.split(times, np.flatnonzero(np.diff(times) != 1) + 1)
        fields = [
            self._truth.read(trajectory, slice(int(run[0]), int(run[-1]) + 1))
            for run in runs
            if run.size
        ]
        if not fields:
            return np.empty((0, len(self._names), *self._truth.grid.shape), np.float32)
        chosen = np.concatenate(fields)[:, self._alignment.channels]
        self._require_finite(chosen, trajectory, times)
        return chosen

    def _require_finite(self, fields: np.ndarray, trajectory: int, times: np.ndarray) -> None:
        bad = ~np.isfinite(fields)
        if self.valid_mask is not None:
            bad &= self.valid_mask
        if not bad.any():
            return
        time, channel, y, x = (int(index) for index in np.argwhere(bad)[0])
        raise UserError(
            f"the truth holds {int(bad.sum())} values that are not finite, the first in '{self._names[channel]}' of "
            f"trajectory {trajectory} at time {self._truth.times[times[time]]}, cell ({y}, {x}). "
            "Repair the store, or mark those cells as undefined in its valid mask."
        )


def _portions(forecast: Forecasts, inits: int) -> tuple[int, int]:
    """Return how many forecasts and how many leads of them are in memory together."""
    per_field = len(forecast.variables) * forecast.grid.shape[0] * forecast.grid.shape[1]
    chunk = max(1, forecast.chunk_inits)
    batch = min(inits, chunk * max(1, VALUES_IN_MEMORY // (16 * chunk * per_field)))
    return batch, max(1, VALUES_IN_MEMORY // (batch * per_field))


def _slices(total: int, portion: int) -> list[slice]:
    return [slice(first, min(first + portion, total)) for first in range(0, total, portion)]


def _in(chosen: slice) -> range:
    return range(chosen.start, chosen.stop)
