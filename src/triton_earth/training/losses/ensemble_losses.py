"""Losses of ensembles: proper scores, which reward members that differ as much as they err.

A forecast has M members of each sample, one after the other along the batch, the truth has one state of each.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.state import State
from triton_earth.training.losses.fields import (
    ChannelWeights,
    defined,
    defined_error,
    mean_over_channels,
    weighted_mean,
)
from triton_earth.training.losses.spectral_loss import mean_over_waves, waves_of

TINY = 1e-12
"""Keeps the root of a squared distance smooth at 0."""


def almost_fair_crps(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
    alpha: float = 0.95,
) -> Float[Tensor, ""]:
    """Return the almost fair continuous ranked probability score of each cell, in units of `scale`.

        L = ⟨ (1/M) Σ_i |x_i − t| − (1 − (1 − α)/M) / (2 M (M − 1)) Σ_i Σ_j |x_i − x_j| ⟩

    with the mean over batch, times, channels (weights v) and cells (by area). α = 1 is the fair score, which does not
    care where one member is as long as another lies on the far side of the truth; a little less than that does.

    Args:
        forecast: Forecast states, M members of each sample.
        truth: True states of at least the same variables.
        scale: One number for each of the forecast's channels.
        weights: v.
        alpha: α.

    Source: Lang et al. (2024), AIFS-CRPS, arXiv:2412.15832, Eq. 4.
    """
    members = len(forecast.data) // len(truth.data)
    errors = defined_error(forecast, repeated(truth, members), scale).abs()
    skill = weighted_mean(errors, forecast, weights)
    between = torch.zeros_like(errors[::members])
    fields = _members(defined(forecast.data, forecast) / scale, members)
    for first in range(members):
        for second in range(first + 1, members):
            between = between + (fields[:, first] - fields[:, second]).abs()
    spread = weighted_mean(between, forecast, weights)
    return skill - _part_of_spread(members, alpha) * spread


def energy_score(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
    alpha: float = 0.95,
) -> Float[Tensor, ""]:
    """Return the almost fair energy score of whole maps of all channels, in units of `scale`.

        L = ⟨ (1/M) Σ_i ‖x_i − t‖ − (1 − (1 − α)/M) / (2 M (M − 1)) Σ_i Σ_j ‖x_i − x_j‖ ⟩
        ‖x‖² = Σ v w m x² / Σ v w m

    with channel weights v, area weights w and valid mask m; the mean is over batch and times. Unlike a score of each
    cell it sees whether members are wrong in space and between variables.

    Args:
        forecast: Forecast states, M members of each sample.
        truth: True states of at least the same variables.
        scale: One number for each of the forecast's channels.
        weights: v.
        alpha: α.

    Source: Gneiting and Raftery (2007), J. Am. Stat. Assoc. 102, 359, Eq. 22.
    """
    members = len(forecast.data) // len(truth.data)

    def norm(field: Tensor) -> Tensor:
        by_sample = [
            weighted_mean(one[None].square(), forecast, weights)
            for one in field.flatten(0, 1)[:, None]
        ]
        return (torch.stack(by_sample) + TINY).sqrt().mean()

    errors = defined_error(forecast, repeated(truth, members), scale)
    fields = _members(defined(forecast.data, forecast) / scale, members)
    spread = errors.new_zeros(())
    for first in range(members):
        for second in range(first + 1, members):
            spread = spread + norm(fields[:, first] - fields[:, second])
    return norm(errors) - _part_of_spread(members, alpha) * spread


def wave_score(
    forecast: State,
    truth: State,
    scale: Float[Tensor, "channel 1 1"],
    weights: ChannelWeights | None = None,
    alpha: float = 0.95,
) -> Float[Tensor, ""]:
    """Return the almost fair energy score of each wave, in units of `scale`.

        L = Σ_k ⟨ (1/M) Σ_i |x̂_i − t̂| − (1 − (1 − α)/M) / (2 M (M − 1)) Σ_i Σ_j |x̂_i − x̂_j| ⟩ / Σ_k 1

    with the unitary Fourier transform along the rows of a sphere, the mean ⟨⟩ over its rows by area, or along both axes
    of a box; cells that are not defined count as 0. The score of each cell hardly sees waves that carry little of the
    error, here the long and the short ones count too: members must differ in each of them as much as they err.

    Args:
        forecast: Forecast states, M members of each sample.
        truth: True states of at least the same variables.
        scale: One number for each of the forecast's channels.
        weights: v, how much each channel counts.
        alpha: α.

    Source: Gneiting and Raftery (2007), J. Am. Stat. Assoc. 102, 359, Eq. 22, for the plane of complex numbers.
    """
    members = len(forecast.data) // len(truth.data)
    target = truth.select(forecast.variables.names).data
    waves = waves_of(forecast, forecast.data / scale).unflatten(0, (-1, members))
    of_truth = waves_of(forecast, target / scale)[:, None]
    between = sum(
        _modulus(waves[:, first] - waves[:, second])
        for first in range(members)
        for second in range(first + 1, members)
    )
    by_wave = _modulus(waves - of_truth).mean(dim=1) - _part_of_spread(members, alpha) * between
    return mean_over_channels(mean_over_waves(by_wave, forecast), weights)


def repeated(truth: State, members: int) -> State:
    """Return a truth in which each sample stands as often as it has members."""
    if members == 1:
        return truth
    return State(
        truth.data.repeat_interleave(members, dim=0),
        truth.variables,
        truth.grid,
        truth.valid_times.repeat(members, axis=0),
        truth.valid_mask,
    )


def _part_of_spread(members: int, alpha: float) -> float:
    """Return how much the sum of the distances of all pairs of members counts."""
    return (1 - (1 - alpha) / members) / (members * (members - 1))


def _modulus(wave: Tensor) -> Tensor:
    return (wave.real.square() + wave.imag.square() + TINY).sqrt()


def _members(data: Tensor, members: int) -> Float[Tensor, "sample member time channel y x"]:
    return data.unflatten(0, (-1, members))
