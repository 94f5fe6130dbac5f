"""The learning-rate range finder: the loss while the rate rises, and where it fell best."""

import copy
import math
from dataclasses import dataclass

import torch

from triton_earth.data.dataset import ForecastDataset
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.curriculum import horizon_at
from triton_earth.training.optimization.optimizers import build_optimizers, set_learning_rate
from triton_earth.training.parallel.batch_parts import part_seed, shares
from triton_earth.training.parallel.distributed import ALONE
from triton_earth.training.step import TrainingStep

LOWEST, HIGHEST = 1e-6, 1.0
MEMORY = 0.9
"""Weight of the past in the average that smooths the losses."""
EXPLODED = 4.0
"""Times the lowest loss at which the scan ends."""
SAFE = 0.1
"""The suggestion, as part of the rate at which the loss was lowest."""


@dataclass(frozen=True)
class RateScan:
    """Smoothed losses while the learning rate rose.

    Attributes:
        rates: Learning rate of each step.
        losses: Loss of each step, as an average that forgets.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def suggested(self) -> float:
        """A peak learning rate: a tenth of that at which the loss was lowest."""
        return SAFE * self.rates[self.losses.index(min(self.losses))]


def scan_rates(
    forecaster: NetworkForecaster,
    training: ForecastDataset,
    config: TrainConfig,
    seed: int,
    steps: int = 100,
) -> RateScan:
    """Train a copy of a network while the learning rate rises from 1e-6 to 1, geometrically, until the loss explodes.

        η_n = η_0 (η_N/η_0)^(n/(N−1)),      ℓ_n = Σ_i 0.9^(n−i) L_i / Σ_i 0.9^(n−i)

    Args:
        forecaster: What is to be trained; its weights are left as they are.
        training: Windows of the training split.
        config: Recipe of the training, but for the rate and its schedule.
        seed: Seed of the run.
        steps: N, steps of a whole scan.

    Source: Smith (2017), arXiv:1506.01186, section 3.3; a tenth of the best rate for safety.
    """
    copied = copy.deepcopy(forecaster)
    network = copied.network.train()
    optimizers = build_optimizers(network, config)
    model = TrainingStep(copied, config)
    whole = config.model_copy(update={"steps": steps, "accumulate": 1})
    horizons = [copied.block * horizon_at(config.stages, 0)] * steps
    batches = training.batches(shares(len(training), whole, seed, 0, ALONE), horizons)
    rates: list[float] = []
    losses: list[float] = []
    average = weight = 0.0
    for step, window in enumerate(batches):
        history, truth = (state.to(copied.device) for state in window)
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1))
        set_learning_rate(optimizers, rate)
        torch.manual_seed(part_seed(seed, step, 0))
        loss, _ = model(history, truth)
        average, weight = MEMORY * average + loss.item(), MEMORY * weight + 1
        smooth = average / weight
        if not math.isfinite(smooth) or (losses and smooth > EXPLODED * min(losses)):
            break
        rates.append(rate)
        losses.append(smooth)
        network.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        for optimizer in optimizers:
            optimizer.step()
    return RateScan(tuple(rates), tuple(losses))
