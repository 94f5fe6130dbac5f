import pytest

from triton_earth.bench.results import _means

ROW = {"resumed": False, "cpu_seconds": 10.0, "stable_fraction": 0.5, "stability_horizon": None}


def test_times_of_runs_that_were_gone_on_with_are_not_counted():
    rows = [ROW, ROW | {"resumed": True, "cpu_seconds": 0.1, "stable_fraction": 1.0}]
    assert _means(rows) == {"stable_fraction": 0.75, "cpu_seconds": 10.0}


def test_of_what_one_seed_does_not_have_there_is_no_mean():
    rows = [ROW | {"stability_horizon": 9.0}, ROW]
    assert "stability_horizon" not in _means(rows)
    assert _means([ROW | {"stability_horizon": 9.0}])["stability_horizon"] == pytest.approx(9.0)
    assert _means([]) == {}


def test_of_climate_skill_there_is_the_mean_and_the_worst_run_of_all_seeds():
    rows = [
        ROW | {"climate_skill": 0.9, "climate_skill_worst": 0.8},
        ROW | {"climate_skill": 0.7, "climate_skill_worst": 0.1},
    ]
    found = _means(rows)
    assert found["climate_skill"] == pytest.approx(0.8)
    assert found["climate_skill_worst"] == 0.1
