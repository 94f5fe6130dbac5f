"""Autoregressive forecasts: the only time loop of the package. Training, validation and forecasting all consume it."""

from collections.abc import Callable, Iterable, Iterator

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.models.base import Forecaster


def rollout(
    forecaster: Forecaster,
    initial: State,
    forcings: State | Iterable[State] | None,
    steps: int,
    correction: Callable[[State], State] | None = None,
) -> Iterator[State]:
    """Yield the forecast after each time step.

        x(t + Δt) = M[x(t), x(t − Δt), …; f(t + Δt)],      t = init_time, init_time + Δt, …

    Memory does not grow with `steps`. A model that gives several states at once is applied as often as needed.

    Args:
        forecaster: M, with its time step Δt and history.
        initial: Analysed states, [batch, history, channel, y, x] in physical units, newest last.
        forcings: Forcings at all target times as one state, or one state for each application of the model, with as
            many times as it gives (`block`); None for a model without forcings.
        steps: Number of time steps; the horizon is `steps` Δt.
        correction: What is done to the states of each application before they are yielded and fed back, for example
            `triton_earth.rollout.guard.stabilizers.Correction`; None: nothing.

    Yields:
        State [batch, 1, channel, y, x] valid at init_time + n Δt, n = 1 … steps. Cells outside the valid mask are
        masked before a state is yielded and before it is fed back, so what is scored is what the model saw.

    Raises:
        UserError: if `initial` lacks a prognostic variable or has another number of states, if `steps` is not
            positive, or if the forcings end early. As this is a generator, they are raised while iterating.

    Example:
        initial = store.windows(trajectories=[6], starts=[0], length=model.history)
        for state in triton_earth.rollout(model, initial, forcings=None, steps=10):
            fields = state.to_xarray()
    """
    if steps < 1:
        raise UserError(f"a forecast needs at least one step; found {steps}.")
    window = initial.select(forecaster.prognostic.names)
    if window.data.shape[1] != forecaster.history:
        raise UserError(
            f"the model '{forecaster.name}' starts from {forecaster.history} states; found {window.data.shape[1]}."
        )
    forcing_states = None if forcings is None else _applications(forcings, forecaster.block)
    done = 0
    while done < steps:
        forcing = None
        if forcing_states is not None:
            forcing = next(forcing_states, None)
            if forcing is None:
                raise UserError(f"the forcings end after {done} of {steps} steps; give more.")
        block = forecaster(window, forcing)
        if correction is not None:
            block = correction(block)
        block = block.masked()
        window = window.append(block).last(forecaster.history)
        for index in range(min(block.data.shape[1], steps - done)):
            yield block.at(slice(index, index + 1))
            done += 1


def _applications(forcings: State | Iterable[State], block: int) -> Iterator[State]:
    """Yield the forcings of each application; target times after the last whole one are left out."""
    if not isinstance(forcings, State):
        yield from forcings
        return
    for first in range(0, forcings.data.shape[1] - block + 1, block):
        yield forcings.at(slice(first, first + block))
