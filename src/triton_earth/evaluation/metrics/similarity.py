"""Likeness of pictures: structural similarity (SSIM), and the range of values that it and PSNR are relative to."""

import numpy as np
from jaxtyping import Bool, Float, Float64

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
    forecast: Float[np.ndarray, "batch channel y x"],
    truth: Float[np.ndarray, "batch channel y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Float64[np.ndarray, "batch channel"]:
    """Return the mean structural similarity of forecast f and truth t.

        SSIM = (2 μ_f μ_t + C₁)(2 σ_ft + C₂) / ((μ_f² + μ_t² + C₁)(σ_f² + σ_t² + C₂)),    C = (K L)²

    with moments under a Gaussian window of 11 x 11 cells, averaged (without area weights) over the windows that lie
    inside the grid and hold valid cells only; L is the range of the truth's field. Wang, Bovik, Sheikh and Simoncelli
    (2004, IEEE Trans. Image Process. 13, 600), Eq. (13), with their constants.

    Args:
        forecast: Fields f.
        truth: Fields t.
        valid_mask: True where a channel is defined; None: everywhere.

    Returns:
        SSIM of each field, at most 1; NaN where the forecast is not finite, the truth is constant, or no window fits.
    """
    batch, channels, ny, nx = truth.shape
    if min(ny, nx) < 2 * RADIUS + 1:
        return np.full((batch, channels), np.nan)
    inside = None
    if valid_mask is not None:
        forecast, truth = (np.where(valid_mask, field, 0.0) for field in (forecast, truth))
        touched = _window((~valid_mask).astype(np.float64))
        inside = touched < 1e-12
    f, t = forecast.astype(np.float64), truth.astype(np.float64)
    # Variances of departures from one constant lose fewer digits.
    shift = t.mean(axis=(-2, -1), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        f, t = f - shift, t - shift
        mean_f, mean_t = _window(f), _window(t)
        var_f = _window(f * f) - mean_f**2
        var_t = _window(t * t) - mean_t**2
        covariance = _window(f * t) - mean_f * mean_t
        mean_f, mean_t = mean_f + shift, mean_t + shift
        scale = value_range(truth, valid_mask)[..., None, None]
        c1, c2 = (np.where(scale > 0, (k * scale) ** 2, np.nan) for k in (K1, K2))
        similarity = (2 * mean_f * mean_t + c1) * (2 * covariance + c2)
        similarity /= (mean_f**2 + mean_t**2 + c1) * (var_f + var_t + c2)
        if inside is None:
            return similarity.mean(axis=(-2, -1))
        total = np.where(inside, similarity, 0.0).sum(axis=(-2, -1))
        return total / inside.sum(axis=(-2, -1))


def _window(fields: Float64[np.ndarray, "*batch y x"]) -> Float64[np.ndarray, "*batch row column"]:
    """Return Gaussian-weighted means around every cell whose window lies inside the grid."""
    ny, nx = fields.shape[-2:]
    return _weights(ny) @ fields @ _weights(nx).T


def _weights(size: int) -> Float64[np.ndarray, "window cell"]:
    """Return the matrix that takes cells along one axis to the means under each window."""
    offsets = np.arange(size)[None] - np.arange(RADIUS, size - RADIUS)[:, None]
    weights = np.exp(-0.5 * (offsets / WIDTH) ** 2) * (np.abs(offsets) <= RADIUS)
    return weights / weights.sum(axis=1, keepdims=True)
