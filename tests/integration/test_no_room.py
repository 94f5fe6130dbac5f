"""Work that memory or disk cannot hold is refused before it starts, with the numbers; --force goes on."""

import re

import pytest
import yaml
from safetensors.torch import save_file

from tests import gridded
from tests.builders import TINY_RECIPE
from tests.faults.verbs import SMALL_BENCH
from tests.unit.exchange.test_convert import original_network, original_weights
from triton_earth.core.processes import machine

VERBS = (
    "prepare", "prepare gridded", "train", "forecast", "evaluate", "evaluate a model", "compare", "export-forecast",
    "convert", "push", "bench",
)  # fmt: skip
LITTLE_MEMORY = {"prepare gridded"}
"""Pieces of memory_mb are all that it holds."""


@pytest.fixture
def commands(tmp_path, tiny_store, tiny_run, tiny_forecast):
    out = tmp_path / "out"
    data = gridded.write(tmp_path / "grid.nc", gridded.dataset(41))
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(gridded.recipe_values(data)))
    bench = {**SMALL_BENCH, "store": str(tiny_store)}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(bench))
    official = tmp_path / "official.safetensors"
    save_file(original_weights(original_network(1, 1, 1)), official)
    few = ["--resamples", 5, "--out", out]
    return {
        "prepare": ["prepare", "turbulence_small", *TINY_RECIPE, "--out", out],
        "prepare gridded": ["prepare", tmp_path / "grid.yaml", "--out", out],
        "train": ["train", "turbulence_small", tiny_store, *TINY_RECIPE, "--out", out],
        "forecast": ["forecast", tiny_run, tiny_store, "--out", out],
        "evaluate": ["evaluate", tiny_forecast, tiny_store, *few],
        "evaluate a model": ["evaluate", tiny_run, tiny_store, "--steps", 3, *few],
        "compare": ["compare", tiny_forecast, tiny_forecast, tiny_store, *few],
        "export-forecast": ["export-forecast", tiny_forecast, "--layout", "netcdf", "--out", out],
        "convert": ["convert", official, "--shape", "16x16", "--to", out],
        "push": ["push", tiny_run, "somebody/waves", "--licence", "mit"],
        "bench": ["bench", tmp_path / "bench.yaml", "--out", out],
    }


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_seen_beforehand(verb, commands, refused, monkeypatch):
    monkeypatch.setattr(machine, "free_disk", lambda _: 100.0)
    monkeypatch.setattr("triton_earth.workflow.plan.free_disk", lambda _: 100.0)
    line = refused(*commands[verb])
    assert re.search(r"takes [0-9.]+ .B of disk at \S+, and 0\.1 kB are free\. ", line), line
    assert line.endswith("--force goes on anyway.")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in LITTLE_MEMORY])
def test_too_little_memory_is_seen_beforehand(verb, commands, refused, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 100.0)
    monkeypatch.setattr("triton_earth.workflow.plan.free_memory", lambda: 100.0)
    line = refused(*commands[verb])
    assert re.search(r"takes [0-9.]+ .B of memory, and 0\.1 kB are free\. ", line), line
    assert line.endswith("--force goes on anyway.")


@pytest.mark.parametrize(
    "verb", ["prepare", "prepare gridded", "forecast", "export-forecast", "convert"]
)
def test_force_goes_on(verb, commands, command, monkeypatch):
    monkeypatch.setattr(machine, "free_disk", lambda _: 100.0)
    assert command(*commands[verb], "--force").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "evaluate", "evaluate a model", "compare", "bench"])
def test_force_goes_on_with_what_takes_longer(verb, commands, command, monkeypatch):
    monkeypatch.setattr(machine, "free_disk", lambda _: 100.0)
    assert command(*commands[verb], "--force").code == 0
