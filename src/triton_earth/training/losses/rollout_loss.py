"""The loss of a rollout: what every training step makes smaller."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.objective import Objective
from triton_earth.training.recomputed import RecomputedForecaster
from triton_earth.training.stabilization import Stabilization

Leads = list[tuple[int, State]]
"""Forecast states with the index of their lead, 0 for the first."""


def rollout_loss(
    forecaster: NetworkForecaster, history: State, truth: State, config: TrainConfig | None = None
) -> Float[Tensor, ""]:
    """Return the loss of a rollout over the times of `truth`, the weighted mean over leads.

        L = Σ_n a_n ℓ(x̂(t + n Δt), x(t + n Δt)) / Σ_n a_n

    Args:
        forecaster: What makes the rollout; forcings are those of the truth at each target time.
        history: States it starts from.
        truth: True states at the times that follow.
        config: The objective ℓ, the lead weights a, and which applications the loss looks at.
    """
    config = config or TrainConfig()
    return mean_over_leads(
        forecaster, list(forecast_leads(forecaster, history, truth, config)), truth, config
    )


def forecast_leads(
    forecaster: NetworkForecaster,
    history: State,
    truth: State,
    config: TrainConfig,
    stabilization: Stabilization | None = None,
) -> Iterator[tuple[int, State]]:
    """Yield the states that the loss looks at: all leads, or those of the last `gradient_steps` applications.

    The applications before these run without gradient. Stabilisers correct every state, and gradients flow through
    what they do.
    """
    correction = None if stabilization is None else stabilization.begin(history)
    block, leads = forecaster.block, truth.data.shape[1]
    forcings = true_forcings(forecaster, truth)
    spared = 0
    if config.gradient_steps is not None:
        spared = max(0, -(-leads // block) - config.gradient_steps)
    start = history.select(forecaster.prognostic.names)
    if spared:
        with torch.no_grad():
            for state in rollout(forecaster, start, forcings, spared * block, correction):
                start = start.append(state).last(forecaster.history)
    model: Forecaster = forecaster
    if config.recompute_steps and torch.is_grad_enabled():
        model = RecomputedForecaster(forecaster)
    rest = None if forcings is None else forcings[spared:]
    first = spared * block
    states = rollout(model, start, rest, leads - first, correction)
    yield from enumerate(states, start=first)


def mean_over_leads(
    forecaster: NetworkForecaster, leads: Leads, truth: State, config: TrainConfig
) -> Float[Tensor, ""]:
    """Return the weighted mean over leads of the objective."""
    objective = Objective.of(forecaster, config)
    losses = torch.stack(
        [objective(state, truth.at(slice(lead, lead + 1))) for lead, state in leads]
    )
    if not config.lead_weights:
        return losses.mean()
    weights = losses.new_tensor([config.lead_weights[lead] for lead, _ in leads])
    return (weights * losses).sum() / weights.sum()


@torch.no_grad()
def losses_by_lead_and_variable(
    forecaster: NetworkForecaster, leads: Leads, truth: State, config: TrainConfig
) -> Float[Tensor, "lead variable"]:
    """Return the objective of each variable alone at each lead."""
    objective = Objective.of(forecaster, config)
    names = forecaster.predicted.names
    return torch.stack(
        [
            torch.stack(
                [
                    objective.of_variable(index)(
                        state.select([name]), truth.at(slice(lead, lead + 1))
                    )
                    for index, name in enumerate(names)
                ]
            )
            for lead, state in leads
        ]
    )


def true_forcings(forecaster: Forecaster, truth: State) -> list[State] | None:
    """Return the forcings of the truth for each application, or None for a model without forcings."""
    if not len(forecaster.forcing):
        return None
    given = truth.select(forecaster.forcing.names)
    return [
        given.at(slice(first, first + forecaster.block))
        for first in range(0, truth.data.shape[1], forecaster.block)
    ]


def require_lead_weights(config: TrainConfig, history: int) -> None:
    """Refuse lead weights that do not reach the longest horizon, or leave some stage without any weight.

    Raises:
        UserError: saying how many are needed.
    """
    if not config.lead_weights:
        return
    found = len(config.lead_weights)
    for stage in config.stages:
        leads = stage.longest * history
        first = 0
        if config.gradient_steps is not None:
            first = max(0, stage.longest - config.gradient_steps) * history
        if found < leads:
            raise UserError(
                f"train.lead_weights: a horizon of {stage.longest} has {leads} leads; found {found} weights. "
                "Give one for each lead."
            )
        if not any(config.lead_weights[first:leads]):
            raise UserError(
                f"train.lead_weights: all weights of leads {first + 1} to {leads} are zero; raise one."
            )
