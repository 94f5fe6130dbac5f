"""The forward pass of a training step as one module, so that whatever wraps modules can wrap it."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.models.noise import NoiseConfig, free_noise
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.ensemble_losses import repeated
from triton_earth.training.losses.rollout_loss import Leads, forecast_leads, mean_over_leads
from triton_earth.training.optimization.curriculum import Sizes
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


def require_scales(config: TrainConfig, shape: tuple[int, int]) -> None:
    """Refuse noise on the history whose scale does not fit twice into the map.

    Raises:
        UserError: naming the scale, and the largest that is possible.
    """
    largest = min(shape) // 2
    for stage in config.stages:
        sizes = config.at(stage.from_step).noise
        scales = sizes if isinstance(sizes, Mapping) else {1: sizes}
        if max(scales, default=1) > max(1, largest):
            raise UserError(
                f"train.noise: noise with {max(scales)} cells between its numbers is nearly the same all over a map of "
                f"{shape[0]} x {shape[1]} cells; take {largest} cells at most."
            )


def with_noise(forecaster: NetworkForecaster, history: State, sizes: Sizes) -> State:
    """Return the history plus noise of several scales, in units of each variable's root mean square increment.

    Args:
        forecaster: Whose variables and units the noise is of.
        history: States that the model sees.
        sizes: Standard deviation of white noise, or of noise by the cells between its independent numbers.
    """
    by_scale = sizes if isinstance(sizes, Mapping) else {1: sizes}
    if not any(by_scale.values()):
        return history
    prognostic = forecaster.normalizer.transformed(history.select(forecaster.prognostic.names))
    data = prognostic.data
    scale = forecaster.increment_std(prognostic.variables.names)
    for cells, size in by_scale.items():
        if cells == 1:
            noise = torch.randn_like(data)
        else:
            of_scale = NoiseConfig(channels=data.shape[2], scales=(cells,))
            noise = free_noise(of_scale, data, forecaster.grid.padding)
        data = data + size * scale * noise
    return forecaster.normalizer.restored(replace(prognostic, data=data))
