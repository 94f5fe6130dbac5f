"""Stability: whether a forecast keeps mean, variance, energy and small scales of the truth; which it loses first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int
from pydantic import Field, model_validator

from triton_earth.core.config import StrictConfig
from triton_earth.evaluation.metrics.error_metrics import forecast_variance, truth_variance
from triton_earth.evaluation.metrics.error_sums import ErrorSums

Ratio = Float64[np.ndarray, "init lead"]

STABLE = "none"
"""What is said to have tripped where nothing has."""

NEGLIGIBLE = 1e-12
"""Part of a total that counts as nothing: what rounding of single-precision fields leaves in an empty band."""

TOTALS = {"energy": "energy", "small_scale_enstrophy": "small-scale enstrophy"}
"""Totals that are judged by their ratio to the truth, and what they are called when they trip."""

NO_TRUTH = "no truth"
"""The criterion of a forecast without any scored lead."""

NOT_FINITE = "not finite"
"""What is said to have tripped where a forecast holds NaN or infinity."""


class Band(StrictConfig):
    """Range of a ratio forecast / truth; both ends belong to it."""

    lower: float = Field(gt=0, le=1)
    upper: float = Field(ge=1)

    def contains(self, ratio: Ratio) -> Bool[np.ndarray, "init lead"]:
        """Return where a ratio lies inside; one that is NaN does not."""
        return (ratio >= self.lower) & (ratio <= self.upper)


@runtime_checkable
class LeadBands(Protocol):
    """Reference band around the truth at the same lead time, within which a forecast is stable."""

    def largest_drift(self, variable: int, variance: Ratio) -> Ratio | np.float64:
        """Return the largest |mean f − mean t| of a variable, by its position, beside the truth's variance."""

    def of_variance(self, variable: int) -> Band:
        """Return the band of var f / var t of a variable or, with a climatology, its anomalies, by its position."""

    def of_total(self, name: str) -> Band:
        """Return the band of one of the `TOTALS`."""

    def of(self, variable: int) -> "LeadBands":
        """Return the bands of a single variable, by its position."""

    def words(self, variables: Sequence[str]) -> str:
        """Return the bands in words, for variables of these names."""

    def to_dict(self, variables: Sequence[str]) -> dict[str, Any]:
        """Return the bands as plain values, for variables of these names."""


class StabilityBands(StrictConfig):
    """The same band for every variable, for data without a training split that bands could be measured on.

    The defaults ask for what a long simulation must keep even where single vortices are long unpredictable: bulk
    quantities to a factor 1.5, the small scales, which an AI forecast loses or amplifies first, to a factor 2.

    Attributes:
        mean_drift: Largest |mean f − mean t| of a variable, as a fraction of the truth's standard deviation.
        variance: Band of var f / var t of a variable or, with a climatology, its anomalies (of vorticity: the
            enstrophy, but for its mean).
        energy: Band of the ratio of kinetic energies.
        small_scale_enstrophy: Band of the ratio of small-scale enstrophies.
    """

    mean_drift: float = Field(default=0.1, gt=0)
    variance: Band = Band(lower=2 / 3, upper=3 / 2)
    energy: Band = Band(lower=2 / 3, upper=3 / 2)
    small_scale_enstrophy: Band = Band(lower=1 / 2, upper=2)

    @model_validator(mode="after")
    def _finite(self) -> "StabilityBands":
        bounds = [self.mean_drift]
        bounds += [band.upper for band in (self.variance, self.energy, self.small_scale_enstrophy)]
        if not np.all(np.isfinite(bounds)):
            raise ValueError("bands must be finite")
        return self

    def largest_drift(self, variable: int, variance: Ratio) -> Ratio:
        """Return the largest drift of a mean: a part of the truth's standard deviation over the cells."""
        return self.mean_drift * np.sqrt(variance)

    def of_variance(self, variable: int) -> Band:
        """Return the band of variances, that of all variables."""
        return self.variance

    def of_total(self, name: str) -> Band:
        """Return the band of one of the `TOTALS`."""
        band: Band = getattr(self, name)
        return band

    def of(self, variable: int) -> "StabilityBands":
        """Return the bands, which are those of every variable."""
        return self

    def words(self, variables: Sequence[str]) -> str:
        """Return the bands in words."""
        ratios = [("variance", self.variance), *((TOTALS[n], self.of_total(n)) for n in TOTALS)]
        return (
            f"(mean within {self.mean_drift:g} standard deviations over the cells, "
            + ", ".join(f"{n} ratio {band.lower:.3g} to {band.upper:.3g}" for n, band in ratios)
            + ")"
        )

    def to_dict(self, variables: Sequence[str]) -> dict[str, Any]:
        """Return the bands as plain values."""
        return self.model_dump()


@dataclass(frozen=True)
class Stability:
    """First lead at which each forecast leaves the reference band.

    Attributes:
        horizon: Number of that lead (1 is the first step); +∞ where the forecast never left.
        stable: True where the forecast stayed inside at every lead that was scored, and one was.
        criterion: What tripped, in words; "none" where nothing did, "no truth" where nothing was scored.
    """

    horizon: Float64[np.ndarray, " init"]
    stable: Bool[np.ndarray, " init"]
    criterion: list[str]


def ratio_to_truth(forecast: Ratio, truth: Ratio, total: Ratio) -> Ratio:
    """Return forecast / truth; NaN where the truth has nothing to compare with (below 1e-12 of a total).

    Args:
        forecast: A quantity of the forecast.
        truth: The same of the truth.
        total: What the truth's quantity is a part of, in the same units.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(truth > NEGLIGIBLE * total, forecast / truth, np.nan)


def departures(
    sums: ErrorSums,
    variables: list[str],
    ratios: dict[str, Ratio],
    bands: LeadBands,
    *,
    anomalies: ErrorSums | None = None,
    climatology: ErrorSums | None = None,
) -> dict[str, Bool[np.ndarray, "init lead"]]:
    """Return for each criterion where a forecast is outside its band.

    A forecast that is not finite is outside "not finite" and nothing else. Where the truth is constant, its band has no
    width: the variable's mean and variance are not judged there. Nor is a mean that is as close to the truth's as that
    of the climatology: there the truth itself has left its climate.

    Args:
        sums: Sums of forecast and truth, [init, lead, variable].
        variables: Names of the variables.
        ratios: `ratio_to_truth` of "energy" and "small_scale_enstrophy" where they exist.
        bands: The reference bands.
        anomalies: Sums of the departures of both from the climatology, whose variances are compared, as a mean gradient
            would hide theirs; None to compare the variances of the fields.
        climatology: Sums of climatology and truth; None where there is none.

    Returns:
        Criteria in the order in which they are named where several trip at the same lead.
    """
    finite = np.isfinite(sums.error_squared).all(axis=-1)
    outside = {NOT_FINITE: ~finite}
    for index, name in enumerate(variables):
        one = sums.select(index)
        variance = truth_variance(one)
        varying = one if anomalies is None else anomalies.select(index)
        largest = bands.largest_drift(index, variance)
        if climatology is not None:
            largest = np.fmax(largest, _drift(climatology.select(index)))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ratio = forecast_variance(varying) / truth_variance(varying)
            inside = _drift(one) <= largest
        varies = truth_variance(varying) > 0
        outside[f"mean of {name}"] = finite & (variance > 0) & ~inside
        outside[f"variance of {name}"] = finite & varies & ~bands.of_variance(index).contains(ratio)
    for name, ratio in ratios.items():
        outside[TOTALS[name]] = finite & ~np.isnan(ratio) & ~bands.of_total(name).contains(ratio)
    return outside


def _drift(sums: ErrorSums) -> Ratio:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.abs(sums.forecast - sums.truth) / sums.weight


def first_lead(
    happens: Bool[np.ndarray, "*batch lead"], leads: Int[np.ndarray, " lead"]
) -> Float64[np.ndarray, "*batch"]:
    """Return the number of the first lead at which something happens; +∞ where it never does.

    Args:
        happens: Whether it happens at each lead.
        leads: Number of each lead, ascending.
    """
    return np.where(happens.any(axis=-1), leads[happens.argmax(axis=-1)].astype(np.float64), np.inf)


def first_departure(
    outside: dict[str, Bool[np.ndarray, "init lead"]],
    available: Bool[np.ndarray, "init lead"],
    leads: Int[np.ndarray, " lead"],
) -> Stability:
    """Return the first lead outside any band, and the criterion that tripped there.

        horizon_i = min { lead : some criterion is outside its band },    +∞ where there is none

    Args:
        outside: Where each criterion is outside, as `departures` gives it.
        available: Where a forecast was scored; elsewhere nothing trips.
        leads: Number of each lead, ascending.

    Returns:
        The horizon of each initial condition.
    """
    names = list(outside)
    tripped = np.stack([outside[name] & available for name in names])
    any_tripped = np.asarray(tripped.any(axis=0))
    horizon = first_lead(any_tripped, leads)
    scored = np.asarray(available.any(axis=1))
    stable = np.isinf(horizon) & scored
    first = any_tripped.argmax(axis=1)
    criterion = tripped[:, np.arange(len(first)), first].argmax(axis=0)
    return Stability(
        horizon,
        stable,
        [
            (STABLE if calm else names[number]) if judged else NO_TRUTH
            for judged, calm, number in zip(scored, stable, criterion, strict=True)
        ],
    )
