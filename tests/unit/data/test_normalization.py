import dataclasses

import numpy as np
import pytest

from tests.builders import (
    HUMIDITY,
    TEMPERATURE,
    land_mask,
    statistics,
    weather_fields,
    weather_grid,
)
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role, Variables
from triton_earth.data.normalization import Normalizer, compute_normalizer

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
    assert Normalizer.from_dict(normalizer.to_dict()) == normalizer


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


def test_a_variable_without_valid_cells_is_refused():
    (fields, *_) = random_blocks()
    mask = np.ones((2, 4, 6), dtype=bool)
    mask[1] = False
    with pytest.raises(UserError, match="variable 'humidity' has no valid cell"):
        compute_normalizer([fields], BOTH, mask)
