"""The comparison, and the guard's section in the report, through the verbs."""

import re

import pytest
from typer.testing import CliRunner

from tests.builders import tiny_forecaster
from triton_earth.cli import app
from triton_earth.core.errors import UserError
from triton_earth.rollout.guard.guard import GuardConfig
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow.evaluate import compare, evaluate


@pytest.fixture(scope="module")
def forecasts(waves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    paths = []
    for seed in (0, 1):
        path = folder / f"seed{seed}.zarr"
        write_forecast(
            tiny_forecaster(waves, seed=seed),
            waves,
            path,
            trajectories=[4, 5],
            starts=[0, 0],
            steps=6,
            batch_size=2,
            guard=GuardConfig(policy="record"),
            provenance={"model": "triton", "model_hash": str(seed)},
        )
        paths.append(path)
    return paths


def test_two_forecasts(forecasts, waves, tmp_path):
    out = tmp_path / "comparison"
    scores = compare(forecasts, waves.path, out=out, resamples=30)
    names = ["seed0", "seed1", "persistence", "damped persistence", "climatology"]
    assert scores["forecast"].values.tolist() == names
    page = (out / "report.html").read_text()
    assert "seed0 and seed1 compared" in page
    assert "<h2>Scorecard</h2>" in page
    assert "Maps of relative vorticity at several leads: the truth, seed0, seed1." in page
    assert "Beats seed0 at every lead" in page
    command = scores.attrs["command"]
    assert command.startswith(f"triton-earth compare {forecasts[0]} {forecasts[1]} {waves.path}")
    assert sorted(path.name for path in out.iterdir()) == [
        "animation.gif",
        "report.html",
        "scores.json",
        "scores.nc",
    ]


@pytest.mark.slow
def test_names_of_the_users(forecasts, waves, tmp_path):
    scores = compare(forecasts, waves.path, out=tmp_path / "a", name=["old", "new"], resamples=10)
    assert scores["forecast"].values.tolist()[:2] == ["old", "new"]


def test_refusals(forecasts, waves, tmp_path):
    with pytest.raises(UserError, match="expected at least two forecasts and a truth, found 1"):
        compare(forecasts[:1], waves.path, out=tmp_path / "a")
    with pytest.raises(UserError, match="expected a --name for each of 2 forecasts, found 1"):
        compare(forecasts, waves.path, out=tmp_path / "a", name=["one"])
    assert not list(tmp_path.iterdir())


def test_report_has_the_guard(forecasts, waves, tmp_path):
    evaluate(forecasts[0], waves.path, out=tmp_path / "a", resamples=10)
    page = (tmp_path / "a" / "report.html").read_text()
    section = re.search(r"<h2>Guard</h2>.*?</section>", page)[0]
    assert "2 of 2 forecasts left the training climate" in section
    assert 'class="triage"' in section
    assert "data:image/png;base64," in section


def test_a_region_of_a_box_is_refused(forecasts, waves, tmp_path):
    with pytest.raises(UserError, match="a region needs a latitude-longitude grid"):
        evaluate(forecasts[0], waves.path, out=tmp_path / "a", region="0:1,2:3")
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_commands(forecasts, waves, tmp_path):
    def run(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    out = tmp_path / "comparison"
    command = ("compare", *forecasts, waves.path, "--out", out, "--resamples", 10)
    found = run(*command, "--name", "old", "--name", "new")
    assert found.exit_code == 0, found.output
    assert "Beats new at every lead" in found.output
    assert f"report: {out / 'report.html'}" in found.output
    refused = run("evaluate", forecasts[0], waves.path, "--out", out, "--region", "nowhere")
    assert isinstance(refused.exception, UserError)
    assert str(refused.exception).startswith("region 'nowhere': expected SOUTH:NORTH,WEST:EAST")
