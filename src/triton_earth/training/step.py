"""The forward pass of a training step as one module, so that whatever wraps modules can wrap it."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from triton_earth.core.state import State
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.ensemble_losses import repeated
from triton_earth.training.losses.rollout_loss import Leads, forecast_leads, mean_over_leads
from triton_earth.training.stabilization import Stabilization


class TrainingStep(nn.Module):
    """History and truth in, the loss of the rollout out; its parameters are those of the forecaster's network.

    Attributes:
        config: How to train at the present step.
    """

    def __init__(
        self,
        forecaster: NetworkForecaster,
        config: TrainConfig,
        stabilization: Stabilization | None = None,
    ) -> None:
        super().__init__()
        self.network = forecaster.network
        self.forecaster, self.config = forecaster, config
        self._stabilization = stabilization

    def forward(self, history: State, truth: State) -> tuple[Tensor, Leads]:
        """Return the loss and the forecast states that it looks at, all members of each window."""
        history = with_noise(self.forecaster, history, self.config.noise)
        members = self.config.members
        rows = repeated(history, members), repeated(truth, members)
        leads = list(forecast_leads(self.forecaster, *rows, self.config, self._stabilization))
        return mean_over_leads(self.forecaster, leads, truth, self.config), leads


def with_noise(forecaster: NetworkForecaster, history: State, size: float) -> State:
    """Return the history plus white noise of `size` times each variable's root mean square increment."""
    if size == 0:
        return history
    prognostic = forecaster.normalizer.transformed(history.select(forecaster.prognostic.names))
    scale = forecaster.increment_std(prognostic.variables.names)
    noise = size * scale * torch.randn_like(prognostic.data)
    return forecaster.normalizer.restored(replace(prognostic, data=prognostic.data + noise))
