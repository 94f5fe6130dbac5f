import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import (
    HUMIDITY,
    TEMPERATURE,
    land_mask,
    statistics,
    weather_fields,
    weather_grid,
)
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.statistics.normalization import (
    NormalizationConfig,
    Normalizer,
    compute_normalizer,
    signed_exp,
    signed_log,
)

BOTH = Variables((TEMPERATURE, HUMIDITY))


def two_passes(blocks, channel, mask=None):
    """Mean, standard deviation and root mean square increment, plainly."""
    blocks = [block[:, channel].astype(np.float64) for block in blocks]
    if mask is not None:
        blocks = [block[:, mask[channel]] for block in blocks]
    values = np.concatenate([block.ravel() for block in blocks])
    increments = np.concatenate([np.diff(block, axis=0).ravel() for block in blocks])
    return values.mean(), values.std(), np.sqrt(np.mean(increments**2))


def random_blocks(offset=0.0):
    generator = np.random.default_rng(0)
    shapes = [(5, 2, 4, 6), (2, 2, 4, 6), (9, 2, 4, 6)]
    return [(offset + generator.normal(size=shape)).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("offset", [0.0, 1e5, -3e6])
def test_one_pass_gives_what_two_passes_give(offset):
    blocks = random_blocks(offset)
    one = compute_normalizer(blocks, BOTH)
    for channel in range(2):
        mean, std, increment = two_passes(blocks, channel)
        assert one.mean[channel] == pytest.approx(mean, rel=1e-14, abs=1e-14)
        assert one.std[channel] == pytest.approx(std, rel=1e-10)
        assert one.increment_std[channel] == pytest.approx(increment, rel=1e-12)


def test_a_large_offset_costs_no_digits():
    # 1e5 ± 1: the squares of float32 values would lose the deviation altogether.
    steps = np.float32([-1, 1, -1, 1])[:, None, None, None]
    fields = np.float32(1e5) + steps * np.ones((4, 2, 2, 3), np.float32)
    normalizer = compute_normalizer([fields, fields], BOTH)
    assert normalizer.mean == pytest.approx((1e5, 1e5), rel=1e-15)
    assert normalizer.std == pytest.approx((1.0, 1.0), rel=1e-12)


def test_the_order_of_trajectories_does_not_matter():
    blocks = random_blocks(1e3)
    one, other = compute_normalizer(blocks, BOTH), compute_normalizer(blocks[::-1], BOTH)
    assert one.mean == pytest.approx(other.mean, rel=1e-14)
    assert one.std == pytest.approx(other.std, rel=1e-12)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_blocks_of_a_stretch_give_what_the_whole_gives(length):
    whole = random_blocks(1e5)
    cut = [
        iter([block[start : start + length] for start in range(0, len(block), length)])
        for block in whole
    ]
    one, other = compute_normalizer(whole, BOTH), compute_normalizer(cut, BOTH)
    assert one.mean == pytest.approx(other.mean, rel=1e-14)
    assert one.std == pytest.approx(other.std, rel=1e-10)
    assert one.increment_std == pytest.approx(other.increment_std, rel=1e-13)


def test_static_variables_have_no_increments():
    variables = Variables((TEMPERATURE, dataclasses.replace(HUMIDITY, role=Role.STATIC)))
    (fields, *_) = random_blocks()
    fields[:, 1] = fields[0, 1]
    normalizer = compute_normalizer([fields], variables)
    assert normalizer.increment_std[1] == normalizer.std[1] > 0


def test_only_valid_cells_count(weather):
    normalizer = statistics(weather)
    blocks = [weather_fields(weather_grid(), 10, seed) for seed in range(3)]
    for channel in range(2):
        mean, std, increment = two_passes(blocks, channel, land_mask(weather_grid()))
        assert normalizer.mean[channel] == pytest.approx(mean, rel=1e-14)
        assert normalizer.std[channel] == pytest.approx(std, rel=1e-10)
        assert normalizer.increment_std[channel] == pytest.approx(increment, rel=1e-12)


def test_a_known_field():
    # x(t) = t: mean 1, variance 2/3, increments 1
    fields = (
        np.zeros((3, 2, 2, 2), np.float32) + np.arange(3, dtype=np.float32)[:, None, None, None]
    )
    normalizer = compute_normalizer([fields], BOTH)
    assert normalizer.mean[0] == 1
    assert normalizer.std[0] == pytest.approx(np.sqrt(2 / 3))
    assert normalizer.increment_std[0] == 1


def test_a_normalizer_survives_json():
    normalizer = compute_normalizer(random_blocks(), BOTH)
    assert Normalizer.from_dict(normalizer.to_dict(), {}) == normalizer


def test_a_constant_variable_is_refused():
    (fields, *_) = random_blocks()
    fields[:, 1] = 7.0
    with pytest.raises(UserError) as caught:
        compute_normalizer([fields], BOTH)
    assert str(caught.value) == (
        "variable 'humidity' has standard deviation 0 and increments of 0 over the training data; both must be "
        "positive and finite. Drop a variable that never changes."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    (fields, *_) = random_blocks()
    fields[1, 1, 2, 2:4] = value
    with pytest.raises(UserError, match="variable 'humidity' has 2 values that are not finite"):
        compute_normalizer([fields], BOTH)
    with pytest.raises(UserError, match=r"the first at time 1 of stretch 1 of .*, cell \(2, 2\)"):
        compute_normalizer([random_blocks()[1], iter([fields[:1], fields[1:]])], BOTH)


def test_a_variable_without_valid_cells_is_refused():
    (fields, *_) = random_blocks()
    mask = np.ones((2, 4, 6), dtype=bool)
    mask[1] = False
    with pytest.raises(UserError, match="variable 'humidity' has no valid cell"):
        compute_normalizer([fields], BOTH, mask)


# --- levels together, logarithms, given variables


def levels(*pressures):
    return Variables(tuple(Variable(f"t_{p:g}", "K", level=float(p)) for p in pressures))


def test_levels_together_have_the_statistics_of_all_of_them():
    fields = np.concatenate([block + np.float32([[[0]], [[9]]]) for block in random_blocks()])
    mask = np.ones((2, 4, 6), dtype=bool)
    mask[1, :2] = False
    together = NormalizationConfig(levels="together")
    found = compute_normalizer([fields[:6], fields[6:]], levels(500, 850), mask, together)
    values = np.concatenate([fields[:, channel][:, mask[channel]].ravel() for channel in (0, 1)])
    steps = [
        np.diff(part[:, channel][:, mask[channel]], axis=0).ravel()
        for part in (fields[:6], fields[6:])
        for channel in (0, 1)
    ]
    values, steps = values.astype(np.float64), np.concatenate(steps).astype(np.float64)
    assert found.mean == pytest.approx([values.mean()] * 2, rel=1e-12)
    assert found.std == pytest.approx([values.std()] * 2, rel=1e-10)
    assert found.increment_std == pytest.approx([np.sqrt(np.mean(steps**2))] * 2, rel=1e-6)
    others = compute_normalizer([fields], BOTH, mask, together)
    assert others == compute_normalizer([fields], BOTH, mask)


@given(
    value=st.floats(-1e5, 1e5, width=32),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 50.0]),
)
@settings(max_examples=200, deadline=None)
def test_the_logarithm_is_undone_exactly(value, scale):
    """To rounding: six digits of the value in single precision, fourteen in double."""
    for dtype, digits in ((torch.float32, 4e-6), (torch.float64, 1e-13)):
        x = torch.tensor([value], dtype=dtype)
        back = signed_exp(signed_log(x, scale), scale)
        torch.testing.assert_close(back, x, rtol=digits, atol=scale * digits)
    assert signed_log(-x, scale) == -signed_log(x, scale)


def test_a_log_scale_gives_the_statistics_of_the_logarithm():
    rain = np.random.default_rng(0).lognormal(-9, 2, (9, 2, 4, 6)).astype(np.float32)
    config = NormalizationConfig(log_scale={"humidity": 1e-5})
    found = compute_normalizer([rain], BOTH, config=config)
    logarithm = np.log1p(rain[:, 1].astype(np.float64) / 1e-5)
    assert found.mean[1] == pytest.approx(logarithm.mean(), rel=1e-12)
    assert found.std[1] == pytest.approx(logarithm.std(), rel=1e-10)
    assert found.increment_std[1] == pytest.approx(
        np.sqrt(np.mean(np.diff(logarithm, axis=0) ** 2))
    )
    plain = compute_normalizer([rain], BOTH)
    assert (found.mean[0], found.std[0]) == (plain.mean[0], plain.std[0])
    assert found.log_scale == {"humidity": 1e-5}
    assert Normalizer.from_dict(found.to_dict(), {}) == found
    state = State(torch.from_numpy(rain)[None], BOTH, PeriodicGrid(4, 6), np.zeros((1, 9)))
    there = found.transformed(state)
    torch.testing.assert_close(there.data[0, :, 1].double(), torch.from_numpy(logarithm))
    assert torch.equal(there.data[:, :, 0], state.data[:, :, 0])
    torch.testing.assert_close(found.restored(there).data, state.data, rtol=4e-6, atol=0)
    assert plain.transformed(state) is state


def test_a_log_scale_holds_for_all_levels_of_a_variable():
    config = NormalizationConfig(log_scale={"t": 2.0})
    found = compute_normalizer(random_blocks(), levels(500, 850), config=config)
    assert found.log_scale == {"t_500": 2.0, "t_850": 2.0}


@pytest.mark.parametrize(
    ("scales", "expected"),
    [
        ({"humidty": 1.0}, "there is no variable 'humidty'; did you mean 'humidity'?"),
        ({"humidity": 0.0}, "'humidity' needs a positive number in its units; found 0."),
    ],
)
def test_log_scales_that_cannot_be(scales, expected):
    with pytest.raises(UserError) as caught:
        compute_normalizer(random_blocks(), BOTH, config=NormalizationConfig(log_scale=scales))
    assert expected in str(caught.value)


@pytest.mark.parametrize("role", [Role.FORCING, Role.STATIC])
def test_what_is_given_may_be_the_same_at_all_times(role):
    variables = Variables((TEMPERATURE, dataclasses.replace(HUMIDITY, role=role)))
    (fields, *_) = random_blocks()
    fields[:, 1] = fields[0, 1]
    normalizer = compute_normalizer([fields], variables)
    assert normalizer.increment_std[1] == normalizer.std[1] > 0


@pytest.mark.parametrize(("offset", "spread"), [(5e5, 1e3), (1.01e5, 500.0), (-3e6, 10.0)])
def test_single_precision_with_huge_offsets(offset, spread):
    """Geopotential and pressure in float32: normalised and back to two units in the last place."""
    generator = np.random.default_rng(0)
    fields = (offset + spread * generator.normal(size=(20, 1, 8, 8))).astype(np.float32)
    found = compute_normalizer([fields], Variables((TEMPERATURE,)))
    mean, std = np.float32(found.mean[0]), np.float32(found.std[0])
    normal = (fields - mean) / std
    assert abs(float(normal.mean(dtype=np.float64))) < np.spacing(np.float32(abs(offset))) / spread
    assert normal.std(dtype=np.float64) == pytest.approx(1.0, rel=1e-5)
    assert np.abs(mean + std * normal - fields).max() <= 2 * np.spacing(np.float32(abs(offset)))
