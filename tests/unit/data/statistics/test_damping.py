"""The damped skip: fitted coefficients against series whose coefficients are known, and what it does to an anomaly."""

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.grid import ClosedGrid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.statistics.damping import (
    LARGEST,
    Damping,
    DampingConfig,
)
from triton_earth.data.statistics.damping_fit import PRIOR_PAIRS, fit_damping

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
    return fit_damping(lambda: [iter([series])], variables, grid, DampingConfig(**config), mask)


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


@pytest.mark.parametrize("kind", ["variable", "cell", "waves", "patterns"])
def test_no_coefficient_reaches_one(kind):
    growing = (1.3 ** np.arange(40))[:, None, None, None] * autoregression([[[0.0]]], 1)
    damping = fitted(growing.astype(np.float32), ONE, GLOBE, kind=kind)
    assert damping.coefficients.abs().max() <= LARGEST + 1e-12
    if damping.patterns is not None:
        moduli = np.abs(np.linalg.eigvals(damping.patterns.propagator))
        assert moduli.max() <= LARGEST + 1e-12


@pytest.mark.parametrize("kind", ["variable", "cell", "waves", "patterns"])
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


@pytest.mark.parametrize("kind", ["variable", "cell", "waves", "patterns"])
def test_what_is_stored_is_all_there_is(kind):
    damping = fitted(autoregression([[[0.8]], [[0.3]]]), TWO, GLOBE, kind=kind)
    tensors = dict(damping.tensors)
    again = Damping.from_dict(damping.to_dict(), tensors)
    assert not tensors
    assert again.variables == damping.variables
    assert again.error_std == damping.error_std
    anomaly = torch.randn(2, 1, 2, *GLOBE.shape)
    assert torch.equal(
        again.damped(["b", "a"], anomaly, 3, GLOBE), damping.damped(["b", "a"], anomaly, 3, GLOBE)
    )


def test_pairs_do_not_cross_stretches():
    series = autoregression([[[0.8]]], times=80)
    whole = fitted(series, ONE, GLOBE)
    parts = fit_damping(
        lambda: [iter([series[:20], series[20:40]]), iter([series[40:]])],
        ONE,
        GLOBE,
        DampingConfig(),
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


def standing_waves(times):
    """Two patterns of two variables that turn into each other and fade by .95 a step, with undefined cells as NaN."""
    turning = 0.95**times * np.exp(0.3j * times)
    one, other = (np.cos(m * np.deg2rad(GLOBE.x)) * np.ones((8, 1)) for m in (1, 3))
    field = turning.real[:, None, None] * one + turning.imag[:, None, None] * other
    series = np.stack([field, 5 * field], axis=1).astype(np.float32)
    mask = np.ones((2, 8, 8), bool)
    mask[:, 1:3, 4] = False
    series[:, ~mask] = np.nan
    return series, mask


def test_patterns_that_turn_into_each_other_are_forecast_exactly():
    series, mask = standing_waves(np.arange(40.0))
    damping = fitted(series, TWO, GLOBE, mask, kind="patterns", modes=2)
    states = damping.damped(["a", "b"], torch.from_numpy(series[None, 4:5]), 3, GLOBE)
    np.testing.assert_allclose(states[0].numpy(), series[5:8], atol=2e-5)
    assert max(damping.error_std) < 1e-4
    swapped = torch.from_numpy(series[None, 4:5, ::-1].copy())
    states = damping.damped(["b", "a"], swapped, 3, GLOBE)
    np.testing.assert_allclose(states[0].numpy(), series[5:8, ::-1], atol=2e-5)


def test_what_patterns_leave_is_damped_by_cell_and_the_factor_is_that_of_both():
    series, mask = standing_waves(np.arange(60.0))
    noise = autoregression([[[0.6]], [[0.2]]], times=60, seed=3)
    series = series + 0.02 * np.array([1.0, 5.0], np.float32)[:, None, None] * noise
    whole = fitted(series, TWO, GLOBE, mask, kind="patterns", modes=2)
    half = fitted(series, TWO, GLOBE, mask, kind="patterns", modes=2, factor=0.5)
    anomaly = torch.from_numpy(series[None, 9:10])
    (once,) = whole.damped(["a", "b"], anomaly, 1, GLOBE)
    (halved,) = half.damped(["a", "b"], anomaly, 1, GLOBE)
    torch.testing.assert_close(halved, 0.5 * once, equal_nan=True)
    assert 0.4 < whole.coefficients[0].median() < 0.7
    assert whole.coefficients[1].median() < 0.4
    pairs = torch.from_numpy(series[:-1, None])
    error = series[1:] - whole.damped(["a", "b"], pairs, 1, GLOBE)[:, 0].numpy()
    weights = np.where(mask, GLOBE.cell_area_weights, 0.0)
    square = (np.where(mask, error, 0) ** 2 * weights).sum((0, 2, 3)) / 59 / weights.sum((1, 2))
    np.testing.assert_allclose(whole.error_std, np.sqrt(square), rtol=1e-5)


def test_more_patterns_than_states_are_refused():
    series = autoregression([[[0.8]]])
    with pytest.raises(
        UserError, match=r"kind=patterns: 60 patterns need more than 60 .* found 40"
    ):
        fitted(series, ONE, GLOBE, kind="patterns", modes=60)


def test_a_number_of_patterns_and_a_trained_matrix_are_refused_where_there_is_none():
    with pytest.raises(UserError, match=r"damping.modes is for kind: patterns; found kind: cell"):
        DampingConfig.parse({"kind": "cell", "modes": 5}, "here")
    with pytest.raises(UserError, match=r"trainable=true is for the kinds .*; found patterns"):
        DampingConfig.parse({"kind": "patterns", "trainable": True}, "here")
