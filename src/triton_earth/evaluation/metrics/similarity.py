"""Likeness of pictures: structural similarity (SSIM), and the range of values that it and PSNR are relative to."""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float64

from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Finished
from triton_earth.evaluation.metrics.error_metrics import mean_square_error
from triton_earth.evaluation.metrics.errors import DIMENSIONS, Errors
from triton_earth.evaluation.results import Results

WIDTH, RADIUS = 1.5, 5
"""Standard deviation and radius of the Gaussian window, in cells: it is 11 x 11."""

K1, K2 = 0.01, 0.03
"""Constants of the definition."""

MEANS_TOGETHER = 16
"""Windows along an axis that are one product of matrices."""

VALUES_TOGETHER = 2**16
"""Field values of one kind compared at a time, unless one field has more: what stays in a processor's cache."""


def value_range(
    truth: Float[np.ndarray, "*batch y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Float64[np.ndarray, "*batch"]:
    """Return L = max t − min t over the valid cells of each field, in units of the variable."""
    low, high = truth, truth
    if valid_mask is not None:
        low, high = (np.where(valid_mask, truth, truth.dtype.type(x)) for x in (np.inf, -np.inf))
    largest, least = high.max(axis=(-2, -1)), low.min(axis=(-2, -1))
    return np.asarray(np.subtract(largest, least, dtype=np.float64))


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
    found = np.full((len(forecasts), batch, channels), np.nan)
    if min(ny, nx) < 2 * RADIUS + 1:
        return found
    together = max(1, VALUES_TOGETHER // (ny * nx))
    for row in range(batch):
        for first in range(0, channels, together):
            some = slice(first, min(first + together, channels))
            mask = None if valid_mask is None else valid_mask[some]
            parts = [forecast[row, some] for forecast in forecasts]
            found[:, row, some] = _similarities(parts, truth[row, some], mask)
    return found


def _similarities(
    forecasts: Sequence[Float[np.ndarray, "field y x"]],
    truth: Float[np.ndarray, "field y x"],
    mask: Bool[np.ndarray, "field y x"] | None,
) -> Float64[np.ndarray, "forecast field"]:
    """Return the similarity of some fields, in their own precision: of a few, so that all stays near the processor.

    Of e = f − t the two factors are 1 − μ_e² / (μ_f² + μ_t² + C₁) and 1 − σ_e² / (σ_f² + σ_t² + C₂), which a good
    forecast loses no digits in. All is in units of L; variances are those of departures from the mean of each field.
    """
    precision = np.result_type(truth, *forecasts)
    inside = None
    if mask is not None:
        inside = _window((~mask).astype(np.float64)) < 1e-12
    scale = value_range(truth, mask)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        per_scale = np.where(scale > 0, 1 / scale, np.nan).astype(precision)[:, None, None]
        center, t = _centred(truth, mask, per_scale)
        windows = _window(np.stack([t, t * t]))
        mean_t, var_t = windows[0], windows[1]
        var_t -= mean_t**2
        var_t += precision.type(K2**2)
        square_t = np.square(mean_t + center)
        square_t += precision.type(K1**2)
        found = np.empty((len(forecasts), len(truth)))
        moments = np.empty((3, *truth.shape), precision)
        for number, forecast in enumerate(forecasts):
            own, f = _centred(forecast, mask, per_scale)
            np.subtract(f, t, out=moments[0])
            np.multiply(f, f, out=moments[1])
            np.multiply(moments[0], moments[0], out=moments[2])
            mean_e, contrast, structure = _window(moments)
            mean_f = mean_t + mean_e
            contrast -= mean_f * mean_f
            contrast += var_t
            structure -= mean_e * mean_e
            structure /= contrast
            mean_f += own
            mean_f *= mean_f
            mean_f += square_t
            mean_e += own - center
            mean_e *= mean_e
            mean_e /= mean_f
            lost = np.multiply(mean_e, structure, out=mean_f)
            np.subtract(structure, lost, out=lost)
            lost += mean_e
            if inside is None:
                mean = lost.mean(axis=(-2, -1), dtype=np.float64)
            else:
                lost[~inside] = 0.0
                mean = lost.sum(axis=(-2, -1), dtype=np.float64) / inside.sum(axis=(-2, -1))
            found[number] = 1 - mean
            unknown = (scale > 0) & ~np.isfinite(mean)
            if inside is not None:
                unknown &= inside.any(axis=(-2, -1))
            if precision == np.float32 and unknown.any():
                # Squares of what is finite may be beyond float32.
                wide = [one.astype(np.float64) for one in (forecast, truth)]
                found[number] = _similarities(wide[:1], wide[1], mask)[0]
    return np.where(np.isfinite(found), found, np.nan)


def _centred(
    fields: Float[np.ndarray, "field y x"],
    mask: Bool[np.ndarray, "field y x"] | None,
    factor: Float[np.ndarray, "field 1 1"],
) -> tuple[Float[np.ndarray, "field 1 1"], Float[np.ndarray, "field y x"]]:
    """Return the mean of each field and the departures from it, zero in cells that are not valid, times a factor."""
    axes, cells = (-2, -1), fields[0].size
    if mask is None:
        total = fields.sum(axis=axes, keepdims=True, dtype=np.float64)
        mean = (total / cells).astype(fields.dtype)
        departures = fields - mean
    else:
        valid = np.where(mask, fields, 0.0)
        total = valid.sum(axis=axes, keepdims=True) / mask.sum(axis=axes, keepdims=True)
        mean = total.astype(fields.dtype)
        departures = np.where(mask, fields - mean, fields.dtype.type(0))
    departures *= factor
    return mean * factor, departures


def _window(fields: Float[np.ndarray, "*batch y x"]) -> Float[np.ndarray, "*batch row column"]:
    """Return Gaussian-weighted means around every cell whose window lies inside the grid.

    Along each axis they are products with small dense parts of the banded matrix of the weights.
    """
    ny, nx = fields.shape[-2:]
    precision = fields.dtype
    along_x = np.empty((*fields.shape[:-1], nx - 2 * RADIUS), precision)
    for part, cells, matrix in _bands(nx, precision.name):
        np.matmul(fields[..., cells], matrix, out=along_x[..., part])
    found = np.empty((*fields.shape[:-2], ny - 2 * RADIUS, nx - 2 * RADIUS), precision)
    for part, cells, matrix in _bands(ny, precision.name):
        np.matmul(matrix.T, along_x[..., cells, :], out=found[..., part, :])
    return found


@lru_cache(maxsize=8)
def _bands(count: int, precision: str) -> list[tuple[slice, slice, Float[np.ndarray, "cell mean"]]]:
    """Return which means along an axis are made of which cells, and by what matrix, some at a time."""
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / WIDTH) ** 2)
    weights /= weights.sum()
    found = []
    for first in range(0, count - 2 * RADIUS, MEANS_TOGETHER):
        means = min(MEANS_TOGETHER, count - 2 * RADIUS - first)
        matrix = np.zeros((means + 2 * RADIUS, means), precision)
        for mean in range(means):
            matrix[mean : mean + 2 * RADIUS + 1, mean] = weights
        found.append((slice(first, first + means), slice(first, first + len(matrix)), matrix))
    return found


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
