"""How a forecaster treats noise: what becomes of a small disturbance of each scale, and the mode that grows fastest."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.models.base import Forecaster
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.rollout import rollout

STEPS = (1, 2, 5)
"""Steps after which a disturbance is looked at."""

AMPLITUDE = 0.02
"""Size of a disturbance, in standard deviations of each variable about the mean of its row."""

ITERATIONS = 30
"""Applications of the one-step map in the power iteration."""

STATES = 2
"""Initial states that are disturbed."""


@torch.no_grad()
def noise_response(
    forecaster: Forecaster,
    initial: State,
    forcings: Sequence[State] | None = None,
    *,
    steps: Sequence[int] = STEPS,
    amplitude: float = AMPLITUDE,
    seed: int = 0,
) -> xr.Dataset:
    """Disturb states by noise of one octave of the wavenumber at a time and return what comes out.

        g(n, k) = ‖Mⁿ(x + ε ξ_k) − Mⁿ(x)‖ / ‖ε ξ_k‖,      ‖·‖² = mean over cells and states, in variances

    with ξ_k white noise whose wavenumbers along rows lie in octave k. A forecaster that is stable over long runs damps
    (g < 1) what does not belong to the flow; one that amplifies the small scales at every step loses its climate.

    Args:
        forecaster: M.
        initial: Undisturbed states, [batch, history, channel, y, x].
        forcings: Forcings of each application; None for a forecaster without them.
        steps: n.
        amplitude: ε, in standard deviations of each variable about the mean of its row, over cells and states.
        seed: Seed of the noise.

    Returns:
        `noise_gain` (step, octave, variable); `noise_small_scales` (step, octave), the part of the response's variance
        that lies in the smallest octave.

    Raises:
        UserError: if no step is asked for, or the rows have fewer than four cells.

    Source: the denoising test of arXiv:2605.30184.
    """
    if not steps or min(steps) < 1:
        raise UserError(f"the response to noise needs at least one step; found {list(steps)}.")
    columns = initial.data.shape[-1]
    if columns < 4:
        raise UserError(
            f"the response to noise needs rows of at least four cells; found {columns}."
        )
    octaves = [
        (2**k, min(2 ** (k + 1), columns // 2 + 1)) for k in range(int(np.log2(columns // 2)))
    ]
    octaves[-1] = (octaves[-1][0], columns // 2 + 1)
    scale = _scale(initial)
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(initial.data.shape, generator=generator).to(initial.data)
    longest = max(steps)
    plain = _states(forecaster, initial, forcings, longest, steps)
    gain = np.full((len(steps), len(octaves), len(forecaster.predicted)), np.nan)
    small = np.full((len(steps), len(octaves)), np.nan)
    names = forecaster.predicted.names
    size = scale[initial.variables.indices(forecaster.prognostic.names)]
    for place, (low, high) in enumerate(octaves):
        noise = _octave(white, low, high) * amplitude * scale
        disturbed = State(
            initial.data + noise,
            initial.variables,
            initial.grid,
            initial.valid_times,
            initial.valid_mask,
        )
        put_in = float(
            _mean_square(
                noise[:, -1:, initial.variables.indices(forecaster.prognostic.names)], size
            )
        )
        found = _states(forecaster, disturbed, forcings, longest, steps)
        for row, step in enumerate(steps):
            apart = found[step].data - plain[step].data
            apart = torch.where(torch.isfinite(apart), apart, torch.inf)
            mask = plain[step].valid_mask
            if mask is not None:
                apart = torch.where(mask, apart, torch.nan)
            for channel, name in enumerate(names):
                if name in forecaster.prognostic:
                    own = scale[initial.variables.indices([name])]
                    one = _mean_square(apart[:, :, channel : channel + 1], own)
                    gain[row, place, channel] = float(torch.sqrt(one / put_in))
            filled = torch.where(torch.isnan(apart), 0.0, apart.double())
            power = torch.fft.rfft(filled, dim=-1).abs() ** 2
            total = power[..., 1:].sum()
            small[row, place] = (
                float(power[..., octaves[-1][0] :].sum() / total) if total > 0 else np.nan
            )
    return xr.Dataset(
        {
            "noise_gain": (
                ("step", "octave", "variable"),
                gain,
                {
                    "long_name": "size of the response to noise over that of the noise",
                    "units": "1",
                    "definition": "root mean square difference of the disturbed and the undisturbed forecast over that "
                    "of the noise, both in standard deviations of the variables about the mean of their rows; below 1 "
                    "the forecaster damps the noise",
                },
            ),
            "noise_small_scales": (
                ("step", "octave"),
                small,
                {
                    "long_name": "part of the response in the smallest octave",
                    "units": "1",
                    "definition": "part of the variance of the response, the mean over rows aside, in the smallest "
                    "octave of the wavenumber along rows",
                },
            ),
        },
        coords={
            "step": (
                "step",
                list(steps),
                {"long_name": "steps after the disturbance", "units": "1"},
            ),
            "octave": (
                "octave",
                [f"{low}-{high - 1}" if high - low > 1 else f"{low}" for low, high in octaves],
                {"long_name": "waves along a row"},
            ),
            "variable": ("variable", names, {"long_name": "variable"}),
        },
    )


@torch.no_grad()
def leading_growth(
    forecaster: Forecaster,
    about: State,
    forcing: State | None = None,
    *,
    iterations: int = ITERATIONS,
    amplitude: float = AMPLITUDE,
    seed: int = 0,
) -> Float[Tensor, ""]:
    """Return the growth of the fastest mode of the one-step map about a state, by power iteration.

        v ← [M(x + ε v) − M(x)] / (ε ‖v‖),      growth = geometric mean of ‖v‖ over the last third of the iterations

    Above 1 a disturbance of the state grows from one application to the next; of an atmosphere it does so, slowly, in
    its own unstable waves, and never without end.

    Args:
        forecaster: M.
        about: State x, [1, history, channel, y, x]: a climatology, or any other.
        forcing: Forcing of the application; None for a forecaster without it.
        iterations: Applications.
        amplitude: ε, in standard deviations of each variable about the mean of its row.
        seed: Seed of the first disturbance.

    Raises:
        UserError: if there are fewer than three iterations.
    """
    if iterations < 3:
        raise UserError(f"the power iteration needs at least three iterations; found {iterations}.")
    window = about.select(forecaster.prognostic.names)
    scale = _scale(window)
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(window.data.shape, generator=generator).to(window.data)
    vector = torch.where(torch.isfinite(window.data), vector, 0.0)
    forcings = None if forcing is None else [forcing]

    def advanced(
        fields: Float[Tensor, "batch time channel y x"],
    ) -> Float[Tensor, "batch time channel y x"]:
        state = State(fields, window.variables, window.grid, window.valid_times, window.valid_mask)
        (new,) = (
            one.select(window.variables.names) for one in rollout(forecaster, state, forcings, 1)
        )
        return torch.cat([fields[:, 1:], new.data], dim=1)

    base = advanced(window.data)
    growths = []
    vector = vector / torch.sqrt(_mean_square(vector, torch.ones_like(scale)))
    for _ in range(iterations):
        response = (advanced(window.data + amplitude * scale * vector) - base) / (amplitude * scale)
        response = torch.where(torch.isfinite(window.data), response, 0.0)
        size = torch.sqrt(_mean_square(response, torch.ones_like(scale)))
        growths.append(size)
        if not torch.isfinite(size) or size == 0:
            return size
        vector = response / size
    last = torch.stack(growths[-(iterations // 3) :])
    return torch.exp(torch.log(last).mean())


def with_response(scores: xr.Dataset, forecasts: LiveForecasts) -> xr.Dataset:
    """Return the scores with the model's response to noise: `noise_gain`, `noise_small_scales`, `one_step_growth`.

    Args:
        scores: Scores of its forecasts.
        forecasts: The forecasts, whose model is disturbed.
    """
    steps = [step for step in STEPS if step <= len(forecasts.lead_times)]
    forecaster, initial, forcings = forecasts.beginnings(STATES, max(steps))
    if initial.data.shape[-1] < 4:
        return scores
    found = noise_response(forecaster, initial, forcings, steps=steps)
    _, one, given = forecasts.beginnings(1, forecaster.block)
    growth = float(leading_growth(forecaster, one, None if given is None else given[0]))
    found["one_step_growth"] = (
        (),
        growth,
        {
            "long_name": "growth of the fastest mode of one step",
            "units": "1",
            "definition": "growth from one application to the next of the small disturbance that grows fastest about "
            "the first initial state, by power iteration; above 1 it grows",
        },
    )
    kept = [name for name in scores["variable"].values if name in found["variable"].values]
    return scores.merge(
        found.sel(variable=kept).reindex(variable=scores["variable"].values, fill_value=np.nan),
        compat="override",
        combine_attrs="override",
    )


def _states(
    forecaster: Forecaster,
    initial: State,
    forcings: Sequence[State] | None,
    longest: int,
    steps: Sequence[int],
) -> dict[int, State]:
    states = enumerate(rollout(forecaster, initial, forcings, longest), start=1)
    return {number: state for number, state in states if number in steps}


def _scale(state: State) -> Float[Tensor, "channel 1 1"]:
    """Return the standard deviation of each variable about the mean of its row, over valid cells and states.

    About the mean of the map it would be that of the mean gradient from the equator to the poles.
    """
    data = state.data.double()
    deviation = data - data.nanmean(dim=-1, keepdim=True)
    return torch.sqrt((deviation**2).nanmean(dim=(0, 1, 3, 4))).to(state.data)[:, None, None]


def _octave(
    white: Float[Tensor, "batch time channel y x"], low: int, high: int
) -> Float[Tensor, "batch time channel y x"]:
    """Return the part of white noise with so many waves along rows, with unit variance."""
    spectrum = torch.fft.rfft(white, dim=-1)
    kept = torch.zeros_like(spectrum)
    kept[..., low:high] = spectrum[..., low:high]
    part = torch.fft.irfft(kept, n=white.shape[-1], dim=-1)
    return part / part.std(dim=(-2, -1), keepdim=True)


def _mean_square(
    fields: Float[Tensor, "batch time channel y x"], scale: Float[Tensor, "channel 1 1"]
) -> Float[Tensor, ""]:
    """Return the mean square in variances of each variable, over valid cells."""
    values = (fields / scale) ** 2
    return values[~torch.isnan(values)].double().mean()
