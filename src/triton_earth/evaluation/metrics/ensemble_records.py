"""What is kept of the members of an ensemble: sums over the cells of each initial condition, and ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from triton_earth.evaluation.alignment import Alignment, Ensembles, Truth
from triton_earth.evaluation.metrics.ensembles import fair_crps, rank_histogram, spread
from triton_earth.evaluation.passing import Passing
from triton_earth.evaluation.records import TruthReader
from triton_earth.evaluation.regions import Place, WeightsName, cell_weights


@dataclass(frozen=True)
class EnsembleRecords:
    """Means over the valid cells, and how often the truth had each rank; NaN and zero where there is no truth.

    Attributes:
        crps: Fair CRPS.
        variance: Variance of the members.
        error: Square error of their mean.
        finite: Number of members that are finite in all valid cells.
        ranks: Cells in which the truth has each rank, added over initial conditions.
    """

    crps: Float64[np.ndarray, "init lead variable"]
    variance: Float64[np.ndarray, "init lead variable"]
    error: Float64[np.ndarray, "init lead variable"]
    finite: Float64[np.ndarray, "init lead"]
    ranks: Int[np.ndarray, "variable lead rank"]

    @classmethod
    def empty(cls, *, inits: int, leads: int, variables: int, members: int) -> "EnsembleRecords":
        """Return records to put sums into."""
        crps, variance, error = (np.full((inits, leads, variables), np.nan) for _ in range(3))
        finite = np.full((inits, leads), np.nan)
        ranks = np.zeros((variables, leads, members + 1), np.int64)
        return cls(crps, variance, error, finite, ranks)

    @classmethod
    def join(cls, parts: Sequence["EnsembleRecords"]) -> "EnsembleRecords":
        """Return the means of consecutive initial conditions and the ranks added over them."""
        return cls(
            np.concatenate([part.crps for part in parts]),
            np.concatenate([part.variance for part in parts]),
            np.concatenate([part.error for part in parts]),
            np.concatenate([part.finite for part in parts]),
            np.sum([part.ranks for part in parts], axis=0),
        )

    @property
    def members(self) -> int:
        """Number of members."""
        return self.ranks.shape[-1] - 1


class EnsembleRecorder:
    """Keeps records of one ensemble.

    Attributes:
        records: What it has kept.
    """

    def __init__(
        self,
        forecast: Ensembles,
        model: int,
        truth: Truth,
        alignment: Alignment,
        *,
        rows: Int[np.ndarray, " init"],
        seed: int = 0,
        region: Place | None = None,
        weights_name: WeightsName = "cell_area",
    ) -> None:
        """Say what to keep.

        Args:
            forecast: Stored ensembles of two members or more.
            model: Position among the models.
            truth: The truth.
            alignment: Which belong together.
            rows: Position of each initial condition in the whole forecast, which draws depend on, so that they are the
                same in pieces.
            seed: Seed of the ranks among equal members.
            region: Where scores are taken; None: everywhere.
            weights_name: Which cell weights.
        """
        self._model, self._rows, self._seed = model, rows, seed
        self._weights = cell_weights(forecast.grid, weights_name)
        self._valid_mask = TruthReader(forecast, truth, alignment, region).valid_mask
        inits, leads = alignment.available.shape
        self.records = EnsembleRecords.empty(
            inits=inits,
            leads=leads,
            variables=len(forecast.variables),
            members=forecast.members,
        )

    def put(self, passing: Passing) -> None:
        """Keep the sums of some ensembles at one lead."""
        for row, members, true in zip(
            passing.rows.tolist(), passing.members[self._model], passing.truth, strict=True
        ):
            self._put(row, passing.lead, members, true)

    def _put(self, row: int, lead: int, members: np.ndarray, true: np.ndarray) -> None:
        kept = self.records
        channels, leads, _ = kept.ranks.shape
        whole = np.ones(len(members), bool)
        for channel in range(channels):
            valid = (
                np.ones(self._weights.shape, bool)
                if self._valid_mask is None
                else self._valid_mask[channel]
            )
            x = members[:, channel][:, valid].astype(np.float64)
            t, w = true[channel][valid].astype(np.float64), self._weights[valid]
            whole &= np.isfinite(x).all(axis=1)
            at = (row, lead, channel)
            with np.errstate(invalid="ignore", over="ignore"):
                kept.crps[at] = (w * fair_crps(x, t)).sum() / w.sum()
                kept.variance[at] = (w * spread(x)).sum() / w.sum()
                kept.error[at] = (w * (x.mean(axis=0) - t) ** 2).sum() / w.sum()
            draw = self._seed + ((int(self._rows[row]) * leads + lead) * channels + channel)
            kept.ranks[channel, lead] += rank_histogram(x, t, seed=draw)
        kept.finite[row, lead] = whole.sum()
