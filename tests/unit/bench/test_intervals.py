import numpy as np
import pytest

from triton_earth.bench.errors import NORMALIZED, RELATIVE_L2
from triton_earth.bench.intervals import summarize

TRAJECTORIES = np.arange(12)


def noise(seed, seeds=3, inits=12, leads=2):
    return np.random.default_rng(seed).normal(1.0, 0.1, (seeds, inits, leads))


def test_means_worst_seed_and_difference_are_those_of_the_equations():
    errors = {"one": noise(0), "two": noise(1) + 0.5}
    found = summarize(RELATIVE_L2, errors, TRAJECTORIES)
    for name, values in errors.items():
        np.testing.assert_allclose(found[name].mean, values.mean(axis=(0, 1)))
        np.testing.assert_allclose(found[name].worst, values.mean(axis=1).max(axis=0))
        assert (found[name].interval[:, 0] < found[name].mean).all()
        assert (found[name].interval[:, 1] > found[name].mean).all()
    np.testing.assert_allclose(found["two"].difference, found["two"].mean - found["one"].mean)
    assert (found["two"].difference_interval > 0).all()
    assert not found["one"].difference.any()


def test_what_all_variants_share_of_a_trajectory_does_not_blur_their_difference():
    hard = np.random.default_rng(2).normal(0, 5.0, 12)[None, :, None]
    errors = {"one": noise(0) + hard, "two": noise(1) + hard + 0.5}
    found = summarize(RELATIVE_L2, errors, TRAJECTORIES)
    assert np.diff(found["two"].interval).min() > 3
    assert np.diff(found["two"].difference_interval).max() < 0.5


def test_seeds_that_differ_widen_the_interval():
    apart = np.array([0.0, 1.0, 2.0])[:, None, None]
    narrow, wide = (
        summarize(RELATIVE_L2, {"one": noise(0) + shift}, TRAJECTORIES)["one"].interval
        for shift in (0.0, apart)
    )
    assert (np.diff(wide) > 5 * np.diff(narrow)).all()


def test_squares_are_averaged_before_the_root():
    errors = {"one": noise(0) ** 2}
    found = summarize(NORMALIZED, errors, TRAJECTORIES)["one"]
    np.testing.assert_allclose(found.mean, np.sqrt(errors["one"].mean(axis=(0, 1))))


def test_a_forecast_that_is_not_finite_makes_the_mean_infinite_and_no_other():
    errors = {"one": noise(0), "two": noise(1)}
    errors["two"][1, 3, 1] = np.inf
    found = summarize(RELATIVE_L2, errors, TRAJECTORIES)
    assert np.isinf(found["two"].mean).tolist() == [False, True]
    assert np.isfinite(found["one"].mean).all()


def test_few_trajectories_have_no_interval():
    found = summarize(RELATIVE_L2, {"one": noise(0, inits=4)}, np.arange(4))["one"]
    assert np.isnan(found.interval).all()
    assert np.isfinite(found.mean).all()


def test_the_same_bits_again():
    first, second = (
        summarize(RELATIVE_L2, {"one": noise(0)}, TRAJECTORIES)["one"].interval for _ in range(2)
    )
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("seeds", [1, 3])
def test_intervals_cover_the_truth(seeds):
    covered = 0
    for trial in range(40):
        errors = noise(trial, seeds=seeds, leads=1)
        lower, upper = summarize(RELATIVE_L2, {"one": errors}, TRAJECTORIES, seed=trial)[
            "one"
        ].interval[0]
        covered += lower < 1.0 < upper
    assert covered >= 34
