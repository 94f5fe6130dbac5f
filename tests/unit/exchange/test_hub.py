"""Models on the Hub, against a stand-in on this machine: pushed, fetched, kept, and refused."""

import json
import socket
import sys

import pytest
import torch
import xarray as xr
import yaml

from tests.builders import tiny_forecaster, wave_store
from tests.hub_stand_in import hub
from triton_earth.cli import main
from triton_earth.core.errors import UserError
from triton_earth.exchange.push import push
from triton_earth.models.checkpoint import load_forecaster, save_forecaster
from triton_earth.models.hub import parse_hub_name

constants = pytest.importorskip("huggingface_hub.constants")


def point_to(address, monkeypatch):
    """Make the library ask another server than the Hub."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + template[template.index("/{repo_id}") :]
    )


@pytest.fixture
def repositories(tmp_path, monkeypatch):
    with hub() as (address, found):
        point_to(address, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_token")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield found


@pytest.fixture
def model(tmp_path):
    forecaster = tiny_forecaster(wave_store(tmp_path / "waves.zarr"))
    facts = {"recipe": {"title": "Waves"}, "seed": 3, "command": "triton-earth train waves"}
    save_forecaster(forecaster, tmp_path / "model", facts)
    return tmp_path / "model"


def files_of(model):
    return {file.name: file.read_bytes() for file in model.iterdir()}


def test_a_model_comes_back_as_it_was_pushed(repositories, model):
    name = push(model, "somebody/waves", licence="apache-2.0")
    (_, files), own = repositories.revisions["somebody/waves"][-1], load_forecaster(model)
    assert set(files) == {"README.md", "config.json", "forecaster.json", "weights.safetensors"}
    for loaded in (load_forecaster("hf:somebody/waves"), load_forecaster(name)):
        for key, weight in own.network.state_dict().items():
            assert torch.equal(weight, loaded.network.state_dict()[key])
    assert json.loads(files["config.json"])["library_name"] == "triton-earth"


def test_the_card_says_task_training_limits_and_licence(repositories, model):
    push(model, "somebody/waves", licence="cc-by-4.0")
    card = repositories.revisions["somebody/waves"][-1][1]["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "cc-by-4.0"
    assert front["library_name"] == "triton-earth"
    for text in (
        "# Waves",
        "vorticity",
        "- seed: `3`",
        "## Limits",
        "hf:somebody/waves",
        "title: Waves",
    ):
        assert text in card


def test_an_older_revision_is_fetched_by_its_name(repositories, model):
    oid = repositories.add("somebody/waves", files_of(model))
    repositories.add("somebody/waves", {"README.md": b"nothing"})
    assert load_forecaster(f"hf:somebody/waves@{oid}").name == "triton"


def test_without_a_connection_the_kept_copy_serves(repositories, model, monkeypatch):
    repositories.add("somebody/waves", files_of(model))
    load_forecaster("hf:somebody/waves")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    point_to(f"http://127.0.0.1:{port}", monkeypatch)
    assert load_forecaster("hf:somebody/waves").name == "triton"
    with pytest.raises(UserError, match=r"the Hub cannot be reached .* no copy was fetched before"):
        load_forecaster("hf:somebody/other")


def test_without_a_connection_nothing_else_is_taken_for_what_was_asked(
    repositories, model, tmp_path, monkeypatch, caplog
):
    repositories.add("somebody/waves", files_of(model))
    load_forecaster("hf:somebody/waves")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    caplog.set_level("INFO", "triton_earth")
    assert load_forecaster("hf:somebody/waves").name == "triton"
    assert "the copy that was fetched before is used" in caplog.text
    with pytest.raises(UserError, match=r"waves@older: the Hub cannot be reached .* no copy was"):
        load_forecaster("hf:somebody/waves@older")
    (kept,) = (tmp_path / "cache").glob("*/snapshots/*")
    (kept / "modeling.py").write_text("import os")
    with pytest.raises(UserError, match=r"holds 'modeling.py'; .* Nothing of it is used"):
        load_forecaster("hf:somebody/waves")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        UserError, match=r"needs the package huggingface_hub; .*'triton-earth\[hub\]'"
    ):
        load_forecaster("hf:somebody/waves")


def test_a_model_without_its_files_is_no_model(repositories):
    repositories.add("somebody/empty", {"README.md": b"nothing"})
    with pytest.raises(UserError, match=r"hf:somebody/empty: there is no trained model"):
        load_forecaster("hf:somebody/empty")


def test_a_hub_that_does_not_take_the_model_is_said(repositories, model, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    point_to(f"http://127.0.0.1:{port}", monkeypatch)
    with pytest.raises(
        UserError, match=r"the Hub does not take the model \(.*Log in \(hf auth login"
    ):
        push(model, "somebody/waves", licence="mit")


def test_scores_that_a_card_cannot_quote_are_refused(model, tmp_path):
    xr.Dataset({"bias": 0.0}).to_netcdf(tmp_path / "scores.nc")
    with pytest.raises(UserError, match=r"has none of the scores that a card quotes: rmse, acc"):
        push(model, "somebody/waves", licence="mit", scores=tmp_path)


def test_other_files_than_tensors_and_text_are_refused(repositories, model, tmp_path):
    repositories.add("somebody/evil", {**files_of(model), "modeling.py": b"import os"})
    with pytest.raises(UserError, match=r"holds 'modeling.py'; .* Nothing of it is used"):
        load_forecaster("hf:somebody/evil")
    assert not list((tmp_path / "cache").rglob("modeling.py"))


def test_damaged_weights_are_refused(repositories, model):
    files = files_of(model)
    files["weights.safetensors"] = files["weights.safetensors"][:-1] + b"x"
    repositories.add("somebody/waves", files)
    with pytest.raises(UserError, match="are not the weights that were written"):
        load_forecaster("hf:somebody/waves")


def test_names_and_revisions_that_are_not_there_are_said(repositories, model):
    with pytest.raises(UserError, match="there is no such model on the Hub, or it is private"):
        load_forecaster("hf:nobody/nothing")
    repositories.add("somebody/waves", files_of(model))
    with pytest.raises(UserError, match="the model has no revision 'old'"):
        load_forecaster("hf:somebody/waves@old")


@pytest.mark.parametrize("name", ["hf:waves", "hf:a/b/c", "hf:/b", "hf:a/b@"])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(UserError, match="expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION"):
        parse_hub_name(name)


def test_pushes_without_licence_with_a_revision_or_without_scores_are_refused(model, tmp_path):
    with pytest.raises(UserError, match="name it with --licence"):
        push(model, "somebody/waves")
    with pytest.raises(UserError, match="leave '@main' out"):
        push(model, "hf:somebody/waves@main", licence="mit")
    with pytest.raises(UserError, match=r"--scores .*: scores.nc cannot be read"):
        push(model, "somebody/waves", licence="mit", scores=tmp_path)


def test_the_command_pushes(repositories, model, monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["triton-earth", "push", str(model), "somebody/waves", "--licence", "mit"]
    )
    main()
    assert "model: hf:somebody/waves@" in capsys.readouterr().out
