"""Scores of ensembles: continuous ranked probability score, spread against error, rank histogram."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Float64, Int

from triton_earth.core.errors import UserError
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.alignment import Ensembles
from triton_earth.evaluation.metrics.error_metrics import METRICS
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.results import Results

Members = Float[np.ndarray, "member *shape"]


def fair_crps(
    members: Members, truth: Float[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """Return the fair continuous ranked probability score, in units of the variable.

        CRPS = 1/M Σ_i |x_i − t| − 1/(2 M (M − 1)) Σ_ij |x_i − x_j|

    Its expectation does not depend on the number of members (Ferro 2014, Q. J. R. Meteorol. Soc. 140, 1917,
    Eq. 4 with the kernel |x|); a single sorted pass gives the second sum.

    Args:
        members: Ensemble members x, [member, ...].
        truth: Truth t.

    Returns:
        The score at each place; NaN where a member or the truth is NaN.

    Raises:
        UserError: if there are fewer than two members.
    """
    count = _count(members, "the fair CRPS")
    x = np.sort(members.astype(np.float64), axis=0)
    skill = np.abs(x - truth).mean(axis=0)
    # Of sorted values Σ_{i<j} (x_j − x_i) = Σ_k (2k − M + 1) x_k with k = 0 … M − 1.
    factors = (2 * np.arange(count) - count + 1).reshape(-1, *[1] * (members.ndim - 1))
    pairs = (factors * x).sum(axis=0)
    return skill - pairs / (count * (count - 1))


def member_variance(members: Members) -> Float64[np.ndarray, "*shape"]:
    """Return the variance of the members (divided by M − 1), the square of the spread.

    Raises:
        UserError: if there are fewer than two members.
    """
    _count(members, "the spread")
    return members.astype(np.float64).var(axis=0, ddof=1)


def spread_skill_ratio(
    mean_variance: Float64[np.ndarray, "*shape"],
    mean_square_error: Float64[np.ndarray, "*shape"],
    members: int,
) -> Float64[np.ndarray, "*shape"]:
    """Return the ratio of spread to error, 1 for a reliable ensemble of any size.

        √((M + 1) / M · ⟨s²⟩ / ⟨(x̄ − t)²⟩)

    with averages over cells and cases before the root (Fortin et al. 2014, J. Hydrometeorol. 15, 1708, Eqs. 14, 15).

    Args:
        mean_variance: ⟨s²⟩, the mean of `member_variance`.
        mean_square_error: Mean square error of the ensemble mean.
        members: Number of members M.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((members + 1) / members * mean_variance / mean_square_error)


def rank_histogram(
    members: Members, truth: Float[np.ndarray, "*shape"], seed: int = 0
) -> Int[np.ndarray, " rank"]:
    """Return how often the truth has each rank among the members, 0 (below all) … M (above all).

    Among equal members its rank is drawn at random (Hamill 2001, Mon. Weather Rev. 129, 550), so that precipitation of
    exactly zero does not look unreliable. Places where a member or the truth is NaN do not count.

    Args:
        members: Ensemble members.
        truth: Truth.
        seed: The same seed gives the same ranks.

    Returns:
        M + 1 counts; all alike for a reliable ensemble.
    """
    known = np.isfinite(members).all(axis=0) & np.isfinite(truth)
    below = (members < truth).sum(axis=0)[known]
    equal = (members == truth).sum(axis=0)[known]
    ranks = below + np.random.default_rng(seed).integers(0, equal + 1)
    return np.bincount(ranks, minlength=len(members) + 1)


def ensembles(case: Case) -> list[Aggregator]:
    """Return an aggregator of the members for each model that is an ensemble."""
    return [
        EnsembleMeans(case, number, model.members)
        for number, model in enumerate(case.models)
        if isinstance(model, Ensembles) and model.members > 1
    ]


class EnsembleMeans(Aggregator):
    """Keeps means over the valid cells of an ensemble, and how often the truth had each rank.

    Attributes:
        model: Position among the models.
        crps: Fair CRPS; NaN, as all that follow, where there is no truth.
        variance: Variance of the members.
        error: Square error of their mean.
        finite: Number of members that are finite in all valid cells.
        ranks: Cells in which the truth has each rank, added over initial conditions.
    """

    INIT_AXES: ClassVar = {"crps": 0, "variance": 0, "error": 0, "finite": 0, "ranks": None}

    def __init__(self, case: Case, model: int, members: int) -> None:
        """Begin without members."""
        self._case, self.model = case, model
        (inits, leads), variables = case.shape, len(case.variables)
        shape = (inits, leads, variables)
        self.crps: Float64[np.ndarray, "init lead variable"] = np.full(shape, np.nan)
        self.variance: Float64[np.ndarray, "init lead variable"] = np.full(shape, np.nan)
        self.error: Float64[np.ndarray, "init lead variable"] = np.full(shape, np.nan)
        self.finite: Float64[np.ndarray, "init lead"] = np.full((inits, leads), np.nan)
        self.ranks: Int[np.ndarray, "variable lead rank"] = np.zeros(
            (variables, leads, members + 1), np.int64
        )

    @property
    def members(self) -> int:
        """Number of members."""
        return self.ranks.shape[-1] - 1

    def add(self, batch: Batch) -> None:
        """Keep the means of some initial conditions at one lead."""
        members = batch.members[self.model]
        for row, own, true in zip(batch.rows.tolist(), members, batch.truth, strict=True):
            self._add(row, batch.lead, own, true)

    def _add(self, row: int, lead: int, members: np.ndarray, true: np.ndarray) -> None:
        case = self._case
        channels, leads, _ = self.ranks.shape
        # Draws depend on the position in the whole evaluation, so that they are the same in pieces.
        number = row if case.numbers is None else int(case.numbers[row])
        whole = np.ones(len(members), bool)
        for channel in range(channels):
            valid = (
                np.ones(case.grid.shape, bool)
                if case.valid_mask is None
                else case.valid_mask[channel]
            )
            x = members[:, channel][:, valid].astype(np.float64)
            t, w = true[channel][valid].astype(np.float64), case.weights[valid]
            whole &= np.isfinite(x).all(axis=1)
            at = (row, lead, channel)
            with np.errstate(invalid="ignore", over="ignore"):
                self.crps[at] = (w * fair_crps(x, t)).sum() / w.sum()
                self.variance[at] = (w * member_variance(x)).sum() / w.sum()
                self.error[at] = (w * (x.mean(axis=0) - t) ** 2).sum() / w.sum()
            draw = case.seed + ((number * leads + lead) * channels + channel)
            self.ranks[channel, lead] += rank_histogram(x, t, seed=draw)
        self.finite[row, lead] = whole.sum()

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return `crps`, `ensemble_spread`, `spread_skill`, `rank_histogram` and `finite_members`.

        They are scores of the first of several ensembles, along the dimension `ensemble`; the others have none.
        """
        kept = [one for one in finished.aggregators if isinstance(one, EnsembleMeans)]
        if self is not kept[0]:
            return xr.Dataset()
        parts = {finished.case.names[one.model]: one._own_scores(finished) for one in kept}
        return by_ensemble(parts).merge(_beside_single(finished, kept))

    def _own_scores(self, finished: Finished) -> xr.Dataset:
        results, bootstrap = Results(finished.bootstrap), finished.bootstrap
        units = [variable.units for variable in finished.case.variables]
        dimensions = ("lead_time", "variable")
        variance, error = bootstrap.means(self.variance), bootstrap.means(self.error)
        results.add(
            "crps",
            dimensions,
            bootstrap.means(self.crps),
            long_name="fair continuous ranked probability score",
            units=units,
            definition=f"fair CRPS of {self.members} members (Ferro 2014), area-weighted mean over the valid cells, "
            "averaged over initial conditions; of a single forecast it would be the mae",
        )
        results.add(
            "ensemble_spread",
            dimensions,
            np.sqrt(variance),
            long_name="ensemble spread",
            units=units,
            definition="root of the area-weighted mean variance of the members (divided by members - 1), averaged over "
            "initial conditions before the root",
        )
        results.add(
            "spread_skill",
            dimensions,
            spread_skill_ratio(variance, error, self.members),
            long_name="spread divided by error",
            units="1",
            definition="root of ((M + 1) / M * mean variance of the members / mean square error of their mean), "
            "averages over cells and initial conditions before the root (Fortin et al. 2014): 1 is reliable, below 1 "
            "too confident",
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            results.add_plain(
                "rank_histogram",
                ("variable", "lead_time", "rank"),
                self.ranks / self.ranks.sum(axis=-1, keepdims=True),
                long_name="rank histogram",
                units="1",
                definition="part of the valid cells of all initial conditions in which the truth has each rank among "
                "the members, 0 below all of them; among equal members the rank is drawn; cells where a member is not "
                "finite are left out; a reliable ensemble has equal parts",
            )
        results.add_plain(
            "finite_members",
            ("lead_time",),
            bootstrap.means(self.finite)[0],
            long_name="members without missing values",
            units="1",
            definition=f"number of the {self.members} members that are finite in all valid cells, averaged over "
            "initial conditions",
        )
        about = {"long_name": "rank of the truth", "units": "1"}
        return results.dataset({"rank": ("rank", np.arange(self.members + 1), about)})

    def remarks(self, finished: Finished) -> list[str]:
        """Say where members hold missing values."""
        finite = finished.bootstrap.means(self.finite)[0]
        lost = np.flatnonzero(finite < self.members)
        if not lost.size:
            return []
        leads = finished.case.alignment.numbers
        return [
            f"{finished.case.names[self.model]}: of {self.members} members on average {finite[lost[0]]:.3g} are "
            f"without missing values at step {leads[lost[0]]} and {finite[-1]:.3g} at step {leads[-1]}; scores of the "
            "members and of their mean are missing or infinite there."
        ]


def by_ensemble(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put the scores of several ensembles side by side.

    Args:
        parts: Scores of the members of each model by its name; ensembles may have different sizes.

    Returns:
        The same scores with a first dimension `ensemble` or, of a single one, as they are.
    """
    if len(parts) == 1:
        return next(iter(parts.values()))
    joined = xr.concat(parts.values(), dim="ensemble", join="outer", combine_attrs="override")
    return joined.assign_coords(ensemble=("ensemble", list(parts), {"long_name": "ensemble"}))


def _beside_single(finished: Finished, kept: list[EnsembleMeans]) -> xr.Dataset:
    """Return the CRPS of every forecast: of ensembles that of their members, of single forecasts their mae."""
    results, bootstrap = Results(finished.bootstrap), finished.bootstrap
    crps, mae, errors = {one.model: one.crps for one in kept}, METRICS["mae"], finished.get(Errors)
    each = (
        crps[source] if source in crps else mae.of_one(errors.of(source))
        for source in finished.case.forecasts
    )
    results.add(
        "crps_by_forecast",
        ("forecast", "lead_time", "variable"),
        (bootstrap.means(values) for values in each),
        long_name="continuous ranked probability score",
        units=[variable.units for variable in finished.case.variables],
        definition="fair CRPS of the members of an ensemble; mae of a single forecast, which equals the CRPS of a "
        "single value",
    )
    return results.dataset()


def _count(members: np.ndarray, what: str) -> int:
    if len(members) < 2:
        raise UserError(f"{what} needs at least two ensemble members; found {len(members)}.")
    return len(members)
