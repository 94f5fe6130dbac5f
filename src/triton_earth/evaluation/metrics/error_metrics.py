"""Error metrics: each formula once, from the sums of one initial condition at one lead time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.results import squared_units

Values = Float64[np.ndarray, "*shape"]

ROUNDING = 1e-13
"""Variance below this fraction of the mean square is rounding: the field is constant."""


def mean_square_error(sums: ErrorSums) -> Values:
    """Return MSE = Σ w (f − t)² / Σ w, in squared units of the variable; +∞ where the forecast is not finite."""
    return _mean_of_squares(sums.error_squared, sums.weight)


def bias(sums: ErrorSums) -> Values:
    """Return bias = Σ w (f − t) / Σ w, in units of the variable; NaN where the forecast is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (sums.forecast - sums.truth) / sums.weight
    return np.where(np.isfinite(value), value, np.nan)


def relative_l2(sums: ErrorSums) -> Values:
    """Return ‖f − t‖ / ‖t‖ with ‖g‖² = Σ w g², dimensionless.

    +∞ where the forecast is not finite, NaN where the truth is zero everywhere.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.sqrt(_mean_of_squares(sums.error_squared, sums.truth_squared))
    return np.where(sums.truth_squared > 0, value, np.nan)


def correlation(sums: ErrorSums) -> Values:
    """Return the centred pattern correlation of forecast and truth, dimensionless, −1 … 1.

        r = cov(f, t) / √(var f · var t),    moments over the cells with weights w

    Of vorticity fields it is the vorticity correlation. NaN where the forecast is not finite, or where either field
    is constant.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        covariance = sums.product / sums.weight - (sums.forecast / sums.weight) * (
            sums.truth / sums.weight
        )
        value = covariance / np.sqrt(forecast_variance(sums) * truth_variance(sums))
    return np.where(np.isfinite(value), np.clip(value, -1.0, 1.0), np.nan)


def second_moments(sums: ErrorSums) -> Float64[np.ndarray, "*shape moment"]:
    """Return Σ w f t / Σ w, Σ w f² / Σ w and Σ w t² / Σ w as a last axis; NaN where the forecast is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = (sums.product, sums.forecast_squared, sums.truth_squared)
        value = np.stack(parts, axis=-1) / sums.weight[..., None]
    return np.where(np.isfinite(value).all(axis=-1, keepdims=True), value, np.nan)


def uncentred_correlation(moments: Float64[np.ndarray, "*shape moment"]) -> Values:
    """Return ⟨f t⟩ / √(⟨f²⟩ ⟨t²⟩), dimensionless, −1 … 1, of averages of `second_moments`; NaN where one is zero.

    Source: WeatherBench-X, whose anomaly correlation it is, with averages over cells and initial conditions.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = moments[..., 0] / np.sqrt(moments[..., 1] * moments[..., 2])
    return np.where(np.isfinite(value), np.clip(value, -1.0, 1.0), np.nan)


def mean_absolute_error(sums: ErrorSums) -> Values:
    """Return MAE = Σ w |f − t| / Σ w, in units of the variable; +∞ where the forecast is not finite."""
    return _mean_of_squares(sums.error_absolute, sums.weight)


def variance_scaled_rmse(sums: ErrorSums) -> Values:
    """Return VRMSE = √(MSE / var t), dimensionless; 1 is the error of the truth's own mean.

    +∞ where the forecast is not finite, NaN where the truth is constant. (Ohana et al. 2024, The Well,
    arXiv:2412.00568, without the small number in their denominator.)
    """
    variance = truth_variance(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.sqrt(mean_square_error(sums) / variance)
    return np.where(variance > 0, value, np.nan)


def activity(sums: ErrorSums) -> Values:
    """Return var f / var t, dimensionless: below 1 a forecast is too smooth. NaN where the truth is constant."""
    variance = truth_variance(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, forecast_variance(sums) / variance, np.nan)


def forecast_variance(sums: ErrorSums) -> Values:
    """Return the variance of the forecast over the cells; NaN where it is not finite."""
    return _variance(sums.forecast, sums.forecast_squared, sums.weight)


def truth_variance(sums: ErrorSums) -> Values:
    """Return the variance of the truth over the cells."""
    return _variance(sums.truth, sums.truth_squared, sums.weight)


@dataclass(frozen=True)
class Metric:
    """A metric of a set of initial conditions: a value of each, averaged, then finished.

    Attributes:
        name: Name in the scores.
        long_name: Words for plots.
        definition: The formula in words.
        of_one: Value of each initial condition from its sums, or several along a further axis.
        finish: What is done with the average over initial conditions, which makes one of several values.
        power: Power of the variable's units.
        anomalies: Whether the sums are those of departures from the climatology.
        defined: Where the truth lets an initial condition have a value; others take no part in the average.
    """

    name: str
    long_name: str
    definition: str
    of_one: Callable[[ErrorSums], np.ndarray]
    finish: Callable[[np.ndarray], np.ndarray]
    power: int
    anomalies: bool = False
    defined: Callable[[ErrorSums], np.ndarray] | None = None

    def units(self, variable: str) -> str:
        """Return the units of the metric of a variable with units `variable`."""
        if self.power == 0:
            return "1"
        return variable if self.power == 1 else squared_units(variable)


def truth_varies(sums: ErrorSums) -> np.ndarray:
    """Return where the truth is not the same in all cells, so that a correlation with it is defined."""
    return truth_variance(sums) > 0


def both_vary(sums: ErrorSums) -> np.ndarray:
    """Return where neither truth nor forecast is the same in all cells; one that is not finite is not the same."""
    return truth_varies(sums) & (forecast_variance(sums) != 0)


def _truth_is_not_zero(sums: ErrorSums) -> np.ndarray:
    return sums.truth_squared > 0


def _as_it_is(value: np.ndarray) -> np.ndarray:
    return value


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "mse",
            "mean square error",
            "area-weighted mean of (forecast - truth) squared over the valid cells, averaged over initial conditions",
            mean_square_error,
            _as_it_is,
            2,
        ),
        Metric(
            "rmse",
            "root mean square error",
            "square root of mse: the root is taken after averaging over initial conditions",
            mean_square_error,
            np.sqrt,
            1,
        ),
        Metric(
            "bias",
            "mean error",
            "area-weighted mean of (forecast - truth) over the valid cells, averaged over initial conditions",
            bias,
            _as_it_is,
            1,
        ),
        Metric(
            "relative_l2",
            "relative L2 error",
            "norm of (forecast - truth) divided by norm of truth, area-weighted over the valid cells, "
            "for each initial condition, then averaged over initial conditions",
            relative_l2,
            _as_it_is,
            0,
            defined=_truth_is_not_zero,
        ),
        Metric(
            "correlation",
            "pattern correlation",
            "centred, area-weighted correlation of forecast and truth over the valid cells (of vorticity: the "
            "vorticity correlation), for each initial condition, then averaged over those whose truth and forecast "
            "vary over the cells",
            correlation,
            _as_it_is,
            0,
            defined=both_vary,
        ),
        Metric(
            "mae",
            "mean absolute error",
            "area-weighted mean of |forecast - truth| over the valid cells, averaged over initial conditions",
            mean_absolute_error,
            _as_it_is,
            1,
        ),
        Metric(
            "vrmse",
            "variance-scaled RMSE",
            "root of (mean square error divided by the truth's variance over the cells), for each initial condition, "
            "then averaged over initial conditions; 1 is the error of the truth's own mean",
            variance_scaled_rmse,
            _as_it_is,
            0,
            defined=truth_varies,
        ),
        Metric(
            "acc",
            "anomaly correlation",
            "centred, area-weighted correlation of forecast and truth as departures from the climatology of the "
            "training split, for each initial condition, then averaged over those where both vary over the cells",
            correlation,
            _as_it_is,
            0,
            anomalies=True,
            defined=both_vary,
        ),
        Metric(
            "acc_uncentred",
            "anomaly correlation, not centred",
            "area-weighted mean of (forecast - climatology) (truth - climatology), divided by the roots of the mean "
            "squares of both, each averaged over cells and initial conditions: the ACC of WeatherBench-X",
            second_moments,
            uncentred_correlation,
            0,
            anomalies=True,
        ),
        Metric(
            "activity",
            "activity",
            "variance over the cells of the forecast's departure from the climatology of the training split, divided "
            "by that of the truth, for each initial condition, then averaged over initial conditions",
            activity,
            _as_it_is,
            0,
            anomalies=True,
            defined=truth_varies,
        ),
    )
}
"""The metrics of every evaluation, by name."""


def _mean_of_squares(squares: Values, weight: Values) -> Values:
    """Return squares / weight: NaN without weight (nothing was scored), +∞ where the squares are not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(np.isfinite(squares), squares, np.inf) / weight
    return np.where(weight > 0, value, np.nan)


def _variance(total: Values, squares: Values, weight: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean_square = squares / weight
        value = mean_square - (total / weight) ** 2
        value = np.where(value > ROUNDING * mean_square, value, 0.0)
    return np.where(np.isfinite(mean_square), value, np.nan)
