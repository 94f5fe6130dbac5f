"""Losses of ensembles, against the package scoringrules and by their definition."""

import numpy as np
import pytest
import scoringrules
import torch

from tests.builders import land_mask, weather_grid
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import Variable, Variables
from triton_earth.training.config import TrainConfig
from triton_earth.training.losses.ensemble_losses import (
    almost_fair_crps,
    energy_score,
    repeated,
    wave_score,
)
from triton_earth.training.losses.fields import mean_absolute_error, mean_squared_error
from triton_earth.training.losses.objective import Objective

TWO = Variables((Variable("a", "1"), Variable("b", "K")))
GRID = PeriodicGrid(4, 6)
SCALE = torch.tensor([2.0, 0.5])[:, None, None]


def states(samples=3, members=4, grid=GRID, mask=None, seed=0):
    """A forecast with all members of a sample one after the other, and its truth."""
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 2, *grid.shape)
    times = np.arange(samples, dtype=float)[:, None]
    truth = State(torch.randn(samples, *shape, generator=generator), TWO, grid, times, mask)
    data = torch.randn(samples * members, *shape, generator=generator)
    return State(data, TWO, grid, times.repeat(members, axis=0), mask), truth


@pytest.mark.parametrize(("alpha", "fair_share"), [(1.0, 1.0), (0.0, 0.0), (0.95, 0.95)])
def test_crps_lies_between_the_fair_and_the_plain_one(alpha, fair_share):
    forecast, truth = states()
    members = (forecast.data / SCALE).unflatten(0, (3, 4)).movedim(1, -1).numpy()
    observed = (truth.data / SCALE).numpy()
    fair, plain = (
        scoringrules.crps_ensemble(observed, members, estimator=name).mean()
        for name in ("fair", "nrg")
    )
    found = almost_fair_crps(forecast, truth, SCALE, alpha=alpha)
    assert found.item() == pytest.approx(fair_share * fair + (1 - fair_share) * plain, rel=1e-5)


@pytest.mark.parametrize(("alpha", "pairs"), [(1.0, 12), (0.0, 16)])
def test_the_energy_score_is_that_of_whole_maps(alpha, pairs):
    forecast, truth = states()
    members = (forecast.data / SCALE).unflatten(0, (3, 4)).flatten(2).double()
    observed = (truth.data / SCALE).flatten(1).double()
    size = observed.shape[1] ** 0.5
    errors = (members - observed[:, None]).norm(dim=-1).mean() / size
    between = torch.cdist(members, members).sum(dim=(1, 2)).mean() / size
    found = energy_score(forecast, truth, SCALE, alpha=alpha)
    assert found.item() == pytest.approx(float(errors - between / (2 * pairs)), rel=1e-5)


@pytest.mark.parametrize(("alpha", "pairs"), [(1.0, 12), (0.0, 16)])
@pytest.mark.parametrize("grid", [GRID, weather_grid()], ids=["box", "sphere"])
def test_the_score_of_waves_is_the_energy_score_of_each_complex_number(grid, alpha, pairs):
    forecast, truth = states(grid=grid)
    on_sphere = grid is not GRID
    rows = grid.cell_area_weights[:, :1] if on_sphere else 1.0
    waves, observed = (
        (np.fft.fft if on_sphere else np.fft.fft2)(
            (one.data / SCALE).double().numpy(), norm="ortho"
        )
        for one in (forecast, truth)
    )
    waves = waves.reshape(3, 4, *waves.shape[1:])
    errors = np.abs(waves - observed[:, None]).mean(axis=1)
    between = np.abs(waves[:, :, None] - waves[:, None]).sum(axis=(1, 2)) / (2 * pairs)
    expected = (rows * (errors - between)).mean() / np.mean(rows)
    found = wave_score(forecast, truth, SCALE, alpha=alpha)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_score_of_waves_sees_a_spread_that_is_right_at_every_cell_and_wrong_at_long_waves():
    generator = torch.Generator().manual_seed(1)
    grid, times = PeriodicGrid(16, 16), np.arange(300, dtype=float)[:, None]
    long = torch.randn(900, 1, 1, 1, 1, generator=generator).expand(-1, 1, 1, 16, 16)
    short = torch.randn(900, 1, 1, 16, 16, generator=generator)
    truth = State(long[:300].clone(), TWO.select(["a"]), grid, times)

    def gain(score):
        """How much better members are that differ in the wave of the truth than in each cell by itself."""
        right, wrong = (
            State(one[300:].clone(), truth.variables, grid, times.repeat(2, axis=0))
            for one in (long, short)
        )
        unit = torch.ones(1, 1, 1)
        return (score(wrong, truth, unit) - score(right, truth, unit)).item()

    assert abs(gain(almost_fair_crps)) < 0.05 < gain(wave_score)


@pytest.mark.parametrize("score", [almost_fair_crps, energy_score, wave_score])
def test_undefined_cells_and_variables_without_weight_do_not_count(score):
    grid = weather_grid()
    mask = torch.from_numpy(land_mask(grid))
    forecast, truth = states(members=2, grid=grid, mask=mask)
    other = forecast.data.clone()
    other[:, :, 0][:, :, ~mask[0]] = torch.nan
    holes = State(other, TWO, grid, forecast.valid_times, mask)
    assert score(holes, truth, SCALE).item() == score(forecast, truth, SCALE).item()
    weights = torch.tensor([1.0, 1e-9])[:, None, None]
    alone = score(forecast.select(["a"]), truth, SCALE[:1])
    assert score(forecast, truth, SCALE, weights).item() == pytest.approx(alone.item(), rel=1e-4)


def test_equal_members_are_scored_by_their_error():
    forecast, truth = states(members=1)
    twice = repeated(forecast, 2)
    torch.testing.assert_close(
        almost_fair_crps(twice, truth, SCALE), mean_absolute_error(forecast, truth, SCALE)
    )


@pytest.mark.parametrize("score", [almost_fair_crps, wave_score])
def test_the_right_spread_scores_best(score):
    forecast, truth = states(samples=400, members=2)
    scores = [
        score(State(factor * forecast.data, TWO, GRID, forecast.valid_times), truth, SCALE).item()
        for factor in (0.5, 1.0, 2.0)
    ]
    assert scores[1] == min(scores)


def test_other_losses_look_at_each_member_alone():
    forecast, truth = states()
    objective = Objective({"mse": 1.0}, SCALE, torch.zeros(2, 1, 1), torch.ones(2, 1, 1))
    expected = torch.stack(
        [
            mean_squared_error(
                State(forecast.data[member::4], TWO, GRID, truth.valid_times), truth, SCALE
            )
            for member in range(4)
        ]
    ).mean()
    torch.testing.assert_close(objective(forecast, truth), expected)


def test_a_score_of_ensembles_needs_members():
    with pytest.raises(Exception, match=r"crps is a score of ensembles, but there is 1"):
        TrainConfig(loss="crps")
    stages = ({"from_step": 0, "horizon": 1}, {"from_step": 5, "horizon": 1, "loss": "energy"})
    with pytest.raises(Exception, match="energy is a score of ensembles, but there is 1 member"):
        TrainConfig(curriculum=stages)
    assert TrainConfig(loss="crps", members=2).most_members == 2
