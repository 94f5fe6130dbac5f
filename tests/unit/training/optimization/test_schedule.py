import pytest

from triton_earth.training.optimization.schedule import warmup_cosine, warmup_trapezoid


def test_it_rises_linearly_and_falls_as_a_cosine():
    rise = [warmup_cosine(step, 110, 10) for step in range(10)]
    assert rise == pytest.approx([0.1 * n for n in range(1, 11)])
    assert warmup_cosine(10, 110, 10) == 1.0
    assert warmup_cosine(35, 110, 10) == pytest.approx(0.5 + 0.5**1.5)  # (1 + cos π/4)/2
    assert warmup_cosine(60, 110, 10) == pytest.approx(0.5)
    assert warmup_cosine(109, 110, 10) == pytest.approx(0.0, abs=3e-4)
    assert warmup_cosine(110, 110, 10) == 0.0


def test_it_falls_to_the_floor_and_stays_there():
    assert warmup_cosine(100, 100, 0, floor=0.2) == pytest.approx(0.2)
    assert warmup_cosine(500, 100, 0, floor=0.2) == pytest.approx(0.2)
    assert warmup_cosine(50, 100, 0, floor=0.2) == pytest.approx(0.6)


def test_without_warm_up_it_starts_at_the_peak():
    assert warmup_cosine(0, 5, 0) == 1.0


def test_a_warm_up_longer_than_the_run_only_rises():
    values = [warmup_cosine(step, 5, 100) for step in range(5)]
    assert values == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05])


def test_the_trapezoid_rises_stays_and_falls():
    values = [warmup_trapezoid(step, 100, 10, 20) for step in range(100)]
    assert values[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert values[10:81] == [1.0] * 71
    assert values[81:] == pytest.approx([0.05 * n for n in range(19, 0, -1)])


def test_a_trapezoid_of_falls_only():
    assert [warmup_trapezoid(step, 4, 0, 4) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
