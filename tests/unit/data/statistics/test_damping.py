"""The damped skip: fitted coefficients against series whose coefficients are known, and what it does to an anomaly."""

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.grid import ClosedGrid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.statistics.damping import (
    LARGEST,
    PRIOR_PAIRS,
    Damping,
    DampingConfig,
    fit_damping,
)

GLOBE = LatLonGrid(tuple(np.arange(-52.5, 60.0, 15.0)), tuple(np.arange(0.0, 360.0, 45.0)))
BOX = PeriodicGrid(8, 8)
TWO = Variables((Variable("a", "1"), Variable("b", "K")))
ONE = Variables((Variable("a", "1"),))


def autoregression(rho, times=40, shape=(8, 8), seed=0):
    """a(t + 1) = ρ a(t) + noise, [time, channel, y, x] with one ρ for each channel or cell."""
    generator = np.random.default_rng(seed)
    rho = np.broadcast_to(np.asarray(rho, float), (len(rho), *shape))
    fields = [generator.standard_normal(rho.shape)]
    for _ in range(times - 1):
        fields.append(rho * fields[-1] + 0.3 * generator.standard_normal(rho.shape))
    return np.stack(fields).astype(np.float32)


def fitted(series, variables, grid, mask=None, **config):
    return fit_damping(iter([iter([series])]), variables, grid, DampingConfig(**config), mask)


def test_a_variable_has_the_regression_of_each_state_on_the_one_before():
    series = autoregression([[[0.8]], [[0.3]]])
    damping = fitted(series, TWO, GLOBE, factor=0.5)
    weights = np.sqrt(GLOBE.cell_area_weights)
    before, after = (weights * part.astype(float) for part in (series[:-1], series[1:]))
    for channel in range(2):
        (slope,), *_ = np.linalg.lstsq(
            before[:, channel].reshape(-1, 1), after[:, channel].ravel(), rcond=None
        )
        assert damping.coefficients[channel, 0, 0].item() == pytest.approx(0.5 * slope, rel=1e-9)
        error = after[:, channel] - 0.5 * slope * before[:, channel]
        assert damping.error_std[channel] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)


def test_a_cell_is_drawn_towards_the_whole_map_and_undefined_cells_do_not_count():
    rho = np.linspace(0.1, 0.9, 64).reshape(1, 8, 8)
    series = autoregression(rho)
    mask = np.ones((1, 8, 8), bool)
    mask[0, :2] = False
    series[:, ~mask] = np.nan
    damping = fitted(series, ONE, GLOBE, mask, kind="cell")
    whole = fitted(series, ONE, GLOBE, mask).coefficients.item()
    before, after = (part[:, 0, 5, 3].astype(float) for part in (series[:-1], series[1:]))
    own = (before @ after) / (before @ before)
    expected = (39 * own + PRIOR_PAIRS * whole) / (39 + PRIOR_PAIRS)
    assert damping.coefficients[0, 5, 3].item() == pytest.approx(expected, rel=1e-6)
    correlation = np.corrcoef(damping.coefficients[0, 2:].flatten(), rho[0, 2:].ravel())[0, 1]
    assert correlation > 0.8
    assert np.isfinite(damping.error_std).all()


def test_a_wave_that_moves_and_fades_is_forecast_exactly():
    decay = 0.9 * np.exp(0.4j)
    times = np.arange(40)[:, None, None, None]
    wave = np.exp(2j * np.deg2rad(GLOBE.x)) * np.cos(np.deg2rad(GLOBE.y))[:, None]
    series = (decay**times * wave).real.astype(np.float32)
    damping = fitted(series, ONE, GLOBE, kind="waves")
    np.testing.assert_allclose(damping.coefficients[0, :, 2].numpy(), decay, rtol=1e-4)
    states = damping.damped(["a"], torch.from_numpy(series[None, 4:5]), 2, GLOBE)
    np.testing.assert_allclose(states[0].numpy(), series[5:7], atol=1e-5)
    assert damping.error_std[0] < 1e-4


def test_waves_of_a_box_have_a_coefficient_for_each_ring():
    series = autoregression([[[0.7]]], times=60)
    damping = fitted(series, ONE, BOX, kind="waves")
    assert damping.coefficients.shape == (1, 1, 7)
    x, y = np.meshgrid(np.arange(8), np.arange(8))
    for rows, columns in ((1, 0), (0, 2), (2, 2)):
        wave = np.cos(2 * np.pi * (rows * y + columns * x) / 8).astype(np.float32)
        ring = round(np.hypot(rows, columns))
        (state,) = damping.damped(["a"], torch.from_numpy(wave)[None, None, None], 1, BOX)
        expected = damping.coefficients[0, 0, ring].real.item() * wave
        np.testing.assert_allclose(state[0, 0].numpy(), expected, atol=1e-6)
    direct = series[1:].astype(float) - np.stack(
        [
            damping.damped(["a"], torch.from_numpy(field[None, None]).double(), 1, BOX)[0, 0]
            for field in series[:-1]
        ]
    )
    assert damping.error_std[0] == pytest.approx(np.sqrt(np.mean(direct**2)), rel=1e-6)


@pytest.mark.parametrize("kind", ["variable", "cell", "waves"])
def test_no_coefficient_reaches_one(kind):
    growing = (1.3 ** np.arange(40))[:, None, None, None] * autoregression([[[0.0]]], 1)
    damping = fitted(growing.astype(np.float32), ONE, GLOBE, kind=kind)
    assert damping.coefficients.abs().max() <= LARGEST + 1e-12


@pytest.mark.parametrize("kind", ["variable", "cell", "waves"])
def test_powers_follow_each_other(kind):
    damping = fitted(autoregression([[[0.8]], [[0.3]]]), TWO, GLOBE, kind=kind)
    anomaly = torch.randn(2, 1, 2, *GLOBE.shape)
    names = ["b", "a"]
    twice = damping.damped(names, anomaly, 2, GLOBE)
    once = damping.damped(names, anomaly, 1, GLOBE)
    torch.testing.assert_close(twice[:, :1], once)
    torch.testing.assert_close(
        twice[:, 1:], damping.damped(names, once, 1, GLOBE), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("kind", ["variable", "cell", "waves"])
def test_what_is_stored_is_all_there_is(kind):
    damping = fitted(autoregression([[[0.8]], [[0.3]]]), TWO, GLOBE, kind=kind)
    again = Damping.from_dict(damping.to_dict(), damping.stored)
    assert again.variables == damping.variables
    assert again.error_std == damping.error_std
    assert torch.equal(again.coefficients, damping.coefficients)


def test_pairs_do_not_cross_stretches():
    series = autoregression([[[0.8]]], times=80)
    whole = fitted(series, ONE, GLOBE)
    parts = fit_damping(
        iter([iter([series[:20], series[20:40]]), iter([series[40:]])]), ONE, GLOBE, DampingConfig()
    )
    assert parts.coefficients.item() != whole.coefficients.item()
    before = np.concatenate([series[:39], series[40:79]]).astype(float)
    after = np.concatenate([series[1:40], series[41:80]]).astype(float)
    weights = GLOBE.cell_area_weights
    expected = (weights * before * after).sum() / (weights * before**2).sum()
    assert parts.coefficients.item() == pytest.approx(expected, rel=1e-9)


def test_too_few_states_are_refused():
    with pytest.raises(UserError) as caught:
        fitted(autoregression([[[0.8]]], times=30), ONE, GLOBE)
    assert str(caught.value) == (
        "model.prediction=damped: the damping needs at least 30 pairs of successive training states; found 29. "
        "Prepare more training data, or take model.prediction=tendency."
    )


def test_waves_need_a_map_without_gaps_and_borders():
    series, mask = autoregression([[[0.8]]]), np.ones((1, 8, 8), bool)
    assert fitted(series, ONE, GLOBE, mask, kind="waves").kind == "waves"
    mask[0, 3, 3] = False
    with pytest.raises(UserError, match=r"found undefined cells\. Take kind: cell"):
        fitted(series, ONE, GLOBE, mask, kind="waves")
    with pytest.raises(UserError, match=r"waves need fields .* found the grid closed box 8 x 8"):
        fitted(series, ONE, ClosedGrid(8, 8), kind="waves")
