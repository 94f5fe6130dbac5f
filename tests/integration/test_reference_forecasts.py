"""Reference forecasts from the command line: forecast by name, judged while rolled out, and beside a model."""

import numpy as np
import pytest
import xarray as xr

from tests.builders import tiny_forecaster
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.models.references import REFERENCES, References
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.workflow.evaluate import evaluate


@pytest.mark.parametrize("name", REFERENCES)
def test_a_name_in_place_of_a_model(command, waves, name, tmp_path):
    out = tmp_path / "f.zarr"
    made = command("forecast", name, waves.path, "--steps", 4, "--out", out)
    assert made.code == 0, made.err
    stored = ForecastStore.open(out)
    expected = References(waves, waves.variables, waves.time_step, 4).fit(name)
    assert stored.provenance["training"]["reference"] == name
    assert stored.provenance["model"] == expected.name
    initial = waves.read(4, slice(0, 1))
    for lead in (0, 3):
        found = stored.read(slice(0, 1), lead)
        np.testing.assert_allclose(
            found, expected.at(initial, waves.times[:1], lead + 1), atol=1e-5
        )


def test_a_folder_of_that_name_goes_before(command, waves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_forecaster(tiny_forecaster(waves), tmp_path / "persistence", {})
    command("forecast", "persistence", waves.path, "--steps", 2, "--out", "f.zarr")
    assert ForecastStore.open(tmp_path / "f.zarr").provenance["model"] == "triton"


def test_refusals(refused, waves, weather):
    out = ["--out", "f.zarr"]
    assert "no recipe that says how many" in refused("forecast", "persistence", waves.path, *out)
    line = refused("forecast", "damped_linear", weather.path, "--steps", 2, *out)
    assert "found undefined cells. Take damped_persistence" in line
    line = refused("forecast", "linear_inverse", weather.path, "--length", "1d", "--steps", 2, *out)
    assert "give one of the two" in line
    words = ["evaluate", "persistence", waves.path, "--steps", 2]
    assert "did you mean 'climatology'?" in refused(*words, "--baselines", "climatologie")


def test_they_stand_beside_a_model(command, waves, tmp_path):
    save_forecaster(tiny_forecaster(waves), tmp_path / "model", {})
    out = tmp_path / "f.zarr"
    assert command("forecast", tmp_path / "model", waves.path, "--steps", 5, "--out", out).code == 0
    beside = "linear_inverse,damped_linear,persistence"
    judged = command("evaluate", out, waves.path, "--resamples", 10, "--baselines", beside)
    assert judged.code == 0, judged.err
    assert "damped linear" in judged.out
    scores = evaluate(out, waves.path, resamples=10, baselines=beside)
    names = ["triton", "persistence", "linear inverse model", "damped linear"]
    assert scores["forecast"].values.tolist() == names
    assert "linear inverse model: the 20 leading patterns" in scores.attrs["baselines"]
    assert f"--baselines {beside}" in scores.attrs["command"]
    assert scores["mse_minus_linear_inverse_model"].dims == ("forecast", "variable", "lead_time")
    # Waves that turn are linear dynamics of a few patterns; damping by wave loses only what has turned away.
    last = scores["rmse"].isel(variable=0, lead_time=-1)
    assert last.sel(forecast="linear inverse model") < 0.01 * last.sel(forecast="persistence")
    usual = evaluate(out, waves.path, resamples=10)
    assert usual["forecast"].values.tolist()[1:] == [
        "persistence",
        "damped persistence",
        "climatology",
    ]
    xr.testing.assert_equal(
        usual["rmse"].sel(forecast="persistence"), scores["rmse"].sel(forecast="persistence")
    )


def test_one_is_judged_while_it_is_rolled_out(command, waves):
    judged = command("evaluate", "linear_inverse", waves.path, "--steps", 3, "--resamples", 10)
    assert judged.code == 0, judged.err
    scores = evaluate("linear_inverse", waves.path, steps=3, resamples=10)
    assert scores["forecast"].values.tolist()[0] == "linear inverse model (forecast)"


def test_without_a_training_split_they_are_refused_by_name(refused, tmp_path):
    from tests.builders import wave_store

    store = wave_store(tmp_path / "w.zarr", splits=("test", "test"))
    words = ["evaluate", "persistence", store.path, "--steps", 2]
    line = refused(*words, "--baselines", "linear_inverse")
    assert "expected a training split to fit them to, found none" in line


@pytest.mark.slow
def test_the_report_shows_them(command, waves, tmp_path):
    words = ["evaluate", "persistence", waves.path, "--steps", 3, "--resamples", 10]
    words += ["--baselines", ",".join(REFERENCES), "--out", tmp_path / "report"]
    assert command(*words).code == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Beats damped linear at every lead" in page
    assert "Beats linear inverse model at every lead" in page


def test_they_are_listed(command):
    printed = command("models").out
    for name, words in REFERENCES.items():
        assert f"{name:20s} {words}" in printed
