"""Benchmarks that take hours run in small here, whole."""

import importlib
import json

import pytest

TINY = [
    "data.source.grid=16",
    "data.source.simulation_grid=32",
    "data.source.snapshots=6",
    "data.splits={train: 2, valid: 1, test: 1}",
    "train.batch_size=2",
    "train.warmup_steps=1",
]


@pytest.fixture
def benchmark_named(monkeypatch, request):
    """What imports a benchmark as its own folder does."""
    monkeypatch.syspath_prepend(request.config.rootpath / "benchmarks")
    return importlib.import_module


def test_time_to_skill_counts_until_the_original_is_reached(tmp_path, benchmark_named):
    module = benchmark_named("time_to_skill")
    words = ["--recipes", "turbulence_small", "--steps", "4", "--validations", "2", "--seeds", "0"]
    words += [
        "--repeats",
        "1",
        "--timed",
        "1",
        "3",
        "--device",
        "cpu",
        "--folder",
        str(tmp_path),
        "--json",
        str(tmp_path / "out.json"),
    ]
    report = module.main([*words, "--set", *TINY])
    (pair,) = report["recipes"]["turbulence_small"]["seeds"]
    assert pair["original"]["samples"] in (4, 8)
    assert pair["goal"] > 0
    step = report["recipes"]["turbulence_small"]["seconds_of_a_step"]["original"]
    assert pair["original"]["seconds"] == pytest.approx(step * pair["original"]["samples"] / 2)
    assert json.loads((tmp_path / "out.json").read_text())["recipes"] == report["recipes"]
    assert len(list(tmp_path.glob("*/log.csv"))) == 2
    again = module.main([*words, "--set", *TINY])
    assert again["recipes"] == report["recipes"]


def test_the_cost_is_that_of_the_first_error_as_low_as_the_lowest(benchmark_named):
    module = benchmark_named("time_to_skill")
    original = {"errors": [4.0, 2.0, 3.0], "seconds": [10, 20, 30], "samples": [8, 16, 24]}
    ours = {"errors": [2.5, 1.9, 1.0], "seconds": [2, 4, 6], "samples": [8, 16, 24]}
    pair = module.compared(original, ours)
    assert pair["goal"] == 2.0
    assert pair["times_cheaper"] == {"seconds": 5.0, "samples": 1.0}
    never = module.compared(original, {**ours, "errors": [9.0, 9.0, 9.0]})
    assert never["times_cheaper"] is None
    assert module.spread([pair, never, never])["seconds"] == [0.0, 0.0, 5.0]


@pytest.mark.filterwarnings("ignore:Grad strides do not match", "ignore:FSDP2-wrapped module")
def test_all_that_a_gpu_is_measured_by_runs_in_small_and_goes_on(
    tmp_path, benchmark_named, capsys, monkeypatch
):
    module = benchmark_named("gpu")
    words = ["--small", "--out", str(tmp_path), "--minutes"]
    nothing = module.main([*words, "0"])
    assert "agreement" not in nothing
    assert "not done: agreement, compiled" in capsys.readouterr().out

    def broken(setting):
        raise RuntimeError("no such kernel")

    with monkeypatch.context() as patch:
        patch.setitem(module.CHECKS, "agreement", broken)
        failed = module.main([*words, "5", "--only", "agreement"])
    assert failed["agreement"] == {"failed": "RuntimeError: no such kernel"}
    # The checks of array shapes in tests cannot be compiled.
    words = ["--only", *(name for name in module.CHECKS if name != "compiled"), *words]
    results = module.main([*words, "5"])
    assert results["agreement"]["turbulence_small"]["bfloat16"] < 0.1
    assert all(one["of_matrix_product"] > 0 for one in results["speed"].values())
    assert results["forecasts"]["writing_takes_times"] > 0
    assert 0 <= results["waiting"]["waiting_for_store"] <= 1
    plain, *others = results["parallel"].values()
    for other in others:
        assert other["losses"] == pytest.approx(plain["losses"], rel=1e-5)
        assert other["weights"] == pytest.approx(plain["weights"], rel=1e-6)
    assert results["memory"]["planned"] > 0
    assert 0 < sum(results["kinds"].values()) <= 1
    assert all(count > 0 for count in results["days"].values())
    assert results["largest"]["teraflop"] > 0
    assert (tmp_path / results["training"]["run"] / "forecaster").is_dir()
    kept = (tmp_path / "results.json").read_text()
    assert module.main([*words, "5"])["forecasts"] == results["forecasts"]
    assert json.loads(kept)["parallel"] == results["parallel"]


def test_the_bandwidth_of_inspect_and_prepare_is_measured(tmp_path, benchmark_named):
    module = benchmark_named("bandwidth")
    words = ["--times", "64", "--rows", "19", "--rounds", "1", "--json", str(tmp_path / "out.json")]
    report = module.main(words)
    assert json.loads((tmp_path / "out.json").read_text()) == report
    assert set(report["files"]) == {"none.nc", "zlib.nc", "none.zarr", "zstd.zarr"}
    for file, one in report["files"].items():
        for kind in ("cpu", "wall"):
            assert 0 < one[kind]["inspect_part"][0] < 1, file
            assert 0 < one[kind]["prepare_part"][0] < 1, file
    stored = {file: one["stored_megabytes"] for file, one in report["files"].items()}
    assert stored["zlib.nc"] <= stored["none.nc"]
    assert stored["zstd.zarr"] <= stored["none.zarr"]


def test_the_bandwidth_is_measured_for_one_kind_and_from_the_disk(tmp_path, benchmark_named):
    module = benchmark_named("bandwidth")
    words = ["--times", "80", "--rows", "19", "--rounds", "1", "--cold", "--files", "zstd.zarr"]
    report = module.main([*words, "--folder", str(tmp_path)])
    assert report["cold"]
    assert set(report["files"]) == {"zstd.zarr"}
    assert not any(tmp_path.iterdir())


def test_what_an_optimiser_takes_is_measured_for_each_batch(tmp_path, benchmark_named):
    module = benchmark_named("optimizer_cost")
    words = ["--recipes", "turbulence_small", "--repeats", "1", "--json", str(tmp_path / "o.json")]
    rows = module.main(words)["recipes"]["turbulence_small"]
    assert {"muon, batch of 2", "adamw, batch of 8"} < set(rows)
    assert all(one["step"] > 0 and one["gradient"] > 0 for one in list(rows.values())[1:])
    assert json.loads((tmp_path / "o.json").read_text())["recipes"]["turbulence_small"] == rows
