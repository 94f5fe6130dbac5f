"""Streaming: what is kept of every forecast while fields pass through memory a few at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from triton_earth.core.errors import UserError
from triton_earth.core.progress import progress
from triton_earth.evaluation.alignment import Alignment, Ensembles, Forecasts, Truth
from triton_earth.evaluation.baselines import Baselines, fit_baselines
from triton_earth.evaluation.metrics.error_sums import COUNT, ErrorSums, error_sums
from triton_earth.evaluation.metrics.extremes import Extremes
from triton_earth.evaluation.metrics.similarity import structural_similarity, value_range
from triton_earth.evaluation.metrics.totals import Totals
from triton_earth.evaluation.passing import Passing, Recorder, read_members
from triton_earth.evaluation.places import box_of
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights
from triton_earth.evaluation.spectra.flow import FlowSpectra
from triton_earth.evaluation.spectra.isotropic import cut_to
from triton_earth.evaluation.spectra.kinds import spectrum_kinds
from triton_earth.evaluation.spectra.records import SpectrumRecords, spread
from triton_earth.rollout.member_mean import mean_over_members

FORECAST, PERSISTENCE, TRUTH = 0, 1, -1
"""Positions along the source axis of the records; other references stand between persistence and truth."""

VALUES_IN_MEMORY = 2**22
"""Field values of one kind (forecast, truth) held at a time, unless one field or one stored chunk has more."""


@dataclass(frozen=True)
class Records:
    """Everything that scores are made of; no fields.

    Attributes:
        models: Number of forecasts; they stand before the references.
        sums: The sums of `ErrorSums` for forecasts and references, [sum, source, init, lead, variable]; zero where
            there is no truth.
        anomaly_sums: The same of the anomalies from climatology, or None where there is none.
        similarity: Structural similarity of forecast and references; NaN where it does not exist.
        truth_range: Largest minus smallest value of each field of the truth.
        extremes: Quantiles of forecast, references and truth at a few leads.
        totals: Energy and enstrophy of forecast, references and truth, or None where they cannot be computed.
        spectra: Spectra of each of the `spectrum_kinds`.
    """

    models: int
    sums: Float64[np.ndarray, "sum source init lead variable"]
    anomaly_sums: Float64[np.ndarray, "sum source init lead variable"] | None
    similarity: Float64[np.ndarray, "source init lead variable"]
    truth_range: Float64[np.ndarray, "init lead variable"]
    extremes: Extremes
    totals: Totals | None
    spectra: dict[str, SpectrumRecords]

    @property
    def forecasts(self) -> range:
        """Positions of the forecasts and the references."""
        return range(self.sums.shape[1])

    @property
    def rivals(self) -> range:
        """Positions of what forecasts are compared with: the references and, of several forecasts, these too."""
        return self.forecasts if self.models > 1 else self.forecasts[1:]

    @property
    def references(self) -> range:
        """Positions of the references."""
        return self.forecasts[self.models :]

    def errors(self, source: int) -> ErrorSums:
        """Return the sums of one source, [init, lead, variable]."""
        return ErrorSums(*self.sums[:, source])

    def anomalies(self, source: int) -> ErrorSums | None:
        """Return the sums of the anomalies of one source, [init, lead, variable]."""
        return None if self.anomaly_sums is None else ErrorSums(*self.anomaly_sums[:, source])


def join(parts: Sequence[Records]) -> Records:
    """Return the records of consecutive initial conditions that were recorded apart."""
    first = parts[0]
    anomalies = [part.anomaly_sums for part in parts if part.anomaly_sums is not None]
    totals = [part.totals for part in parts if part.totals is not None]
    return Records(
        first.models,
        np.concatenate([part.sums for part in parts], axis=2),
        np.concatenate(anomalies, axis=2) if anomalies else None,
        np.concatenate([part.similarity for part in parts], axis=1),
        np.concatenate([part.truth_range for part in parts]),
        Extremes.join([part.extremes for part in parts]),
        Totals.join(totals) if totals else None,
        {
            name: SpectrumRecords.join([part.spectra[name] for part in parts])
            for name in first.spectra
        },
    )


def record(
    forecast: Forecasts,
    truth: Truth,
    alignment: Alignment,
    baselines: Baselines | None = None,
    *,
    others: Sequence[Forecasts] = (),
    region: Place | None = None,
    weights_name: WeightsName = "cell_area",
    beside: Sequence[Recorder] = (),
) -> Records:
    """Read every forecast and its truth once, a few fields at a time, and keep their sums and spectra.

    Args:
        forecast: Stored forecasts.
        truth: The truth.
        alignment: Which belong together.
        baselines: The reference forecasts; None for those of `fit_baselines`.
        others: More forecasts of the same initial conditions, variables and leads, as `match` gives them.
        region: Where scores are taken; None: everywhere.
        weights_name: Which cell weights.
        beside: Who else keeps something of the fields that pass.

    Returns:
        The records; their size per forecast and lead, but that of the spectra, does not depend on the grid.

    Raises:
        UserError: if the truth is not finite in a valid cell; the message names the place.
    """
    reader = TruthReader(forecast, truth, alignment, region)
    baselines = baselines or fit_baselines(forecast, truth, alignment)
    weights = cell_weights(forecast.grid, weights_name)
    inits, leads = alignment.available.shape
    models = (forecast, *others)
    sources = len(models) + len(baselines.references)
    sums = np.zeros((COUNT, sources, inits, leads, len(forecast.variables)))
    similarity = np.full(sums.shape[1:], np.nan)
    truth_range = np.full(sums.shape[2:], np.nan)
    climatology = baselines.climatology
    anomaly_sums = None if climatology is None else np.zeros_like(sums)
    init_times, lead_times = np.asarray(forecast.init_times), np.asarray(forecast.lead_times)
    part, inside = cut_to(box_of(region), forecast.grid)
    defined = TruthReader(forecast, truth, alignment, box_of(region)).valid_mask
    mask = None if defined is None else inside(defined)
    kinds = spectrum_kinds(forecast.variables, part, mask)
    spectra = {
        name: SpectrumRecords.empty(
            kind,
            sources=sources + 1,
            inits=inits,
            leads=np.arange(leads) if isinstance(kind, FlowSpectra) else spread(leads),
        )
        for name, kind in kinds.items()
    }
    totals = None
    if any(isinstance(kind, FlowSpectra) for kind in kinds.values()):
        totals = Totals.empty(sources=sources + 1, inits=inits, leads=leads)
    batch, block = _portions(models, inits)
    extremes = Extremes.empty(
        sources=sources + 1, inits=inits, leads=leads, variables=len(forecast.variables)
    )
    with progress("evaluating", inits * leads) as advance:
        for rows in _slices(inits, batch):
            initial = np.concatenate([reader.read_initial(row) for row in _in(rows)])
            for columns in _slices(leads, block):
                truths = [reader.read_available(row, columns) for row in _in(rows)]
                for lead in _in(columns):
                    # A truth that has ended does not begin again: the first of `truths` are the ones there.
                    here = np.flatnonzero(alignment.available[rows, lead])
                    if here.size == 0:
                        continue
                    at = (rows.start + here, lead)
                    step = int(alignment.leads[lead])
                    started = init_times[at[0]]
                    true = np.stack([truths[row][lead - columns.start] for row in here])
                    members = [read_members(model, rows, step)[here] for model in models]
                    fields = [mean_over_members(one) for one in members]
                    fields += [
                        reference.at(initial[here], started, int(alignment.numbers[lead]))
                        for reference in baselines.references
                    ]
                    for source, field in enumerate(fields):
                        found = error_sums(field, true, weights, reader.valid_mask)
                        sums[:, source, *at] = found.to_array()
                        similarity[source, *at] = structural_similarity(
                            field, true, reader.valid_mask
                        )
                    for source, field in (*enumerate(fields), (TRUTH, true)):
                        extremes.put(source, *at, field, weights, reader.valid_mask)
                    for name, kind in kinds.items():
                        if not spectra[name].keep(lead):
                            continue
                        taken = kind.spectra([inside(field) for field in (*fields, true)])
                        spectra[name].put(*at, taken)
                        if isinstance(kind, FlowSpectra) and totals is not None:
                            totals.put(*at, kind, taken)
                    truth_range[at] = value_range(true, reader.valid_mask)
                    mean = None
                    if climatology is not None and anomaly_sums is not None:
                        # In the precision of the forecasts: climatology has no anomaly, not one of rounding.
                        mean = climatology.at(started + lead_times[step]).astype(np.float32)
                        for source, field in enumerate(fields):
                            found = error_sums(
                                field - mean, true - mean, weights, reader.valid_mask
                            )
                            anomaly_sums[:, source, *at] = found.to_array()
                    passing = Passing(at[0], lead, initial[here], members, fields, true, mean)
                    for recorder in beside:
                        recorder.put(passing)
                advance((rows.stop - rows.start) * (columns.stop - columns.start))
    return Records(
        len(models),
        sums,
        anomaly_sums,
        similarity,
        truth_range,
        extremes,
        totals,
        spectra,
    )


class TruthReader:
    """Reads the truth of a forecast and refuses values that are not finite.

    Attributes:
        valid_mask: Valid cells of the forecast's variables, or None.
    """

    def __init__(
        self,
        forecast: Forecasts,
        truth: Truth,
        alignment: Alignment,
        region: Place | None = None,
    ) -> None:
        """Say what to read; of a place only the cells inside count as valid."""
        self._truth, self._alignment = truth, alignment
        self._names = forecast.variables.names
        self._trajectories = forecast.trajectories
        self.valid_mask: Bool[np.ndarray, "channel y x"] | None = (
            None if truth.valid_mask is None else truth.valid_mask[alignment.channels]
        )
        if region is not None:
            inside = np.broadcast_to(
                region.cells(truth.grid), (len(alignment.channels), *truth.grid.shape)
            )
            valid = self.valid_mask
            self.valid_mask = inside if valid is None else valid & inside

    def read_initial(self, row: int) -> Float32[np.ndarray, "1 channel y x"]:
        """Read the truth at the initial time of one forecast; NaN where it is not there."""
        if self._alignment.starts[row] >= 0:
            return self.read(row, np.zeros(1, np.int64))
        return np.full((1, len(self._names), *self._truth.grid.shape), np.nan, np.float32)

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
        self.require_finite(chosen, row, offsets)
        return chosen

    def require_finite(
        self,
        fields: Float32[np.ndarray, "lead channel y x"],
        row: int,
        offsets: Int[np.ndarray, " lead"],
    ) -> None:
        """Refuse a truth that is not finite in a valid cell.

        Args:
            fields: The truth of one forecast.
            row: Number of the forecast.
            offsets: Steps of the truth since the initial time.

        Raises:
            UserError: if a value is not finite; the message names the place.
        """
        bad = ~np.isfinite(fields)
        if self.valid_mask is not None:
            bad &= self.valid_mask
        if not bad.any():
            return
        time, channel, y, x = (int(index) for index in np.argwhere(bad)[0])
        when = self._truth.times[self._alignment.starts[row] + offsets[time]]
        raise UserError(
            f"the truth holds {int(bad.sum())} values that are not finite, the first in '{self._names[channel]}' of "
            f"trajectory {int(self._trajectories[row])} at time {when}, cell ({y}, {x}). "
            "Repair the store, or mark those cells as undefined in its valid mask."
        )


def _portions(models: Sequence[Forecasts], inits: int) -> tuple[int, int]:
    """Return how many forecasts, with all their members, and how many leads of the truth are in memory together."""
    forecast = models[0]
    per_field = len(forecast.variables) * forecast.grid.shape[0] * forecast.grid.shape[1]
    members = max(model.members if isinstance(model, Ensembles) else 1 for model in models)
    chunk = max(1, forecast.chunk_inits)
    batch = min(inits, chunk * max(1, VALUES_IN_MEMORY // (16 * chunk * members * per_field)))
    return batch, max(1, VALUES_IN_MEMORY // (batch * per_field))


def _slices(total: int, portion: int) -> list[slice]:
    return [slice(first, min(first + portion, total)) for first in range(0, total, portion)]


def _in(chosen: slice) -> range:
    return range(chosen.start, chosen.stop)
