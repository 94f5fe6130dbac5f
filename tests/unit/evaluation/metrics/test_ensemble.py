"""Ensemble scores against their definitions, an independent package and what reliable ensembles must have."""

import numpy as np
import pytest
import scoringrules

from triton_earth.core.errors import UserError
from triton_earth.evaluation.metrics.ensembles import (
    fair_crps,
    member_variance,
    rank_histogram,
    spread_skill_ratio,
)


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    return generator.standard_normal((6, 4, 5)), generator.standard_normal((4, 5))


def test_crps_is_its_definition(pair):
    members, truth = pair
    pairs = np.abs(members[:, None] - members[None]).sum(axis=(0, 1)) / (2 * 6 * 5)
    np.testing.assert_allclose(
        fair_crps(members, truth), np.abs(members - truth).mean(axis=0) - pairs, rtol=1e-12
    )


def test_crps_as_by_scoringrules(pair):
    members, truth = pair
    expected = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="fair")
    np.testing.assert_allclose(fair_crps(members, truth), expected, rtol=1e-12)


def test_crps_of_normal_ensembles_does_not_depend_on_their_size():
    generator = np.random.default_rng(1)
    truth = generator.standard_normal(200_000)
    for size in (2, 5, 20):
        members = generator.standard_normal((size, truth.size))
        # E of the CRPS of N(0, 1) against draws from it: 1/√π.
        assert fair_crps(members, truth).mean() == pytest.approx(1 / np.sqrt(np.pi), abs=4e-3)


def test_crps_of_equal_members_is_the_absolute_error():
    members = np.full((3, 4), 2.0)
    np.testing.assert_allclose(fair_crps(members, np.arange(4.0)), [2, 1, 0, 1])


def test_reliable_ensembles():
    generator = np.random.default_rng(2)
    cases = 100_000
    for size in (3, 10):
        centre = generator.standard_normal(cases)
        truth = centre + generator.standard_normal(cases)
        members = centre + generator.standard_normal((size, cases))
        error = np.mean((members.mean(axis=0) - truth) ** 2, keepdims=True)
        ratio = spread_skill_ratio(member_variance(members).mean(keepdims=True), error, size)
        assert ratio == pytest.approx(1, abs=0.02)
        counts = rank_histogram(members, truth)
        assert counts.sum() == cases
        np.testing.assert_allclose(counts / cases, 1 / (size + 1), atol=0.006)


def test_ranks():
    members = np.array([[1.0, 1.0, 1.0, np.nan], [3.0, 3.0, 3.0, 1.0]])
    assert rank_histogram(members, np.array([0.0, 2.0, 9.0, 1.0])).tolist() == [1, 1, 1]


def test_ranks_among_equal_members_are_drawn():
    counts = rank_histogram(np.zeros((4, 50_000)), np.zeros(50_000))
    np.testing.assert_allclose(counts / 50_000, 0.2, atol=0.01)


@pytest.mark.parametrize("score", [fair_crps, lambda members, _: member_variance(members)])
def test_one_member_is_refused(score):
    with pytest.raises(UserError, match="needs at least two ensemble members; found 1"):
        score(np.zeros((1, 3)), np.zeros(3))
