"""A step of a forecaster as a torch module of tensors alone, as other tools can run it: normalisation inside."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from triton_earth.core.state import State, ValidTimes
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.models.forecaster import NetworkForecaster

DAY, ERA = 86400, 146097
"""Seconds of a day; days of 400 years."""
EPOCH = 719162
"""Days from 1 January of the year 1 to 1 January 1970."""


def calendar_fractions(
    seconds: Int64[Tensor, " time"],
) -> tuple[Float[Tensor, " time"], Float[Tensor, " time"]]:
    """Return the elapsed fractions of the year and of the day, as `core.time` defines them, by tensor operations.

    The year is guessed by its mean length of 146097 / 400 days, which is wrong by one at most, and put right.

    Args:
        seconds: Times in s since 1970-01-01T00:00 UTC.
    """
    days = torch.div(seconds, DAY, rounding_mode="floor")
    year = torch.div((days + EPOCH) * 400, ERA, rounding_mode="floor") + 1
    year = year - (days < _first_day(year)).long()
    year = year + (days >= _first_day(year + 1)).long()
    start = _first_day(year)
    length = (_first_day(year + 1) - start) * DAY
    of_year = (seconds - start * DAY).double() / length.double()
    return of_year, (seconds - days * DAY).double() / DAY


def _first_day(year: Int64[Tensor, " time"]) -> Int64[Tensor, " time"]:
    """Return the days from 1970-01-01 to 1 January of a year."""
    before = year - 1
    leap_days = sum(
        sign * torch.div(before, every, rounding_mode="floor")
        for sign, every in ((1, 4), (-1, 100), (1, 400))
    )
    return 365 * before + leap_days - EPOCH


@dataclass(frozen=True)
class TracedCycle(SeasonalCycle):
    """The cycle of the year and of the day at times that are a tensor: those of the newest state, and steps from it.

    Attributes:
        seconds: Times of the newest states in s since 1970-01-01T00:00 UTC, [batch]; None where nothing depends on it.
        stored: Coefficients, [basis, channel, y, x].
    """

    seconds: Tensor | None = None
    stored: Tensor | None = None

    def _basis(self, times: ValidTimes) -> Float[Tensor, "time basis"]:
        if self.seconds is None:
            return super()._basis(times)
        steps = (times / np.timedelta64(1, "s")).astype(np.int64)
        fractions = calendar_fractions(
            (self.seconds[:, None] + torch.from_numpy(steps)).reshape(-1)
        )
        counts = self.climatology.yearly_harmonics, self.climatology.daily_harmonics
        yearly, daily = (_waves(one, count) for one, count in zip(fractions, counts, strict=True))
        return (yearly[:, :, None] * daily[:, None, :]).reshape(len(yearly), -1)

    def _coefficients(self, device: torch.device) -> Float[Tensor, "basis channel y x"]:
        assert self.stored is not None
        return self.stored


def _waves(fraction: Float[Tensor, " time"], harmonics: int) -> Float[Tensor, "time wave"]:
    """Return 1, cos 2πφ, sin 2πφ, cos 4πφ, … at each fraction φ of a cycle."""
    columns = [torch.ones_like(fraction)]
    for order in range(1, harmonics + 1):
        angle = 2 * np.pi * order * fraction
        columns += [torch.cos(angle), torch.sin(angle)]
    return torch.stack(columns, dim=1)


class StepModule(nn.Module):
    """A step of a forecaster: fields in physical units in, the next fields in physical units out, NaN where undefined.

        x(t + Δt), … = M[x(t), x(t − Δt), …; f(t + Δt), …]

    Attributes:
        inputs: Names of its inputs: ``states``, and ``forcing``, ``time`` and ``noise`` where the model has them.
        climatology: Coefficients of its cycle of the year and day, where it has one.
    """

    climatology: Tensor

    def __init__(self, forecaster: NetworkForecaster) -> None:
        """Wrap a forecaster, which stays as it is."""
        super().__init__()
        self.network = forecaster.network
        self._forecaster = forecaster
        seasons = forecaster.normalizer.seasons
        if seasons is not None:
            self.register_buffer("climatology", seasons.coefficients)
        self.inputs = ["states"]
        if len(forecaster.forcing):
            self.inputs.append("forcing")
        if seasons is not None:
            cycle = seasons.climatology
            if cycle.yearly_harmonics or cycle.daily_harmonics:
                self.inputs.append("time")
        if forecaster.is_stochastic:
            self.inputs.append("noise")

    def forward(
        self,
        states: Float[Tensor, "batch history prognostic y x"],
        forcing: Float[Tensor, "batch block forcing y x"] | None = None,
        time: Int64[Tensor, " batch"] | None = None,
        noise: Float[Tensor, "batch history noise y x"] | None = None,
    ) -> Float[Tensor, "batch block predicted y x"]:
        """Return the next states.

        Args:
            states: The last states, newest last.
            forcing: Forcing and static variables at the target times.
            time: When the newest state is valid, in s since 1970-01-01T00:00 UTC.
            noise: The noise channels.
        """
        forecaster = copy(self._forecaster)
        forecaster.given_noise = noise
        seasons = forecaster.normalizer.seasons
        if seasons is not None:
            traced = TracedCycle(
                seasons.variables, seasons.climatology, seconds=time, stored=self.climatology
            )
            forecaster.normalizer = replace(forecaster.normalizer, seasons=traced)
        return step(forecaster, states, forcing, np.zeros(1) * forecaster.time_step)


def step(
    forecaster: NetworkForecaster,
    states: Float[Tensor, "batch history prognostic y x"],
    forcing: Float[Tensor, "batch block forcing y x"] | None,
    newest: np.ndarray,
) -> Float[Tensor, "batch block predicted y x"]:
    """Return a forecaster's output for tensors whose newest states are valid at given times, NaN where undefined."""
    batch = len(states)
    before = newest[:, None] - np.arange(forecaster.history)[::-1] * forecaster.time_step
    after = newest[:, None] + np.arange(1, forecaster.block + 1) * forecaster.time_step
    mask = forecaster.valid_mask
    if mask is not None:
        mask = mask[forecaster.predicted.indices(forecaster.prognostic.names)]
    window = State(
        states,
        forecaster.prognostic,
        forecaster.grid,
        np.broadcast_to(before, (batch, forecaster.history)),
        mask,
    )
    given = None
    if forcing is not None:
        given = State(
            forcing,
            forecaster.forcing,
            forecaster.grid,
            np.broadcast_to(after, (batch, forecaster.block)),
            forecaster.forcing_mask,
        )
    return forecaster(window, given).masked().data
