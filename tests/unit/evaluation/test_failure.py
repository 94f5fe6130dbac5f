"""The fields around the first failure: kept in the one pass, whether it is known before or only when it happens."""

import numpy as np
import pytest
from tests.cases import case_of

from triton_earth.core.processes.tasks import InThisProcess
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.failure import Failures, steps_around
from triton_earth.evaluation.matching import Selected
from triton_earth.evaluation.streaming import stream

LEADS = 40


@pytest.fixture
def watched(forecasts_of):
    class Watched(forecasts_of):
        """Forecasts whose failures are known when the lead has been read, or from the start."""

        def __init__(self, fields, failures, *, known=False):
            super().__init__(fields)
            self.failures, self.known, self.reads = failures, known, []

        def read(self, inits, lead):
            self.reads.append((inits.start, inits.stop, lead))
            return super().read(inits, lead)

        @property
        def first_trip(self):
            seen = [
                (step, init)
                for init, step in self.failures
                if self.known
                or any(
                    first <= init < stop and lead >= step - 1 for first, stop, lead in self.reads
                )
            ]
            return min(seen)[::-1] if seen else None

    return Watched


@pytest.fixture
def fields():
    return np.random.default_rng(0).standard_normal((6, LEADS + 1, 1, 16, 16)).astype(np.float32)


@pytest.fixture
def failure_of(fields, watched, truth_of):
    def failure(failures, **how):
        forecasts = watched(0.5 * fields[:, 1:], failures, **how)
        evaluation = evaluate_forecasts([forecasts], truth_of(fields), resamples=2, examples=True)
        assert len(forecasts.reads) == len(set(forecasts.reads))  # every field once
        return evaluation.failures

    return failure


@pytest.mark.parametrize("known", [True, False])
def test_the_first_failure_is_kept_with_what_came_before(failure_of, fields, known):
    """The forecast of the third batch fails earlier than that of the first."""
    (found,) = failure_of([(0, 30), (5, 15), (4, 20)], known=known)
    assert found.attrs["init"] == 5
    assert found["lead"].values.tolist() == [0, 5, 14, 15, 25]
    np.testing.assert_array_equal(found["truth"][0], fields[5, [0, 5, 14, 15, 25], 0])
    np.testing.assert_array_equal(found["forecast"][0, 1:], 0.5 * fields[5, [5, 14, 15, 25], 0])
    assert not found["error"][0, 0].any()


def test_a_failure_at_the_first_step_or_near_the_end(failure_of):
    (found,) = failure_of([(1, 1)])
    assert found["lead"].values.tolist() == [0, 1, 11]
    (found,) = failure_of([(1, LEADS)])
    assert found["lead"].values.tolist() == [0, 30, 39, 40]


def test_without_failure_or_guard_there_is_nothing(failure_of, fields, forecasts_of, truth_of):
    assert failure_of([]) == [None]
    plain = evaluate_forecasts(
        [forecasts_of(fields[:, 1:])], truth_of(fields), resamples=2, examples=True
    )
    assert plain.failures == [None]


def test_a_failure_where_nothing_is_scored_hides_no_other(fields, watched, truth_of):
    """The first forecast to leave starts where the truth has nothing: no other is shown in its place."""
    forecasts = watched(0.5 * fields[:, 1:], [(0, 5), (3, 9)], known=True)
    forecasts.init_times = np.array([99.0, 0, 0, 0, 0, 0])
    evaluation = evaluate_forecasts([forecasts], truth_of(fields), resamples=2, examples=True)
    assert evaluation.failures == [None]


def test_in_several_pieces_it_is_the_same(fields, watched, truth_of):
    case = case_of([watched(0.5 * fields[:, 1:], [(1, 30), (4, 15)], known=True)], truth_of(fields))
    family = Failures().fit(case, InThisProcess())

    def kept(rows):
        part = case.select(np.asarray(rows))
        (found,) = family.start(part)
        stream(part, [found])
        return found

    merged = kept([0, 1, 2]).merge(kept([3, 4, 5]))
    assert (merged.init, merged.step) == (4, 15)
    assert sorted(merged.kept) == [5, 14, 15, 25]


def test_chosen_rows_keep_their_failure(fields, watched):
    whole = watched(fields[:, 1:], [(4, 15)], known=True)
    leads = np.arange(LEADS)
    assert Selected(whole, np.array([2, 4]), leads, whole.variables).first_trip == (1, 15)
    assert Selected(whole, np.array([0, 1]), leads, whole.variables).first_trip is None


def test_steps_around():
    assert steps_around(30) == (20, 29, 30, 40)
    assert steps_around(1) == (0, 1, 11)
