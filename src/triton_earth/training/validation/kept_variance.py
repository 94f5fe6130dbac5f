"""Whether forecasts keep the variance of the truth, as a whole and at small scales: unstable models lose it first."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from triton_earth.core.state import State
from triton_earth.training.losses.fields import cell_weights
from triton_earth.training.losses.spectral_loss import small_scale_power

LEAST = 1e-6
"""Variance below this part of the training variance is not told from nothing."""

Sums = Float64[np.ndarray, "lead channel 2"]


def variances(state: State) -> Float64[np.ndarray, "channel 2"]:
    """Return the variance over cells, and that of the small scales, of each channel.

        V = Σ w m (x − x̄)² / Σ w m,      S = Σ |x̂(k)|² over n/4 < k ≤ n/2

    with cell-area weights w and valid mask m, means over batch and times; x̂ the FFT of x − x̄, undefined cells zero.
    """
    cells = cell_weights(state).double().expand(len(state.variables), -1, -1)
    if state.valid_mask is not None:
        cells = cells * state.valid_mask
    data = torch.where(cells > 0, state.data.double(), 0.0)
    total = cells.sum(dim=(-2, -1), keepdim=True)
    mean = (cells * data).sum(dim=(-2, -1), keepdim=True) / total
    anomaly = torch.where(cells > 0, data - mean, 0.0)
    whole: Tensor = ((cells / total) * anomaly.square()).sum(dim=(-2, -1))
    small = small_scale_power(anomaly, state.grid.padding)
    found: np.ndarray = torch.stack([whole, small], dim=-1).mean(dim=(0, 1)).numpy()
    return found


@dataclass(frozen=True)
class KeptVariance:
    """Sums of variances over forecasts.

    Attributes:
        forecast: Of the forecasts.
        truth: Of the truth at the same times.
        std: Training standard deviation of each channel.
    """

    forecast: Sums
    truth: Sums
    std: Float64[np.ndarray, " channel"]

    @property
    def log_ratios(self) -> Sums:
        """ln(forecast/truth) of both variances at each lead; infinite where a forecast is not finite."""
        least = LEAST * self.std[:, None] ** 2
        with np.errstate(invalid="ignore"):
            ratios = np.log((self.forecast + least) / (self.truth + least))
        return np.where(np.isfinite(ratios), ratios, np.inf)

    @property
    def instability(self) -> Float64[np.ndarray, " lead"]:
        """Root mean square of the log ratios over channels and both variances: 0 where all is kept."""
        squares: np.ndarray = np.square(self.log_ratios)
        return np.sqrt(squares.mean(axis=(1, 2)))
