import numpy as np
import xarray as xr

from triton_earth.bench.runs import _scores

SCORES = xr.Dataset(
    {
        "mse": (("forecast", "variable", "lead_time"), np.array([[[1.0, 4.0]], [[2.0, 4.0]]])),
        "stable_fraction": ("forecast", [0.5, 1.0]),
        "stability_horizon": ("forecast", [3.0, np.nan]),
        "activity": (("forecast", "variable", "lead_time"), np.ones((2, 1, 2))),
    },
    coords={"forecast": ["triton", "persistence"]},
)


def test_the_numbers_of_an_evaluation_that_the_table_shows():
    found = _scores(SCORES, "triton")
    assert found == {
        "mse_over_persistence": 0.5, "stable_fraction": 0.5, "stability_horizon": 3.0, "activity": 1.0,
    }  # fmt: skip


def test_climate_skill_is_there_where_runs_are_long_enough():
    climate = {"climate_skill": ("model", [0.8]), "climate_skill_worst": ("model", [np.nan])}
    found = _scores(SCORES.assign(climate).assign_coords(model=["triton"]), "triton")
    assert found["climate_skill"] == 0.8
    assert found["climate_skill_worst"] is None
