import hashlib
import json
import os
import shutil

import pytest
import safetensors.torch
import torch

from tests.builders import tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.models.checkpoint import (
    forecaster_folder,
    load_forecaster,
    load_provenance,
    save_forecaster,
)
from triton_earth.rollout.rollout import rollout


@pytest.fixture(scope="module")
def saved(waves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "forecaster"
    save_forecaster(tiny_forecaster(waves, seed=3), folder, {"seed": 3})
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "forecaster")


def refusal(folder):
    with pytest.raises(UserError) as caught:
        load_forecaster(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_forecaster_below_a_file_is_refused(waves, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file is no folder. Choose another path"):
        save_forecaster(tiny_forecaster(waves), tmp_path / "file" / "forecaster", {})


def test_a_loaded_forecaster_gives_the_same_bits(waves, saved):
    original, loaded = tiny_forecaster(waves, seed=3), load_forecaster(saved)
    assert not loaded.network.training
    assert not any(weight.requires_grad for weight in loaded.network.parameters())
    assert loaded.parameter_count == original.parameter_count
    assert loaded.config == original.config
    assert loaded.normalizer == original.normalizer
    assert loaded.variables == original.variables
    assert loaded.grid == original.grid
    initial = waves.windows([0, 4], [0, 3], 1)
    with torch.no_grad():
        pairs = zip(
            rollout(original, initial, None, 3), rollout(loaded, initial, None, 3), strict=True
        )
        for one, other in pairs:
            assert torch.equal(one.data, other.data)


def test_mask_calendar_step_and_grid_survive(weather, tmp_path):
    original = tiny_forecaster(weather, history=2, prediction="state")
    original.precision = "bfloat16"
    save_forecaster(original, tmp_path / "model", {})
    loaded = load_forecaster(tmp_path / "model")
    assert torch.equal(loaded.valid_mask, original.valid_mask)
    assert torch.equal(loaded.forcing_mask, original.forcing_mask)
    assert loaded.time_step == weather.time_step
    assert loaded.grid == weather.grid
    assert (loaded.history, loaded.config.prediction, loaded.precision) == (2, "state", "bfloat16")


def test_other_weights_may_be_saved_in_place_of_the_own(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    doubled = {name: 2 * tensor for name, tensor in forecaster.network.state_dict().items()}
    save_forecaster(forecaster, tmp_path / "model", {}, weights=doubled)
    loaded = load_forecaster(tmp_path / "model").network.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in doubled.items())


def test_saving_again_replaces_the_older_one_whole(waves, copy):
    save_forecaster(tiny_forecaster(waves, seed=4), copy, {"seed": 4})
    assert load_provenance(copy)["training"] == {"seed": 4}
    assert sorted(path.name for path in copy.parent.iterdir()) == ["forecaster"]


def test_the_files_are_json_and_safetensors_only(saved):
    assert sorted(path.name for path in saved.iterdir()) == [
        "forecaster.json",
        "weights.safetensors",
    ]


def test_a_run_folder_stands_for_its_forecaster(saved, waves):
    assert forecaster_folder(saved.parent) == saved
    assert load_forecaster(saved.parent).grid == waves.grid


def test_the_hash_of_the_weights_tells_models_apart(waves, saved, copy):
    assert load_provenance(saved)["model_hash"] == load_provenance(copy)["model_hash"]
    save_forecaster(tiny_forecaster(waves, seed=4), copy, {"seed": 3})
    assert load_provenance(saved)["model_hash"] != load_provenance(copy)["model_hash"]


# --- refusals


def test_a_folder_without_a_model_is_refused(tmp_path):
    text = refusal(tmp_path)
    assert "there is no trained model (no forecaster.json, no forecaster/forecaster.json)" in text


def reseal(folder):
    """Make what was changed by hand look as if it had been written so."""
    path = folder / "forecaster.json"
    description = {
        key: value for key, value in json.loads(path.read_text()).items() if key != "seal"
    }
    description["weights"] = hashlib.sha256(
        (folder / "weights.safetensors").read_bytes()
    ).hexdigest()
    seal = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**description, "seal": seal}))


@pytest.mark.parametrize("content", ["[]", '{"format": "other"}'])
def test_another_json_file_is_refused(copy, content):
    (copy / "forecaster.json").write_text(content)
    assert "not the description of a forecaster" in refusal(copy)


def test_a_truncated_description_is_refused(copy):
    path = copy / "forecaster.json"
    path.write_text(path.read_text()[:200])
    assert "the forecaster is damaged" in refusal(copy)


@pytest.mark.parametrize("kept", [0, 20, -4])
def test_truncated_weights_are_refused(copy, kept):
    path = copy / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{path} are not the weights that were written" in refusal(copy)
    reseal(copy)
    assert f"{path} cannot be read (" in refusal(copy)


def test_a_flipped_bit_of_the_weights_is_refused(copy):
    path = copy / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert f"{path} are not the weights that were written: the file is damaged" in refusal(copy)
    with pytest.raises(UserError, match="are not the weights that were written"):
        load_provenance(copy)


def test_a_digit_of_the_description_that_has_changed_is_refused(copy):
    path = copy / "forecaster.json"
    text = path.read_text()
    mean = json.loads(text)["normalizer"]
    changed = {name: {**told, "mean": told["mean"] + 1e-9} for name, told in mean.items()}
    path.write_text(json.dumps({**json.loads(text), "normalizer": changed}))
    assert f"{path} is not what was written: it is damaged" in refusal(copy)


def test_a_forecaster_of_an_older_version_has_no_seal(copy):
    path = copy / "forecaster.json"
    description = json.loads(path.read_text())
    del description["seal"], description["weights"]
    path.write_text(json.dumps(description))
    load_forecaster(copy)


def test_a_forecaster_that_is_replaced_while_it_is_read(copy, monkeypatch):
    """The old one's files are gone when they are opened; the new one's are read."""
    path, times = copy / "weights.safetensors", []
    opened = os.open

    def gone_at_first(name, *words, **how):
        if name == path.name and not times:
            times.append(1)
            raise FileNotFoundError(2, "gone", name)
        return opened(name, *words, **how)

    monkeypatch.setattr(os, "open", gone_at_first)
    load_forecaster(copy)
    assert times


def test_missing_weights_are_refused(copy):
    (copy / "weights.safetensors").unlink()
    assert "weights.safetensors is missing: this is not a complete forecaster" in refusal(copy)


def test_a_pickle_in_place_of_the_weights_is_refused(copy):
    torch.save({"network.a": torch.zeros(3)}, copy / "weights.safetensors")
    reseal(copy)
    assert "weights.safetensors cannot be read (" in refusal(copy)


def test_weights_of_another_network_are_refused(copy):
    path = copy / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    weights.pop(sorted(weights)[0])
    safetensors.torch.save_file(weights, path)
    reseal(copy)
    assert "weights and description do not belong together (" in refusal(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("normalizer", {"vorticity": {"mean": 0.0}}),
        ("grid", {"kind": "latlon", "latitude": [1.0, 0.0], "longitude": [0.0, 1.0]}),
        ("grid", {"kind": "periodic", "nz": 3}),
        ("variables", [{"name": "vorticity", "units": "s-1", "role": "passive"}]),
        ("time_step", None),
        ("normalizer", []),
    ],
)
def test_a_description_with_a_wrong_part_is_refused(copy, key, value):
    path = copy / "forecaster.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    reseal(copy)
    assert "do not belong together (" in refusal(copy)


def test_a_description_with_an_unknown_hyper_parameter_is_refused(copy):
    path = copy / "forecaster.json"
    description = json.loads(path.read_text())
    description["model"]["network"]["widht"] = 3
    path.write_text(json.dumps(description))
    reseal(copy)
    assert "unknown key 'network.widht'" in refusal(copy)


def test_a_description_without_a_part_is_refused(copy):
    path = copy / "forecaster.json"
    description = json.loads(path.read_text())
    del description["time_step"]
    path.write_text(json.dumps(description))
    reseal(copy)
    assert "do not belong together ('time_step' is missing)" in refusal(copy)
