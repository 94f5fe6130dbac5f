"""Every spectrum, what follows from it, and leads beyond the truth have intervals in the score file and the report."""

import numpy as np
import pytest
import xarray as xr

from tests.builders import tiny_forecaster, wave_store, weather_times
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.evaluation.spectra import names as families
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow import evaluate

SPLITS = ("train", "train", *["test"] * 6)
GLOBE = LatLonGrid(tuple(np.arange(-84.0, 90, 12)), tuple(np.arange(0, 360, 18.0)))
WINDS = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1")))


def wind_store(path):
    create_store(
        path,
        variables=WINDS,
        grid=GLOBE,
        times=weather_times(6),
        splits=list(SPLITS),
        provenance={"source": "noise"},
    )
    fields = np.random.default_rng(0).standard_normal((len(SPLITS), 6, 2, *GLOBE.shape))
    each = enumerate(10 * fields.astype(np.float32))
    finish_store(path, [write_trajectory(path, number, field) for number, field in each])
    return TrainingStore.open(path)


def waves(path):
    return wave_store(path, times=6, splits=SPLITS)


def names(*chosen):
    """Every score of some families of spectra."""
    for family in chosen:
        yield family.spectrum
        if family.ratio:
            yield from (family.ratio, family.error, family.coherence)
            yield from (family.effective, family.decorrelation)


GLOBAL = (
    families.ZONAL,
    families.DEGREES,
    families.DEGREE_ENERGY,
    families.DEGREE_ENSTROPHY,
    families.DEGREE_ROTATIONAL_ENERGY,
)
CASES = {
    "box": (waves, [], (families.BOX, families.BOX_ENERGY)),
    "globe": (wind_store, [], GLOBAL),
    "region": (
        wind_store,
        ["--region=-60:60,0:170"],
        (families.ZONAL, families.ISOTROPIC, families.ISOTROPIC_ENERGY),
    ),
}
PICTURES = {
    "box": "Enstrophy spectrum at the last lead",
    "globe": "Enstrophy spectrum of u10 and the other component at the last lead",
    "region": "Isotropic spectrum of u10 at several leads",
}


def evaluate_case(case, command, tmp_path):
    make, options, _ = CASES[case]
    store = make(tmp_path / "store.zarr")
    write_forecast(
        tiny_forecaster(store),
        store,
        tmp_path / "forecast.zarr",
        trajectories=list(range(2, 8)),
        starts=[0] * 6,
        steps=8,
        batch_size=6,
        provenance={},
    )
    words = [tmp_path / "forecast.zarr", tmp_path / "store.zarr", "--out", tmp_path / "out"]
    done = command("evaluate", *words, "--resamples", 20, *options)
    assert done.code == 0, done.err
    return tmp_path / "out"


@pytest.mark.parametrize("case", CASES)
def test_scores_of_a_command_have_intervals(case, command, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "write_report", lambda *given, **named: given[2].touch())
    out = evaluate_case(case, command, tmp_path)
    with xr.open_dataset(out / "scores.nc") as scores:
        beyond = ["beyond_area_mean", "beyond_variance", "beyond_extreme", "extreme"]
        for name in [*names(*CASES[case][2]), *beyond]:
            bounds = scores[f"{name}_interval"]
            assert bounds.dims == (*scores[name].dims, "bound")
            assert bounds.attrs["definition"].startswith(f"95 % bootstrap interval of {name} over")
            if not name.startswith("decorrelation"):
                assert bounds.notnull().any(), name


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_they_are_in_the_report(case, command, tmp_path):
    text = (evaluate_case(case, command, tmp_path) / "report.html").read_text()
    assert PICTURES[case] in text
    assert "<h2>Beyond the truth</h2>" in text
