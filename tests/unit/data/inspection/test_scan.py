"""A scan, which looks at a few maps at a time and in their own precision, against plain formulas on all of them."""

import numpy as np
import pytest

from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.turned_maps import TurnedMaps
from triton_earth.data.sources.values import stored_values

TIMES = 23


def fields(kind, dtype, shape=(6, 9)):
    random = np.random.default_rng(3)
    made = (280 + 15 * random.standard_normal((TIMES, *shape))).astype(dtype)
    land = random.random(shape) < 0.4
    if kind != "complete":
        made[:, land] = np.nan
    if kind == "holes":
        made[7, ~land] = np.nan
        made[9, np.argwhere(~land)[0][0], np.argwhere(~land)[0][1]] = np.nan
        made[4, np.argwhere(land)[0][0], np.argwhere(land)[0][1]] = 1.0
    if kind == "infinite":
        made[11, np.argwhere(~land)[2][0], np.argwhere(~land)[2][1]] = np.inf
    return made


def scanned(values, block=10, **options):
    found = Scan(**options)
    names = [f"time {number}" for number in range(len(values))]
    for first in range(0, len(values), block):
        some = slice(first, first + block)
        found.add(values[some], names[some], follows=True)
    return found


@pytest.mark.parametrize("at_once", [1, 100, 1 << 15])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", np.float16])
@pytest.mark.parametrize("kind", ["complete", "masked", "holes", "infinite"])
def test_it_is_what_plain_formulas_give(monkeypatch, kind, dtype, at_once):
    monkeypatch.setattr(stored_values, "CELLS_AT_ONCE", at_once)
    values = fields(kind, dtype)
    found = scanned(values, directions=TurnedMaps())
    exact = values.astype(np.float64).reshape(TIMES, -1)
    infinite = np.isinf(exact)
    finite = np.where(infinite, np.nan, exact)
    assert found.infinite == infinite.sum()
    assert found.count == np.isfinite(exact).sum()
    assert found.mean == pytest.approx(np.nanmean(finite), rel=1e-14)
    assert found.std == pytest.approx(np.nanstd(finite), rel=1e-12)
    assert (found.lowest.value, found.highest.value) == (np.nanmin(finite), np.nanmax(finite))
    for extreme in (found.lowest, found.highest):
        time, cell = np.argwhere(finite == extreme.value)[0]
        assert extreme.where == f"time {time}, cell {cell}"
    there = ~np.isnan(exact)
    np.testing.assert_array_equal(found.valid, there[0])
    assert found.holes == (there != there[0]).sum()
    if found.holes:
        time, cell = np.argwhere(there != there[0])[0]
        assert found.first_hole == f"time {time}, cell {cell}"
    for name, reduce, none in (
        ("cell_lowest", np.nanmin, np.inf),
        ("cell_highest", np.nanmax, -np.inf),
    ):
        some = there.any(axis=0)
        expected = np.full(some.shape, none)
        expected[some] = reduce(finite[:, some], axis=0)
        np.testing.assert_array_equal(getattr(found, name), expected)
    with np.errstate(invalid="ignore"):
        means = np.nansum(finite, axis=1) / np.isfinite(finite).sum(axis=1)
    np.testing.assert_allclose(found.means, means, rtol=1e-14)


@pytest.mark.parametrize("kind", ["complete", "masked"])
def test_means_by_row_and_column_are_those_of_the_values_there(kind):
    values = fields(kind, np.float32, shape=(7, 8))
    directions = TurnedMaps()
    scanned(values, directions=directions)
    for axis, along in (("rows", 2), ("columns", 1)):
        count = np.maximum(np.isfinite(values).sum(axis=along), 1)
        expected = np.nansum(values.astype(np.float64), axis=along) / count
        np.testing.assert_allclose(directions.means[axis], expected, rtol=1e-14)


def test_maps_that_repeat_are_found_across_blocks_and_by_their_bits():
    values = fields("masked", np.float32)
    values[10] = values[9]  # the first of the second block
    values[15] = values[14]
    values[15, 0, 0] = 0.0
    values[14, 0, 0] = -0.0
    assert scanned(values).repeats == ["time 10"]
    apart = Scan()
    for first in (0, 10):
        apart.add(values[first : first + 10], ["x"] * 10, follows=False)
    assert apart.repeats == []


@pytest.mark.parametrize("kind", ["complete", "masked"])
def test_the_same_map_has_the_same_means_wherever_it_lies(kind):
    one, directions = fields(kind, np.float32, shape=(181, 36))[0], TurnedMaps()
    found = scanned(np.repeat(one[None], 11, axis=0), block=4, directions=directions)
    assert len(set(found.means)) == 1
    for several in directions.means.values():
        assert len({means.tobytes() for means in several}) == 1
    assert found.constant


def test_moments_of_some_maps_are_those_of_their_values():
    values = fields("holes", np.float32)
    chosen = np.arange(TIMES) % 3 == 0
    some = scanned(values).maps.together(chosen)
    exact = values[chosen].astype(np.float64)
    assert some.count == np.isfinite(exact).sum()
    assert some.mean == pytest.approx(np.nanmean(exact), rel=1e-14)
    assert some.std == pytest.approx(np.nanstd(exact), rel=1e-12)
    assert np.isnan(scanned(values).maps.together(np.zeros(TIMES, dtype=bool)).std)


@pytest.mark.parametrize("value", [-999.0, 9999.0])
def test_numbers_that_stand_for_a_missing_value_are_counted(value):
    values = fields("complete", np.float32)
    values[12, 2, 3] = values[13, 1, 1] = value
    found = scanned(values)
    assert (found.fill, found.fill_value, found.first_fill) == (2, value, "time 12, cell 21")
