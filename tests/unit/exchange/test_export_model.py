"""Steps of models as ONNX and as programs of torch: the same numbers without this package."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.builders import TINY_NETWORK, files_below, statistics, tiny_forecaster, weather_store
from tests.unit.models.networks.test_networks import SMALL
from triton_earth.cli import main
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.core.time import day_fraction, year_fraction
from triton_earth.data.statistics.climatology import Climatology
from triton_earth.data.statistics.damping import no_damping
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.exchange import export_model as module
from triton_earth.exchange.export_model import export
from triton_earth.exchange.step_module import calendar_fractions
from triton_earth.models import registry
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.registry import NetworkConfig, create, list_networks
from triton_earth.models.zoo import shipped_models

LACKING = {"onnx": set(), "pt2": set()}
"""Networks with operations that a format lacks."""
DOCS = Path(__file__).parents[3] / "docs" / "models.md"


def saved(forecaster, folder):
    save_forecaster(forecaster, folder, {"recipe": "tiny"})
    return folder


def with_everything(store, network=TINY_NETWORK) -> NetworkForecaster:
    """A model with two states, a forcing, land, anomalies of the year and day, a damped skip, noise and more inputs."""
    torch.manual_seed(0)
    temperature = store.variables.select(["temperature"])
    coefficients = np.random.default_rng(0).normal(size=(21, 1, *store.grid.shape))
    seasons = SeasonalCycle(("temperature",), Climatology(coefficients, "made up", 1))
    damping = no_damping(temperature)
    damping = replace(damping, coefficients=0.8 * damping.coefficients)
    config = ModelConfig.parse(
        {
            "network": network,
            "history": 2,
            "prediction": "damped",
            "mask_input": True,
            "climatology_input": True,
            "noise": {"channels": 1, "scales": [1, 4]},
            "normalization": {"subtract": "climatology"},
        },
        "test",
    )
    normalizer = replace(statistics(store), seasons=seasons, damping=damping)
    forecaster = NetworkForecaster(config, store.variables, store.grid, store.time_step, normalizer)
    forecaster.valid_mask = torch.from_numpy(store.valid_mask[:1])
    forecaster.forcing_mask = torch.from_numpy(store.valid_mask[1:])
    forecaster.network.eval()
    return forecaster


def test_fractions_of_year_and_day_are_those_of_the_calendar():
    days = np.arange("1895-01-01", "2105-01-01", dtype="datetime64[D]")
    hours = np.random.default_rng(0).integers(0, 86400, len(days))
    times = days.astype("datetime64[s]") + hours.astype("timedelta64[s]")
    of_year, of_day = calendar_fractions(torch.from_numpy(times.astype(np.int64)))
    exact = times.astype("datetime64[ns]")
    np.testing.assert_allclose(of_year, year_fraction(exact), atol=1e-12)
    np.testing.assert_allclose(of_day, day_fraction(exact), atol=1e-12)


def test_a_program_of_torch_has_all_of_the_model_inside(tmp_path):
    store = weather_store(tmp_path / "truth.zarr")
    forecaster = with_everything(store)
    made = export(saved(forecaster, tmp_path / "model"), tmp_path / "model.pt2")
    files = {"triton_earth.json": ""}
    program = torch.export.load(made, extra_files=files).module()
    about = json.loads(files["triton_earth.json"])
    assert about["history"] == about["block"] == 2
    assert [one["name"] for one in about["states"]] == ["temperature"]
    assert [one["name"] for one in about["forcing"]] == ["sunshine"]
    assert about["noise_channels"] == 2
    window = store.windows([1], [3], 2)
    forcing = store.windows([1], [5], 2).select(["sunshine"])
    noise = torch.randn(1, 2, 2, *store.grid.shape)
    forecaster.given_noise = noise
    with torch.no_grad():
        expected = forecaster(window, forcing).masked().data
        found = program(
            states=window.masked().data[:, :, :1],
            forcing=forcing.masked().data,
            time=torch.from_numpy(window.valid_times[:, -1].astype("datetime64[s]").astype(int)),
            noise=noise,
        )
    assert expected.isnan().any()
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-5, atol=1e-3)
    later = torch.tensor([1_600_000_000])
    changed = program(states=window.data[:, :, :1], forcing=forcing.data, time=later, noise=noise)
    assert not torch.allclose(changed, found, equal_nan=True)  # it knows the season


def onnx_or_skip():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


def test_onnx_runs_without_torch_and_goes_on_by_the_example_of_the_documentation(tmp_path, waves):
    onnx_or_skip()
    forecaster = tiny_forecaster(waves, history=2)
    export(saved(forecaster, tmp_path / "model"), tmp_path / "model.onnx")
    window = waves.windows([4], [0], 2)
    np.savez(tmp_path / "initial.npz", states=window.data.numpy())
    text = DOCS.read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(import json\n.*?)```", text, flags=re.DOTALL)
    assert len(example.strip().splitlines()) <= 12
    ending = "\nimport sys; assert not {'torch', 'triton_earth'} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", example + "np.save('last.npy', states)" + ending],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        for _ in range(10):
            window = window.append(forecaster(window)).last(2)
    np.testing.assert_allclose(np.load(tmp_path / "last.npy"), window.data, rtol=1e-4, atol=1e-4)


class Bessel(NetworkConfig):
    """A network with a function that ONNX does not have."""

    def build(self, frames, input_channels, output_channels, padding):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.factor = nn.Parameter(torch.ones(()))

            def forward(self, x):
                return torch.special.bessel_j0(self.factor * x[:, :, :output_channels])

        return Network()


def test_operations_that_a_format_lacks_are_said(tmp_path, waves, monkeypatch):
    onnx_or_skip()
    monkeypatch.setitem(registry._CONFIGS, "bessel", Bessel)
    config = ModelConfig(network=Bessel(name="bessel"))
    forecaster = NetworkForecaster(
        config, waves.variables, waves.grid, waves.time_step, statistics(waves)
    )
    model = saved(forecaster, tmp_path / "model")
    with pytest.raises(
        UserError, match="the network 'bessel' has an operation that this format"
    ) as found:
        export(model, tmp_path / "model.onnx")
    assert "bessel_j0" in str(found.value)
    assert len(str(found.value).splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert export(model, tmp_path / "model.pt2").is_file()


def test_an_export_that_gives_other_values_is_not_published(tmp_path, waves, monkeypatch):
    model = saved(tiny_forecaster(waves), tmp_path / "model")
    before = files_below(tmp_path)
    monkeypatch.setattr(module, "step", lambda *arguments: torch.zeros(1, 1, 1, 8, 8))
    with pytest.raises(
        UserError, match=r"gives other values than the model: 'vorticity' differs by"
    ):
        export(model, tmp_path / "model.pt2")
    assert files_below(tmp_path) == before


def test_exports_replace_their_own_kind_only(tmp_path, waves, capsys, monkeypatch):
    model = saved(tiny_forecaster(waves), tmp_path / "model")
    out = tmp_path / "model.pt2"
    out.write_text("mine")
    with pytest.raises(UserError, match=r"exists already. Choose another path, or add --overwrite"):
        export(model, out)
    with pytest.raises(UserError, match="is no export of ours, and --overwrite replaces nothing"):
        export(model, out, overwrite=True)
    assert out.read_text() == "mine"
    out.unlink()
    words = ["export", str(model), "--format", "pt2", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["triton-earth", *words])
    main()
    assert f"{out} (" in capsys.readouterr().out
    export(model, out, overwrite=True)
    with sole_use(out), pytest.raises(UserError, match="another process is writing it"):
        export(model, out, overwrite=True)


def test_formats_and_packages_that_are_not_there_are_said(tmp_path, waves, monkeypatch):
    model = saved(tiny_forecaster(waves), tmp_path / "model")
    with pytest.raises(UserError, match="--format: unknown 'onx'; did you mean 'onnx'"):
        export(model, tmp_path / "m", format="onx")
    with pytest.raises(UserError, match="--format: unknown 'bin'; known are onnx, pt2"):
        export(model, tmp_path / "m.bin")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"needs the package onnxscript; .*'triton-earth\[onnx\]'"):
        export(model, tmp_path / "m.onnx")
    with pytest.raises(UserError, match="holds or lies within"):
        export(model, model / "m.pt2")
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def every_network():
    """Small networks of every registered name."""
    sizes = {"triton": TINY_NETWORK, **SMALL}
    named = {one["name"] for one in sizes.values()}
    for name in list_networks():
        if name not in named and ":" not in name:
            sizes[name] = {"name": name}
    return sizes


@pytest.mark.slow
@pytest.mark.parametrize("format", ["pt2", "onnx"])
@pytest.mark.parametrize("network", every_network())
def test_every_network_in_both_formats(tmp_path, network, format):
    onnx_or_skip()
    store = weather_store(tmp_path / "truth.zarr")
    config = every_network()[network]
    forecaster = with_everything(store, create(config))
    model = saved(forecaster, tmp_path / "model")
    if config["name"] in LACKING[format]:
        with pytest.raises(UserError, match="has an operation that this format lacks"):
            export(model, tmp_path / f"m.{format}")
    else:
        assert export(model, tmp_path / f"m.{format}").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["pt2", "onnx"])
@pytest.mark.parametrize("name", shipped_models())
def test_every_shipped_model_in_both_formats(tmp_path, name, format):
    onnx_or_skip()
    assert export(name, tmp_path / f"m.{format}").is_file()
