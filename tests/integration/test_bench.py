"""A bench from its file to its table, and everything that may come between."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr
import yaml

from triton_earth.bench import report, runs
from triton_earth.bench.bench import bench
from triton_earth.bench.config import load_bench
from triton_earth.bench.folder import BenchFolder
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.evaluation.scores_file import NETCDF

RESNET = {"model.network": {"name": "resnet", "width": 4, "blocks": 1}}
OVERRIDES = {"train.batch_size": 4, "train.device": "cpu", "forecast.steps": 5, "train.noise": 0}


def written(folder, store, **changes):
    values = {
        "title": "Waves",
        "recipe": "turbulence_small",
        "overrides": OVERRIDES,
        "store": str(store.path),
        "variants": {"plain": RESNET, "high rate": RESNET | {"train.learning_rate": 1e-2}},
        "seeds": [0, 1],
        "budget": {"samples": 60},
        "leads": [1, 5],
    }
    file = folder / "bench.yaml"
    file.write_text(yaml.safe_dump(values | changes, sort_keys=False), encoding="utf-8")
    return file


def results(out):
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _no_report(request, monkeypatch):
    """Reports are those of `compare` and `evaluate`, which have their own tests; but one."""
    monkeypatch.setattr(runs, "ROUNDS", 1)
    if "with_report" not in request.fixturenames:
        monkeypatch.setattr(report, "judge", lambda *_, **__: None)


@pytest.fixture(scope="module")
def done(waves, tmp_path_factory):
    """The file and the folder of a finished bench, in which every run of one variant failed."""
    folder = tmp_path_factory.mktemp("bench")
    file = written(
        folder,
        waves,
        search={"rates": [1e-5, 5e-3], "part": 0.7},
        variants={"plain": RESNET, "broken": RESNET | {"train.noise": 1e-3}},
        seeds=[0],
    )
    train = runs.train

    def failing(recipe, store, out, overrides, **options):
        if "broken" in str(out):
            raise RuntimeError("no memory left\nsecond line")
        return train(recipe, store, out, overrides, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs, "train", failing)
        patched.setattr(report, "judge", lambda *_, **__: None)
        bench(file, folder / "out")
    return file, folder / "out"


def test_the_table_has_what_was_measured(done):
    _, out = done
    told = results(out)
    rows = {row["name"]: row for row in told["rows"]}
    assert list(rows)[:2] == ["plain", "broken"]
    assert "persistence" in rows
    plain = rows["plain"]
    assert (plain["seeds"], plain["steps"], plain["rate"]) == ([0], 15, 5e-3)
    assert plain["trials"]["0.005"] < plain["trials"]["1e-05"]
    assert plain["search_cpu_seconds"] > 0
    assert told["leads"] == [1, 5]
    text = (out / "table.md").read_text(encoding="utf-8")
    assert "Budget of a run: 60 samples" in text
    assert f"| plain | {plain['mse_over_persistence']:.3g} | {plain['mean'][0]:.3g} |" in text


def test_errors_are_those_of_an_evaluation(done, waves):
    _, out = done
    place = out / "variants" / "plain" / "seed 0"
    row = json.loads((place / "row.json").read_text(encoding="utf-8"))
    with xr.open_dataset(place / NETCDF, engine="netcdf4") as scores:
        expected = scores["relative_l2"].sel(forecast="resnet")[0, [0, 4]].values
    np.testing.assert_allclose(np.mean(row["errors"], axis=0), expected, rtol=1e-6)
    assert len(row["errors"]) == len(waves.trajectories_in("test"))


def test_a_failed_run_is_a_row_and_stops_nobody(done):
    _, out = done
    (broken,) = (row for row in results(out)["rows"] if row["name"] == "broken")
    assert broken["seeds"] == []
    text = "no learning rate of 1e-05, 0.005 gives a finite validation score; try smaller ones."
    assert broken["failures"] == {"0": text}
    assert f"| broken | 0 | {text} |" in (out / "table.md").read_text(encoding="utf-8")


def test_a_second_start_does_nothing_again_and_a_new_seed_only_its_own(done, monkeypatch):
    file, out = done
    trained = []
    train = runs.train
    monkeypatch.setattr(runs, "train", lambda *a, **k: trained.append(a[2]) or train(*a, **k))
    before = results(out)
    bench(file, out)
    assert trained == []
    assert results(out) == before
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(values | {"seeds": [0, 1]}, sort_keys=False), encoding="utf-8")
    bench(file, out)
    assert [path.parent.name for path in trained] == ["seed 1"]
    assert results(out)["rows"][0]["seeds"] == [0, 1]
    assert not (out / "variants" / "plain" / "seed 1" / "forecast.zarr").exists()


def test_the_folder_of_another_bench_is_refused(done, tmp_path, waves):
    _, out = done
    other = written(tmp_path, waves, budget={"samples": 80})
    with pytest.raises(UserError, match=r"is the folder of another bench: its 'budget' differs\."):
        bench(other, out)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"exists already and is no folder of a bench \(no bench\.y"
    ):
        bench(other, tmp_path / "taken")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"budget": {"flops": 10}},
            r"the budget pays for no variant; variant 'plain': budget\.flops=10 pays for 0 steps",
        ),
        (
            {"variants": {"a": {"model.network": {"name": "triton", "spatial_hidden_dim": 6}}}},
            r"^variant 'a': spatial_hidden_dim: the first block attends",
        ),
        ({"variants": {"a": {"model.history": 9}}}, r"^variant 'a': .*window"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_trained(tmp_path, waves, changes, text):
    with pytest.raises(UserError, match=text):
        bench(written(tmp_path, waves, **changes), tmp_path / "out")
    assert list((tmp_path / "out").rglob("log.csv")) == []


def test_a_reference_forecast_that_the_grid_has_not_is_refused_before_anything_is_trained(
    tmp_path, weather
):
    file = written(tmp_path, weather, baselines=["persistence", "damped_linear"])
    with pytest.raises(UserError, match=r"^baselines: damped_linear: waves need fields that are "):
        bench(file, tmp_path / "out")
    assert list((tmp_path / "out").rglob("log.csv")) == []


def test_a_piece_that_another_process_is_at_is_refused_and_not_noted(done):
    file, out = done
    folder = BenchFolder(out, load_bench(file))
    with (
        sole_use(folder.run("plain", 7)),
        pytest.raises(UserError, match=r"another process is writing it"),
    ):
        runs.run_variant(folder, "plain", 7)
    assert folder.read_row(folder.run("plain", 7)) is None


@pytest.mark.slow
def test_pieces_one_by_one_give_the_table(tmp_path, waves, monkeypatch):
    file = written(tmp_path, waves, variants={"plain": RESNET}, seeds=[0])
    with pytest.raises(
        UserError, match=r"--run: expected 0 to 0 for .* or 1 to 1 for the runs; found 2"
    ):
        bench(file, tmp_path / "pieces", run=2)
    with pytest.raises(
        UserError, match=r"the learning rate of variant 'plain' is not known yet\. Let"
    ):
        bench(file, tmp_path / "pieces", run=1)
    for piece in (0, 1):
        assert bench(file, tmp_path / "pieces", run=piece) is None
    monkeypatch.setattr(runs, "train", None)
    assert bench(file, tmp_path / "pieces").rows[0].runs == [0]


@pytest.mark.slow
def test_after_a_kill_the_same_bits(tmp_path, waves):
    file = written(tmp_path, waves, variants={"plain": RESNET}, seeds=[0], budget={"samples": 2000})
    command = [sys.executable, "-m", "triton_earth", "bench", str(file), "--out"]
    killed = subprocess.Popen([*command, str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / "variants" / "plain" / "seed 0" / "run" / "training_state.pt"
    for _ in range(1200):
        if state.exists() or killed.poll() is not None:
            break
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    whole = bench(file, tmp_path / "whole")
    again = bench(file, tmp_path / "killed")
    assert again.rows[0].summary.mean.tolist() == whole.rows[0].summary.mean.tolist()
    row = json.loads((state.parents[1] / "row.json").read_text(encoding="utf-8"))
    assert row["resumed"]


@pytest.mark.slow
def test_in_two_processes_the_same_table(tmp_path, waves):
    file = written(tmp_path, waves)
    one, two = (bench(file, tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    for first, second in zip(one.rows[:2], two.rows[:2], strict=True):
        assert first.summary.mean.tolist() == second.summary.mean.tolist()


@pytest.fixture
def with_report():
    """Asked for by a test that wants the real report."""


@pytest.mark.slow
def test_the_report_has_the_table_and_all_forecasts(tmp_path, waves, with_report):
    bench(written(tmp_path, waves, seeds=[0]), tmp_path / "out")
    text = (tmp_path / "out" / "report" / "report.html").read_text(encoding="utf-8")
    assert "Budget of a run: 60 samples" in text
    assert "<th>high rate</th>" in text
    assert (tmp_path / "out" / "report" / "animation.gif").is_file()


def test_the_command_line(tmp_path, waves):
    wrong = written(tmp_path, waves, budget={"flop": 10})
    command = [
        sys.executable,
        "-m",
        "triton_earth",
        "bench",
        str(wrong),
        "--out",
        str(tmp_path / "o"),
    ]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        f"error: {wrong}: unknown key 'budget.flop'; did you mean 'flops'?"
    )
    assert not (tmp_path / "o").exists()
