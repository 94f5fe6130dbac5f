"""Likeness of pictures: structural similarity (SSIM), and the range of values that it and PSNR are relative to."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float64
from scipy.ndimage import correlate1d

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.metrics.error_metrics import mean_square_error
from triton_earth.evaluation.metrics.errors import DIMENSIONS, Errors
from triton_earth.evaluation.results import Results

WIDTH, RADIUS = 1.5, 5
"""Standard deviation and radius of the Gaussian window, in cells: it is 11 x 11."""

K1, K2 = 0.01, 0.03
"""Constants of the definition."""


def value_range(
    truth: Float[np.ndarray, "batch channel y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Float64[np.ndarray, "batch channel"]:
    """Return L = max t − min t over the valid cells of each field, in units of the variable."""
    fields = truth.astype(np.float64)
    if valid_mask is None:
        return fields.max(axis=(-2, -1)) - fields.min(axis=(-2, -1))
    low = np.where(valid_mask, fields, np.inf).min(axis=(-2, -1))
    return np.where(valid_mask, fields, -np.inf).max(axis=(-2, -1)) - low


def peak_signal_to_noise(
    mean_square_error: Float64[np.ndarray, "*shape"], truth_range: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """Return PSNR = 10 log₁₀(L² / MSE) in dB, L the range of the truth's field.

    +∞ of a perfect forecast, −∞ of one that is not finite, NaN where the truth is constant.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(truth_range > 0, truth_range**2, np.nan) / mean_square_error
        return 10 * np.log10(ratio)


def structural_similarity(
    forecasts: Sequence[Float[np.ndarray, "batch channel y x"]],
    truth: Float[np.ndarray, "batch channel y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Float64[np.ndarray, "forecast batch channel"]:
    """Return the mean structural similarity of forecasts f and truth t.

        SSIM = (2 μ_f μ_t + C₁)(2 σ_ft + C₂) / ((μ_f² + μ_t² + C₁)(σ_f² + σ_t² + C₂)),    C = (K L)²

    with moments under a Gaussian window of 11 x 11 cells, averaged (without area weights) over the windows that lie
    inside the grid and hold valid cells only; L is the range of the truth's field. Wang, Bovik, Sheikh and Simoncelli
    (2004, IEEE Trans. Image Process. 13, 600), Eq. (13), with their constants.

    Args:
        forecasts: Fields f of each forecast.
        truth: Fields t.
        valid_mask: True where a channel is defined; None: everywhere.

    Returns:
        SSIM of each field, at most 1; NaN where the forecast is not finite, the truth is constant, or no window fits.
    """
    batch, channels, ny, nx = truth.shape
    if min(ny, nx) < 2 * RADIUS + 1:
        return np.full((len(forecasts), batch, channels), np.nan)
    inside = None
    if valid_mask is not None:
        truth = np.where(valid_mask, truth, 0.0)
        inside = _window((~valid_mask).astype(np.float64)) < 1e-12
    t = truth.astype(np.float64)
    # Variances of departures from one constant lose fewer digits.
    shift = t.mean(axis=(-2, -1), keepdims=True)
    scale = value_range(t, valid_mask)[..., None, None]
    c1, c2 = (np.where(scale > 0, (k * scale) ** 2, np.nan) for k in (K1, K2))
    t = t - shift
    mean_t = _window(t)
    var_t = _window(t * t) - mean_t**2
    found = np.empty((len(forecasts), batch, channels))
    for number, forecast in enumerate(forecasts):
        valid = forecast if valid_mask is None else np.where(valid_mask, forecast, 0.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            f = valid.astype(np.float64) - shift
            mean_f = _window(f)
            var_f = _window(f * f) - mean_f**2
            covariance = _window(f * t) - mean_f * mean_t
            one, other = mean_f + shift, mean_t + shift
            similarity = (2 * one * other + c1) * (2 * covariance + c2)
            similarity /= (one**2 + other**2 + c1) * (var_f + var_t + c2)
            if inside is None:
                mean = similarity.mean(axis=(-2, -1))
            else:
                total = np.where(inside, similarity, 0.0).sum(axis=(-2, -1))
                mean = total / inside.sum(axis=(-2, -1))
        found[number] = np.where(np.isfinite(f).all(axis=(-2, -1)), mean, np.nan)
    return found


def _window(fields: Float64[np.ndarray, "*batch y x"]) -> Float64[np.ndarray, "*batch row column"]:
    """Return Gaussian-weighted means around every cell whose window lies inside the grid."""
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / WIDTH) ** 2)
    weights /= weights.sum()
    along_x = correlate1d(fields, weights, axis=-1)[..., RADIUS:-RADIUS]
    return np.asarray(correlate1d(along_x, weights, axis=-2)[..., RADIUS:-RADIUS, :])


class Similarity(Aggregator):
    """Keeps how alike fields are as pictures.

    Attributes:
        similarity: Structural similarity of models and baselines; NaN where it does not exist.
        truth_range: Largest minus smallest value of each field of the truth; NaN where there is none.
    """

    INIT_AXES: ClassVar = {"similarity": 1, "truth_range": 0}

    def __init__(self, case: Case) -> None:
        """Begin without fields."""
        self._valid_mask = case.valid_mask
        shape = (*case.shape, len(case.variables))
        self.similarity: Float64[np.ndarray, "source init lead variable"] = np.full(
            (len(case.forecasts), *shape), np.nan
        )
        self.truth_range: Float64[np.ndarray, "init lead variable"] = np.full(shape, np.nan)

    def add(self, batch: Batch) -> None:
        """Compare some fields with the truth."""
        at, mask = (batch.rows, batch.lead), self._valid_mask
        self.similarity[:, *at] = structural_similarity(batch.fields, batch.truth, mask)
        self.truth_range[at] = value_range(batch.truth, mask)

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return `psnr` and `ssim` (forecast, variable, lead_time) with intervals."""
        results, errors = Results(finished.bootstrap), finished.get(Errors)
        noise = (
            peak_signal_to_noise(mean_square_error(errors.of(source)), self.truth_range)
            for source in finished.case.forecasts
        )
        results.add(
            "psnr",
            DIMENSIONS,
            (finished.bootstrap.means(one) for one in noise),
            long_name="peak signal-to-noise ratio",
            units="dB",
            definition="10 log10 of (range of the truth's field squared / mean square error), for each initial "
            "condition, then averaged over initial conditions",
        )
        results.add(
            "ssim",
            DIMENSIONS,
            (finished.bootstrap.means(one) for one in self.similarity),
            long_name="structural similarity",
            units="1",
            definition="mean over Gaussian windows of 11 x 11 cells (Wang et al. 2004), relative to the range of the "
            "truth's field; windows with cells that are not valid are left out; averaged over initial conditions",
        )
        return results.dataset()
