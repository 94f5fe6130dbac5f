"""Scores of ensembles: continuous ranked probability score, spread against error, rank histogram."""

import numpy as np
from jaxtyping import Float, Float64, Int

from triton_earth.core.errors import UserError

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


def spread(members: Members) -> Float64[np.ndarray, "*shape"]:
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
        mean_variance: ⟨s²⟩, the mean of `spread`.
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


def _count(members: np.ndarray, what: str) -> int:
    if len(members) < 2:
        raise UserError(f"{what} needs at least two ensemble members; found {len(members)}.")
    return len(members)
