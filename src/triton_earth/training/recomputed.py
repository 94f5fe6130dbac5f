"""Activation checkpointing per application: long rollouts in the memory of short ones."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from triton_earth.core.state import State
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster


class RecomputedForecaster(Forecaster):
    """A forecaster that keeps only its window for the gradient, and computes its activations again for it.

    Outputs, gradients and random numbers are those of the forecaster itself. Batch normalization counts each batch
    once.
    """

    def __init__(self, forecaster: NetworkForecaster) -> None:
        self.forecaster = forecaster
        self.variables, self.grid = forecaster.variables, forecaster.grid
        self.time_step, self.name = forecaster.time_step, forecaster.name
        self.history, self.block = forecaster.history, forecaster.block

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the states after the window."""
        described: list[State] = []

        def advance(data: Tensor) -> Tensor:
            state = self.forecaster(replace(window, data=data), forcing)
            if not described:
                # Without the gradient's graph, which holds this function.
                described.append(replace(state, data=state.data.detach()))
            return state.data

        data = checkpoint(
            advance,
            window.data,
            use_reentrant=False,
            context_fn=lambda: (contextlib.nullcontext(), self._uncounted()),
        )
        return replace(described[0], data=data)

    @contextlib.contextmanager
    def _uncounted(self) -> Iterator[None]:
        """Take back what batch normalization counts a second time."""
        norms = [m for m in self.forecaster.network.modules() if isinstance(m, nn.BatchNorm2d)]
        counted = [[buffer.clone() for buffer in norm.buffers()] for norm in norms]
        try:
            yield
        finally:
            for norm, buffers in zip(norms, counted, strict=True):
                for buffer, before in zip(norm.buffers(), buffers, strict=True):
                    buffer.copy_(before)
