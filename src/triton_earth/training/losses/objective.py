"""The objective: what a recipe wants to be small, for the states at one lead."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.state import State
from triton_earth.data.statistics.normalization import Normalizer
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.balance import balanced
from triton_earth.training.losses.ensemble_losses import (
    almost_fair_crps,
    energy_score,
    repeated,
    wave_score,
)
from triton_earth.training.losses.fields import (
    ChannelWeights,
    huber_loss,
    mean_absolute_error,
    mean_squared_error,
    relative_l2,
)
from triton_earth.training.losses.spectral_loss import adjusted_squared_error, log_spectrum_error


@dataclass(frozen=True)
class Objective:
    """A weighted sum of losses, with everything that they measure errors by.

    Attributes:
        terms: Weight of each loss by name.
        scale: What errors of each predicted variable are divided by.
        mean: Training mean of each predicted variable.
        std: Training standard deviation of each predicted variable.
        weights: How much each predicted variable counts; None where all count alike. Where gradients are balanced, they
            are weighted in place of the loss.
        huber_delta: Where the Huber loss becomes linear.
        alpha: How fair the scores of ensembles are.
        balance: Whether the gradients of all channels get the same norm.
        normalizer: Has the logarithms by which some variables are compared; None where none has.
    """

    terms: dict[str, float]
    scale: Float[Tensor, "channel 1 1"]
    mean: Float[Tensor, "channel 1 1"]
    std: Float[Tensor, "channel 1 1"]
    weights: Float[Tensor, "channel 1 1"] | None = None
    huber_delta: float = 1.0
    alpha: float = 0.95
    balance: bool = False
    normalizer: Normalizer | None = None

    @classmethod
    def of(cls, forecaster: NetworkForecaster, config: TrainConfig) -> "Objective":
        """Return the objective of a recipe, in the units of a forecaster.

        Raises:
            UserError: if a weight is given for a variable that is not predicted.
        """
        names = forecaster.predicted.names
        require_predicted(config, names)
        weights = None
        if config.variable_weights:
            values = [config.variable_weights.get(name, 1.0) for name in names]
            weights = torch.tensor(values, device=forecaster.device)[:, None, None]
        return cls(
            config.loss,
            forecaster.loss_scale(),
            _statistic(forecaster, names, forecaster.normalizer.mean),
            _statistic(forecaster, names, forecaster.normalizer.std),
            weights,
            config.huber_delta,
            config.crps_alpha,
            config.balance_gradients,
            forecaster.normalizer,
        )

    def __call__(self, forecast: State, truth: State) -> Float[Tensor, ""]:
        """Return the loss of a forecast of all predicted variables, in their order.

        Where the forecast has several members of each true state, ensemble scores look at them together, all other
        losses at each alone.
        """
        if self.normalizer is not None:
            forecast, truth = (self.normalizer.transformed(one) for one in (forecast, truth))
        weights = self.weights
        if self.balance:
            forecast, weights = balanced(forecast, weights), None
        values = [
            _scaled(self._term(name, forecast, truth, weights), weight)
            for name, weight in self.terms.items()
        ]
        return values[0] if len(values) == 1 else torch.stack(values).sum()

    def of_variable(self, index: int) -> "Objective":
        """Return the objective of one predicted variable alone."""
        one = slice(index, index + 1)
        return replace(
            self,
            scale=self.scale[one],
            mean=self.mean[one],
            std=self.std[one],
            weights=None,
            balance=False,
        )

    def _term(
        self, name: str, forecast: State, truth: State, weights: ChannelWeights | None
    ) -> Float[Tensor, ""]:
        match name:
            case "crps":
                return almost_fair_crps(forecast, truth, self.scale, weights, self.alpha)
            case "crps_waves":
                return wave_score(forecast, truth, self.scale, weights, self.alpha)
            case "energy":
                return energy_score(forecast, truth, self.scale, weights, self.alpha)
        truth = repeated(truth, len(forecast.data) // len(truth.data))
        match name:
            case "mse":
                return mean_squared_error(forecast, truth, self.scale, weights)
            case "mae":
                return mean_absolute_error(forecast, truth, self.scale, weights)
            case "huber":
                return huber_loss(forecast, truth, self.scale, weights, self.huber_delta)
            case "relative_l2":
                return relative_l2(forecast, truth, self.mean, self.std, weights)
            case "amse":
                return adjusted_squared_error(forecast, truth, self.scale, weights)
            case _:
                return log_spectrum_error(forecast, truth, self.mean, weights)


def require_predicted(config: TrainConfig, names: list[str]) -> None:
    """Refuse a weight for a variable that is not predicted.

    Raises:
        UserError: naming it and the nearest that is.
    """
    for name in config.variable_weights:
        if name not in names:
            raise UserError(
                f"train.variable_weights: '{name}' is not predicted; {nearest(name, names)}"
            )


def _statistic(
    forecaster: NetworkForecaster, names: list[str], values: tuple[float, ...]
) -> Float[Tensor, "channel 1 1"]:
    by_name = dict(zip(forecaster.normalizer.variables, values, strict=True))
    return torch.tensor([by_name[name] for name in names], device=forecaster.device)[:, None, None]


def _scaled(value: Tensor, weight: float) -> Tensor:
    return value if weight == 1.0 else weight * value
