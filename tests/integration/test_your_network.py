"""Networks of others: by a file beside the recipe, by an installed package, and never by a checkpoint."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.builders import TINY_RECIPE
from triton_earth.cli import app
from triton_earth.core.errors import UserError
from triton_earth.models import registry
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.workflow.forecast import forecast
from triton_earth.workflow.train import train

PAGE = Path(__file__).parents[2] / "docs" / "your_network.md"
NAME = "my_network:ResidualConfig"
OTHERS = [one for one in TINY_RECIPE if "network" not in one]


@pytest.fixture
def without_networks(monkeypatch):
    """Nothing but the package's own networks, as in a new process."""
    ours = {
        name: config
        for name, config in registry._CONFIGS.items()
        if config.__module__.startswith("triton_earth.")
    }
    monkeypatch.setattr(registry, "_CONFIGS", ours)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_network", raising=False)
    yield ours
    sys.modules.pop("my_network", None)


@pytest.fixture
def example(tmp_path, monkeypatch, without_networks):
    """The page's example as a file in the current folder."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len(code.splitlines()) <= 60
    (tmp_path / "my_network.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return without_networks


def test_the_example_of_the_page_trains_and_forecasts(example, tiny_store, tmp_path):
    network = f'model.network={{name: "{NAME}", width: 6, depth: 2}}'
    model = train("turbulence_small", tiny_store, tmp_path / "run", [*OTHERS, network])
    assert model.config.network.width == 6
    assert json.loads((tmp_path / "run/forecaster/forecaster.json").read_text())["model"][
        "network"
    ] == {"name": NAME, "width": 6, "depth": 2}
    assert registry.origins()[NAME] == NAME

    example.pop(NAME)  # as in a new process
    with pytest.raises(UserError, match="A checkpoint does not choose what is imported"):
        load_forecaster(tmp_path / "run")
    with pytest.raises(UserError, match=f"name it yourself with --network {NAME}"):
        forecast(tmp_path / "run", tiny_store, tmp_path / "forecast.zarr")
    stored = forecast(tmp_path / "run", tiny_store, tmp_path / "forecast.zarr", network=NAME)
    assert stored.variables.names == ["vorticity"]


def test_a_checkpoint_imports_nothing(example, tiny_run, tmp_path):
    folder = tmp_path / "stranger"
    folder.mkdir()
    for file in (tiny_run / "forecaster").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    told = json.loads((folder / "forecaster.json").read_text())
    told["model"]["network"] = {"name": "this:Anything"}
    (folder / "forecaster.json").write_text(json.dumps(told))
    program = (
        "import sys, triton_earth\n"
        "try:\n    triton_earth.load_forecaster('stranger')\n"
        "except triton_earth.UserError as error:\n    print('refused', 'this' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("refused False\n", 0), done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nowhere_to_be_found:Config", r"cannot be imported \(No module named"),
        ("my_network:Missing", r"cannot be imported \(module 'my_network' has no attribute"),
        ("my_network:", "cannot be imported"),
        ("my_network:ResidualConvolutions", "expected a subclass of .*NetworkConfig, found"),
    ],
)
def test_what_is_no_network_is_refused(name, text, example):
    with pytest.raises(UserError, match=text):
        registry.import_network(name)


def test_an_installed_package_offers_networks(monkeypatch, example):
    def entries(group):
        assert group == "triton_earth.networks"
        return [
            metadata.EntryPoint("residual", NAME, group),
            metadata.EntryPoint("broken", "nowhere_to_be_found:Config", group),
        ]

    monkeypatch.setattr(registry.metadata, "entry_points", entries)
    monkeypatch.syspath_prepend(".")
    assert {"broken", "residual", "triton"} <= set(registry.list_networks())
    assert registry.create({"name": "residual", "width": 3}).width == 3
    with pytest.raises(UserError, match="network 'broken': its entry point cannot be imported"):
        registry.create({"name": "broken"})
    listed = CliRunner().invoke(app, ["models"]).output
    assert re.search(rf"^residual +{NAME} ", listed, re.MULTILINE)
    assert re.search(r"^triton +triton_earth +Triton: ", listed, re.MULTILINE)
