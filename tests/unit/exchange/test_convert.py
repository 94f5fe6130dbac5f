"""Weights of the original system become forecasters that compute what the original computes."""

import os
import pickle
import re

import netCDF4
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.builders import random_state
from triton_earth.cli import main
from triton_earth.core.errors import UserError
from triton_earth.exchange.convert import convert
from triton_earth.interop.experiments import EXPERIMENTS, find_experiment
from triton_earth.interop.official import load_network
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.models.triton import Triton
from triton_earth.rollout.rollout import rollout

PARTS = {
    "encoder": "atmospheric_encoder",
    "dynamics": "temporal_evolution",
    "decoder": "atmospheric_decoder",
}
INNER = {
    "position": "pos_embed",
    "attention_norm": "norm1",
    "mixing_norm": "norm1",
    "attention.qkv": "attn.qkv",
    "attention.projection": "attn.proj",
    "mlp_norm": "norm2",
    "mlp.expand": "mlp.fc1",
    "mlp.contract": "mlp.fc2",
    "attention_scale": "gamma_1",
    "mlp_scale": "gamma_2",
    "enter": "conv1",
    "mixing": "attn",
    "leave": "conv2",
}


def original_key(name: str) -> str:
    """The original's key of one of our weights."""
    part, _, rest = name.partition(".")
    if rest.startswith("readout"):
        return f"{PARTS[part]}.{rest}"
    _, layer, inner = rest.split(".", 2)
    if part != "dynamics":
        side = "dec" if part == "decoder" else "enc"
        return f"{PARTS[part]}.{side}.{layer}.conv." + inner.replace("convolution", "conv")
    place, _, inner = inner.partition(".")
    if place == "1":
        return f"{PARTS[part]}.enc.{layer}.reduction.{inner}"
    if inner in INNER:
        return f"{PARTS[part]}.enc.{layer}.block.{INNER[inner]}"
    module, _, parameter = inner.rpartition(".")
    return f"{PARTS[part]}.enc.{layer}.block.{INNER[module]}.{parameter}"


def original_network(frames: int, inputs: int, outputs: int, **options) -> Triton:
    torch.manual_seed(frames + inputs)
    sizes = {"spatial_hidden_dim": 8, "temporal_hidden_dim": 16, "num_temporal_layers": 2}
    return Triton((frames, inputs), output_channels=outputs, **{**sizes, **options}).eval()


def original_weights(network: Triton) -> dict[str, torch.Tensor]:
    weights = network.state_dict()
    return {original_key(name): tensor.contiguous() for name, tensor in weights.items()}


def write_ocean_files(folder, shape=(12, 24)):
    generator = np.random.default_rng(0)
    np.save(folder / "mean.npy", generator.normal(size=(1, 97, 1, 1)).astype(np.float32))
    np.save(folder / "std.npy", generator.uniform(0.5, 2, size=(1, 97, 1, 1)).astype(np.float32))
    rows, columns = shape
    cycle = 5 + np.cos(2 * np.pi * np.arange(365) / 365)[:, None, None, None]
    climatology = np.broadcast_to(cycle, (365, 97, rows + 1, columns)).astype(np.float32)
    np.save(folder / "climatology.npy", climatology)
    mask = np.ones((97, rows + 1, columns), np.uint8)
    mask[:, 3, :5] = 0
    with netCDF4.Dataset(folder / "mask.h5", "w") as file:
        for name, size in zip("cyx", mask.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("fields", "u1", tuple("cyx"))[:] = mask
    return {name: folder / f"{name}.npy" for name in ("mean", "std", "climatology")} | {
        "mask": folder / "mask.h5"
    }


@pytest.mark.parametrize("layout", ["bare", "module", "checkpoint", "safetensors"])
def test_turbulence_in_every_layout(tmp_path, layout):
    network = original_network(1, 1, 1)
    weights = original_weights(network)
    if layout == "safetensors":
        path = tmp_path / "triton.safetensors"
        save_file(weights, path)
    else:
        path = tmp_path / "triton.pth"
        prefixed = {f"module.{key}": value for key, value in weights.items()}
        stored = {
            "bare": weights,
            "module": prefixed,
            "checkpoint": {
                "iters": 3,
                "epoch": 1,
                "model_state": {**prefixed, "ged": torch.zeros(2)},
                "optimizer_state_dict": {
                    "state": {},
                    "param_groups": [{"lr": 1e-3, "params": [0]}],
                },
            },
        }
        torch.save(stored[layout], path)
    convert(path, tmp_path / "model", shape=(16, 16))
    model = load_forecaster(tmp_path / "model")
    assert model.variables == EXPERIMENTS["turbulence"].variables
    assert model.time_step == 0.055
    start = random_state(model.grid, model.variables, batch=1)
    states = list(rollout(model, start, None, 10))
    with torch.no_grad():
        expected = network(start.data)
    torch.testing.assert_close(states[0].data, expected, rtol=1e-5, atol=1e-6)
    assert len(states) == 10


def test_ocean_is_the_originals_step_with_its_statistics_and_rows_from_the_north(tmp_path):
    files = write_ocean_files(tmp_path)
    network = original_network(1, 97, 93)
    torch.save(original_weights(network), tmp_path / "ocean.tar")
    convert(tmp_path / "ocean.tar", tmp_path / "model", shape=(12, 24), **files)
    model = load_forecaster(tmp_path / "model")
    assert model.grid.y[0] == -75.0
    assert model.grid.y[-1] == 90.0
    assert len(model.prognostic) == 93
    assert model.forcing.names == [
        "10m_u_component_of_wind",
        "10m_v_component_of_wind",
        "2m_temperature",
        "mean_sea_level_pressure",
    ]
    mean, std = (np.load(files[name]).reshape(97, 1, 1) for name in ("mean", "std"))
    sea = np.ones((97, 12, 24), bool)
    sea[:, 3, :5] = False
    time = np.array([["2020-01-01"]], "datetime64[ns]")
    anomalous = np.array([name in EXPERIMENTS["ocean"].anomalies for name in model.variables.names])
    kelvin = np.array([name.startswith("potential_temperature") for name in model.variables.names])
    generator = np.random.default_rng(1)
    scaled = generator.normal(size=(97, 12, 24)) * sea
    with torch.no_grad():
        given = torch.from_numpy(scaled.astype(np.float32))[None, None]
        out = network(given)[0, 0].numpy()
    offset = np.where(anomalous, 6.0, 0.0) + np.where(kelvin, 273.15, 0.0)  # 5 + cos 0 on 1 January

    def physical(values, count, cycle):
        fields = values * std[:count] + mean[:count] + cycle[:count, None, None]
        return np.where(sea[:count], fields, np.nan)[:, ::-1].astype(np.float32)

    fields = torch.from_numpy(physical(scaled, 97, offset).copy())[None, None]
    state = random_state(model.grid, model.variables, batch=1)
    window = type(state)(fields, model.variables, model.grid, time, model_mask(model, sea))
    tomorrow = time + np.timedelta64(1, "D")
    forcing = type(state)(
        fields[:, :, 93:], model.forcing, model.grid, tomorrow, model_mask(model, sea)[93:]
    )
    (found,) = rollout(model, window.select(model.prognostic.names), [forcing], 1)
    expected = physical(
        out,
        93,
        np.where(anomalous, 5 + np.cos(2 * np.pi / 366), 0.0) + np.where(kelvin, 273.15, 0.0),
    )
    np.testing.assert_allclose(found.data[0, 0].detach().numpy(), expected, rtol=1e-4, atol=2e-3)


def model_mask(model, sea):
    return torch.from_numpy(sea[:, ::-1].copy())


def test_weather_reads_the_table_of_statistics_by_year(tmp_path):
    table = np.zeros((43, 69, 2))
    table[..., 1] = 1.0
    table[:39, :, 0] = np.arange(39)[:, None]
    table[39:, :, 0] = 1e6
    np.save(tmp_path / "table.npy", table)
    torch.save(original_weights(original_network(1, 69, 69)), tmp_path / "weather.pth")
    model = convert(
        tmp_path / "weather.pth", tmp_path / "model", shape=(12, 24), mean=tmp_path / "table.npy"
    )
    assert model.normalizer.mean == (19.0,) * 69
    assert model.variables.names[:5] == [
        "10m_u_component_of_wind",
        "10m_v_component_of_wind",
        "2m_temperature",
        "mean_sea_level_pressure",
        "u_component_of_wind_50",
    ]
    assert model.variables.names[50] == "geopotential_500"
    assert model.variables.names[40] == "temperature_850"
    assert model.grid.shape == (12, 24)


def test_kuroshio_has_ten_frames_blocks_of_convolution_and_no_statistics(tmp_path):
    network = original_network(10, 2, 2, num_temporal_layers=3, blocks="uniformer")
    torch.save(original_weights(network), tmp_path / "kuroshio.pth")
    mask = np.ones((2, 64, 64), bool)
    np.save(tmp_path / "mask.npy", mask)
    model = convert(
        tmp_path / "kuroshio.pth", tmp_path / "model", shape=(64, 64), mask=tmp_path / "mask.npy"
    )
    assert (model.history, model.block) == (10, 10)
    assert model.config.network.blocks == "uniformer"
    assert model.grid.y[0] == 10.0625


@pytest.mark.parametrize("ablation", ["no core", "no skip"])
def test_ablations_are_read(tmp_path, ablation):
    options = {"num_temporal_layers": 0} if ablation == "no core" else {"skip": "none"}
    network = original_network(1, 1, 1, **options)
    weights = {
        key.replace("atmospheric", "Turbulence").replace("temporal_evolution", "LDC"): value
        for key, value in original_weights(network).items()
    }
    torch.save(weights, tmp_path / "a.pth")
    model = convert(tmp_path / "a.pth", tmp_path / "model", shape=(16, 16))
    x = torch.randn(1, 1, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(model.network(x), network(x))


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("canary",)


def test_objects_in_weights_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model_state": Malicious()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="holds Python objects beside tensors"):
        convert(tmp_path / "evil.pth", tmp_path / "model")
    (tmp_path / "evil.npy").write_bytes(b"\x93NUMPY\x01\x00" + pickle.dumps(Malicious()))
    torch.save(original_weights(original_network(1, 69, 69)), tmp_path / "weather.pth")
    with pytest.raises(UserError, match=r"--mean .*evil.npy: not a file of the original system"):
        convert(tmp_path / "weather.pth", tmp_path / "model", mean=tmp_path / "evil.npy")
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "model").exists()


def truncated(folder):
    path = folder / "short.pth"
    torch.save(original_weights(original_network(1, 1, 1)), path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def saved(folder, network):
    torch.save(original_weights(network), folder / "saved.pth")
    return folder / "saved.pth"


def changed(folder, **weights):
    path = folder / "changed.pth"
    torch.save({**original_weights(original_network(1, 1, 1)), **weights}, path)
    return path


REFUSALS = {
    "missing file": (lambda folder: folder / "none.pth", {}, "there is no such file of weights"),
    "truncated": (truncated, {}, r"short.pth: the weights cannot be read"),
    "no dictionary": (
        lambda folder: torch.save(torch.zeros(3), folder / "t.pth") or folder / "t.pth",
        {},
        "expected a state dict, found Tensor",
    ),
    "extra key": (
        lambda folder: changed(
            folder, **{"atmospheric_encoder.enc.9.conv.conv.weight": torch.zeros(8, 8, 3, 3)}
        ),
        {},
        "official weights",
    ),
    "eddy network": (
        lambda folder: changed(
            folder, **{"light_temporal_evolution.enc.0.block.norm1.weight": torch.zeros(8)}
        ),
        {},
        "gated convolutions with large kernels",
    ),
    "flat ablation": (
        lambda folder: changed(folder, **{"flat_encoder.net.0.weight": torch.zeros(8, 1, 3, 3)}),
        {},
        "the ablation without a V-cycle, whose maps have a single resolution",
    ),
    "gated attention": (
        lambda folder: changed(folder, **{"enc.0.conv.conv.weight": torch.zeros(8, 1, 3, 3)}),
        {},
        "the second version's network with gated attention",
    ),
    "multi-year climate": (
        lambda folder: saved(folder, original_network(1, 70, 69)),
        {},
        "of the second version's multi-year climate runs, of which it was not published",
    ),
    "physical units": (
        changed,
        {"normalised": True},
        "--normalised: the files of the experiment 'turbulence' hold fields in physical units",
    ),
    "unknown experiment": (changed, {"experiment": "ozone"}, "--experiment: unknown 'ozone'"),
    "other experiment": (
        changed,
        {"experiment": "weather"},
        "1 frames of 1 channels to 1, which is no experiment",
    ),
    "statistics not needed": (
        changed,
        {"mean": "m.npy"},
        "--mean: the experiment 'turbulence' has no such file",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_converted_is_refused(tmp_path, case):
    make, options, message = REFUSALS[case]
    with pytest.raises(UserError, match=message):
        convert(make(tmp_path), tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_weights_whose_channels_nobody_knows_are_not_taken_for_others():
    with pytest.raises(
        UserError, match="medium-range weather forecasts, of which it was not published"
    ):
        find_experiment(None, 1, 69, 69, 1536)
    assert find_experiment("weather", 1, 69, 69, 1536).name == "weather"
    assert find_experiment(None, 1, 69, 69, 256).name == "weather"


OCEAN_REFUSALS = {
    "no mean": ({"mean": None}, "lack the statistics that fields are normalised by"),
    "no std": ({"std": None}, "name the standard deviations with --std FILE"),
    "no climatology": (
        {"climatology": None},
        "works in anomalies; name the original's climatology",
    ),
    "no mask": ({"mask": None}, "defined at sea alone; name the file"),
    "wrong mask": ({"mask": "mean"}, r"--mask .*: expected the shape \[97, 12, 24\]"),
    "wrong climatology": (
        {"climatology": "mean"},
        r"--climatology .*: expected the shape \[365, 97, 12, 24\]",
    ),
    "globe": ({"shape": (13, 24)}, "a globe of 24 columns has 12 rows"),
    "lost file": ({"std": "lost.npy"}, "--std .*: there is no such file"),
}


@pytest.mark.parametrize("case", OCEAN_REFUSALS)
def test_statistics_of_the_ocean_that_lack_or_do_not_fit_are_named(tmp_path, case):
    change, message = OCEAN_REFUSALS[case]
    files = {"shape": (12, 24), **write_ocean_files(tmp_path)}
    for name, value in change.items():
        files[name] = files.get(value, value) if isinstance(value, str) else value
    torch.save(original_weights(original_network(1, 97, 93)), tmp_path / "ocean.tar")
    with pytest.raises(UserError, match=message):
        convert(tmp_path / "ocean.tar", tmp_path / "model", **files)


def test_an_existing_model_is_kept_unless_overwritten(tmp_path):
    path = changed(tmp_path)
    convert(path, tmp_path / "model", shape=(16, 16))
    with pytest.raises(UserError, match=re.escape("model exists already")):
        convert(path, tmp_path / "model", shape=(16, 16))
    convert(path, tmp_path / "model", shape=(8, 8), overwrite=True)
    assert load_forecaster(tmp_path / "model").grid.shape == (8, 8)


def test_the_command_converts_and_says_what_it_made(tmp_path, capsys, monkeypatch):
    arguments = ["convert", str(changed(tmp_path)), "--to", str(tmp_path / "model"), "--shape"]
    monkeypatch.setattr("sys.argv", ["triton-earth", *arguments, "16x16"])
    main()
    assert "periodic box 16 x 16" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["triton-earth", *arguments, "16"])
    with pytest.raises(SystemExit):
        main()
    assert "--shape: expected ROWSxCOLUMNS such as 128x128, found '16'" in capsys.readouterr().err


def test_the_keys_of_the_test_are_those_of_the_reader():
    network = original_network(4, 2, 3)
    again = load_network(original_weights(network))
    x = torch.randn(1, 4, 2, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(again(x), network(x))
