import numpy as np
import pytest

from triton_earth.evaluation.bootstrap import Bootstrap

AVAILABLE = np.array([[True, True], [True, False], [True, False]])


def drawn(count, leads, *, single=False, spacing=1.0, resamples=400, available=None):
    """Resamples of forecasts of `leads` steps of 1."""
    return Bootstrap.draw(
        np.zeros(count, int) if single else np.arange(count),
        spacing * np.arange(count),
        np.arange(1.0, leads + 1),
        np.ones((count, leads), bool) if available is None else available,
        resamples=resamples,
        seed=0,
    )


def test_first_sample_is_the_estimate_over_what_is_available():
    weights = np.array([[[0.0, 3, 0], [3, 0, 0]]])
    one = np.ones(1, int)
    resampling = Bootstrap(weights, one, np.zeros(2, int), np.array([3.0, 1]), AVAILABLE)
    values = np.array([[1.0, 5.0], [2.0, 9.0], [6.0, 9.0]])
    np.testing.assert_array_equal(resampling.means(values), [[3, 5], [2, np.nan], [1, 5]])
    np.testing.assert_array_equal(resampling.means(values, np.sqrt)[0], np.sqrt([3, 5]))
    np.testing.assert_array_equal(resampling.means(values[..., None])[..., 0][0], [3, 5])
    assert resampling.scored.tolist() == [[True, True], [True, False], [True, True]]


def test_interval_is_missing_where_the_estimate_is():
    resampling = drawn(8, 2)
    values = np.tile(np.arange(8.0)[:, None], (1, 2))
    values[0, 1] = np.nan
    interval = resampling.interval(resampling.means(values))
    assert 0 <= interval[0, 0] < 3.5 < interval[0, 1] <= 7
    assert np.isnan(interval[1]).all()


def test_interval_of_a_blow_up_reaches_infinity():
    resampling = drawn(6, 1)
    values = np.full((6, 1), 2.0)
    values[0] = np.inf
    np.testing.assert_array_equal(resampling.interval(resampling.means(values)), [[2.0, np.inf]])


def test_leads_with_few_trajectories_have_no_interval():
    available = np.ones((7, 3), bool)
    available[:1, 1] = available[:2, 2] = False
    resampling = drawn(7, 3, available=available)
    assert resampling.groups.tolist() == [7, 6, 5]
    values = np.random.default_rng(0).standard_normal((7, 3))
    interval = resampling.interval(resampling.means(values))
    assert np.isnan(interval).any(axis=1).tolist() == [False, False, True]
    assert np.isfinite(resampling.joined_interval(resampling.means(values, joined=True))).all()


def test_later_leads_of_a_single_trajectory_have_longer_blocks():
    resampling = drawn(64, 8, single=True)
    assert resampling.blocks.tolist() == [4, 6, 8, 10, 64]
    assert resampling.which.tolist() == [0, 0, 1, 2, 3, 4, 4, 4]
    values = np.random.default_rng(0).standard_normal((64, 8, 2))
    means = resampling.means(values)
    np.testing.assert_allclose(means[0], values.mean(axis=0))
    alone = means[1:].std(axis=0).mean(axis=-1)
    np.testing.assert_allclose(alone[:5], 1 / 8, rtol=0.35)
    interval = resampling.interval(means)
    assert np.isnan(interval).any(axis=(1, 2)).tolist() == [False] * 5 + [True] * 3
    assert np.isnan(resampling.joined_interval(resampling.means(values, joined=True))).all()


def test_some_of_the_leads():
    resampling = drawn(64, 8, single=True)
    chosen = np.array([0, 3, 7])
    values = np.random.default_rng(0).standard_normal((64, 8))
    np.testing.assert_allclose(
        resampling.at(chosen).means(values[:, chosen]), resampling.means(values)[:, chosen]
    )


@pytest.mark.parametrize(
    ("resampling", "words"),
    [
        (drawn(8, 2), "95 % bootstrap over initial conditions, resampled by trajectory"),
        (drawn(8, 2), "percentiles expanded for few trajectories (Hesterberg 2015)"),
        (
            drawn(3, 2),
            "none: there are initial conditions of 3 trajectories, and an interval needs 6",
        ),
        (
            drawn(27, 2, single=True),
            "in circular blocks of 3 to 4 neighbours in time, at least twice",
        ),
        (drawn(27, 9, single=True), "none where there are fewer than 6, from step 3 on"),
        (drawn(5, 1, single=True), "none: there are 5 initial conditions of one trajectory"),
        (drawn(1, 1, single=True), "none: there are 1 initial conditions of one trajectory"),
    ],
)
def test_definition(resampling, words):
    assert words in resampling.definition(np.arange(1, len(resampling.which) + 1))
