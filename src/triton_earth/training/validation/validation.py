"""Validation: scores on fixed windows of the validation split, one step ahead and along short forecasts."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from triton_earth.core.state import State
from triton_earth.core.variables import Role, Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.models.base import Forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.models.noise import seeds_of_times
from triton_earth.models.reference import Persistence
from triton_earth.rollout.rollout import rollout
from triton_earth.training.config import VALIDATION_CRPS, TrainConfig
from triton_earth.training.losses.ensemble_losses import almost_fair_crps, repeated
from triton_earth.training.losses.fields import mean_squared_error
from triton_earth.training.losses.rollout_loss import true_forcings
from triton_earth.training.stabilization import Stabilization
from triton_earth.training.validation.kept_variance import KeptVariance, variances

Row = dict[str, Any]

MEMBERS = 4
"""Members of each window that a stochastic forecaster is validated with."""


def validate(
    forecaster: NetworkForecaster,
    validation: ForecastDataset,
    config: TrainConfig,
    stabilization: Stabilization | None = None,
) -> dict[str, float]:
    """Return the normalised mean squared error of the forecaster, and of persistence, on fixed validation windows.

    Of a stochastic forecaster also the fair continuous ranked probability score of `MEMBERS` members, in units of the
    training standard deviation, as ``validation_crps``; with stabilisers how much each changed the first states, in the
    same units, as ``NAME_change``.
    """
    corrections = []
    forecaster.network.eval()
    batches = _evenly(len(validation), config.validation_windows, config.batch_size)
    std = _training_std(forecaster)
    sums = {"validation_mse": 0.0, "persistence_mse": 0.0}
    models: dict[str, Forecaster] = {
        "validation_mse": forecaster,
        "persistence_mse": _persistence(forecaster),
    }
    with torch.no_grad():
        for indices, (history, truth) in zip(batches, validation.batches(batches), strict=True):
            first = truth.at(slice(0, forecaster.block)).to(forecaster.device)
            forcings = true_forcings(forecaster, first)
            for name, model in models.items():
                window = history.last(model.history).to(forecaster.device)
                correction = None
                if stabilization is not None and model is forecaster:
                    correction = stabilization.begin(window)
                    corrections.append(correction)
                forecast = next(rollout(model, window, forcings, 1, correction))
                error = mean_squared_error(
                    *_compared(forecaster, forecast, truth.at(slice(0, 1))), std
                )
                sums[name] += float(error) * len(indices)
            if forecaster.is_stochastic:
                window = history.to(forecaster.device)
                true = truth.at(slice(0, 1))
                crps = _crps(forecaster, window, first, true, std, stabilization)
                sums[VALIDATION_CRPS] = sums.get(VALIDATION_CRPS, 0.0) + crps * len(indices)
    count = sum(len(indices) for indices in batches)
    scores = {name: total / count for name, total in sums.items()}
    return scores if stabilization is None else scores | stabilization.changes(corrections)


def _crps(
    forecaster: NetworkForecaster,
    history: State,
    given: State,
    truth: State,
    std: Float[Tensor, "channel 1 1"],
    stabilization: Stabilization | None,
) -> float:
    """Return the fair CRPS of the first state of several members, whose noise depends on their times and numbers."""
    times = seeds_of_times(history.valid_times)
    forecaster.noise_seeds = [[*seed, member] for seed in times for member in range(MEMBERS)]
    try:
        forcings = true_forcings(forecaster, repeated(given, MEMBERS))
        window = repeated(history, MEMBERS)
        correction = None if stabilization is None else stabilization.begin(window)
        members = next(rollout(forecaster, window, forcings, 1, correction))
    finally:
        forecaster.noise_seeds = None
    return float(almost_fair_crps(*_compared(forecaster, members, truth), std, alpha=1.0))


def validate_rollouts(
    forecaster: NetworkForecaster,
    rollouts: ForecastDataset,
    config: TrainConfig,
    stabilization: Stabilization | None = None,
) -> tuple[dict[str, float], list[Row]]:
    """Score forecasts from fixed initial times of the validation split at `config.validation_leads`.

        RMSE(n, c) = √⟨w m (f_c − t_c)²⟩ / σ_c,    rollout_rmse_lead_n = √⟨RMSE(n, c)²⟩_c,    rollout_rmse their mean
        r = ln(var f_c / var t_c),  s = the same of the upper half of wavenumbers,
        rollout_stability_lead_n = √⟨(r² + s²)/2⟩_c,    rollout_stability their mean

    with σ the standard deviation over the training data; the lower, the better. A forecast that is no longer finite
    scores infinity.

    Args:
        forecaster: What forecasts.
        rollouts: Validation windows of the history and the longest lead.
        config: Leads, and how many forecasts.
        stabilization: What corrects the states of the forecasts; None: nothing.

    Returns:
        The scores by name, and one row for each lead and variable with persistence beside it.
    """
    forecaster.network.eval()
    batches = _evenly(len(rollouts), config.validation_forecasts, config.batch_size)
    squares: dict[str, Float64[np.ndarray, "lead channel"]] = {}
    kept: list[np.ndarray] = []
    models: dict[str, Forecaster] = {
        "rmse": forecaster,
        "persistence_rmse": _persistence(forecaster),
    }
    leads = config.validation_leads
    with torch.no_grad():
        for indices, (history, truth) in zip(batches, rollouts.batches(batches), strict=True):
            forcings = true_forcings(forecaster, truth.to(forecaster.device))
            for name, model in models.items():
                window = history.last(model.history).to(forecaster.device)
                given = forcings if model is forecaster else None
                correction = None
                if stabilization is not None and model is forecaster:
                    correction = stabilization.begin(window)
                states = rollout(model, window, given, leads[-1], correction)
                pairs = [
                    _compared(forecaster, state, truth.at(slice(lead, lead + 1)))
                    for lead, state in enumerate(states)
                    if lead + 1 in leads
                ]
                errors = [_by_variable(*pair, forecaster) for pair in pairs]
                squares[name] = squares.get(name, 0.0) + len(indices) * np.array(errors)
                if model is forecaster:
                    names = forecaster.predicted.names
                    both = [[variances(state.select(names)) for state in pair] for pair in pairs]
                    kept.append(len(indices) * np.array(both))
    count = sum(len(indices) for indices in batches)
    mean = {name: total / count for name, total in squares.items()}
    std = _training_std(forecaster).flatten().double().numpy()
    total = sum(kept[1:], start=kept[0]) / count
    variance = KeptVariance(total[:, 0], total[:, 1], std)
    ratios = variance.log_ratios
    table = {
        **{name: np.sqrt(values) for name, values in mean.items()},
        "log_variance_ratio": ratios[..., 0],
        "log_small_scale_ratio": ratios[..., 1],
    }
    scores = _scores(leads, np.sqrt(mean["rmse"].mean(axis=1)), variance.instability)
    return scores, _rows(leads, forecaster.predicted.names, table)


def _compared(forecaster: NetworkForecaster, forecast: State, truth: State) -> tuple[State, State]:
    """Return forecast and truth as the normaliser has them: those with a log scale by their logarithm."""
    transformed = forecaster.normalizer.transformed
    return transformed(forecast.to("cpu")), transformed(truth)


def _scores(
    leads: Sequence[int],
    rmse: Float64[np.ndarray, " lead"],
    instability: Float64[np.ndarray, " lead"],
) -> dict[str, float]:
    scores = {}
    for name, values in (("rollout_rmse", rmse), ("rollout_stability", instability)):
        scores[name] = float(values.mean())
        scores |= {
            f"{name}_lead_{lead}": float(value) for lead, value in zip(leads, values, strict=True)
        }
    together = scores["rollout_rmse"] + scores["rollout_stability"]
    return {**scores, "rollout_rmse_and_stability": together}


def _rows(leads: Sequence[int], names: list[str], table: dict[str, np.ndarray]) -> list[Row]:
    return [
        {
            "lead": lead,
            "variable": variable,
            **{name: float(values[row, column]) for name, values in table.items()},
        }
        for row, lead in enumerate(leads)
        for column, variable in enumerate(names)
    ]


def _by_variable(forecast: State, truth: State, forecaster: NetworkForecaster) -> list[float]:
    """Return the normalised mean squared error of each variable; infinity where it is not finite."""
    std = _training_std(forecaster)
    values = [
        float(mean_squared_error(forecast.select([name]), truth, std[index : index + 1]))
        for index, name in enumerate(forecaster.predicted.names)
    ]
    return [value if math.isfinite(value) else math.inf for value in values]


def _evenly(available: int, wanted: int, batch_size: int) -> list[np.ndarray]:
    """Return the numbers of evenly spread windows, in batches."""
    count = min(wanted, available)
    chosen = np.linspace(0, available - 1, count).astype(int)
    return [chosen[first : first + batch_size] for first in range(0, count, batch_size)]


def _training_std(forecaster: NetworkForecaster) -> Float[Tensor, "channel 1 1"]:
    names = forecaster.normalizer.variables
    return torch.tensor(
        [forecaster.normalizer.std[names.index(name)] for name in forecaster.predicted.names]
    )[:, None, None]


def _persistence(forecaster: NetworkForecaster) -> Persistence:
    """Return persistence of all predicted variables: the initial state has the diagnostic ones too."""
    variables = tuple(replace(one, role=Role.PROGNOSTIC) for one in forecaster.predicted)
    return Persistence(Variables(variables), forecaster.grid, forecaster.time_step)
