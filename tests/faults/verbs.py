"""Each verb that writes, as a command that takes few seconds; all outputs of commands that nobody disturbed."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
import zarr
from safetensors.torch import save_file

from tests import gridded
from tests.builders import TINY_RECIPE, files_below
from tests.faults.commands import Commands, Ended, start_pair
from tests.unit.exchange.test_convert import original_network, original_weights
from triton_earth.training.checkpoint import NAME, PREVIOUS, read_training_state

LONGER = [*TINY_RECIPE, "data.batch_size=1", "train.steps=40", "train.validate_every=5"]
"""Small, but with many operations on the file system, so that there are many moments to die at."""
TRAIN = ["train", "turbulence_small", "../inputs/s.zarr", *LONGER]
MODEL, STORE, FORECAST = "../inputs/run", "../inputs/s.zarr", "../inputs/fc.zarr"
FEW = ["--resamples", 5]
SMALL_BENCH = {
    "title": "one network",
    "recipe": "turbulence_small",
    "overrides": {
        "train.batch_size": 4,
        "train.device": "cpu",
        "forecast.steps": 5,
        "train.noise": 0,
    },
    "store": STORE,
    "variants": {"plain": {"model.network": {"name": "resnet", "width": 4, "blocks": 1}}},
    "seeds": [0],
    "budget": {"samples": 40},
    "leads": [1],
}

VOLATILE = "the last column of log.csv (samples per second)"
"""All that differs between two undisturbed runs. Of training states values are compared: pickle writes the same values
in other bytes once they have been read back."""


@dataclass(frozen=True)
class Verb:
    """A command without its --out.

    Attributes:
        words: Of the command line.
        resumes: Whether it goes on with --resume; else it starts again by itself.
        processes: How many processes are started.
    """

    words: list
    resumes: bool = True
    processes: int = 1

    def start(self, given: Commands, folder: Path, *options, how=None, out="out"):
        """Start it in a folder, beside the inputs; returns all that was started."""
        words = [*self.words, "--to" if self.words[0] == "convert" else "--out", out, *options]
        if self.processes == 1:
            return [given.start(folder, *words, **(how or {}))]
        return start_pair(given, folder, *words, how=(how or {}, {}))

    def run(self, given: Commands, folder: Path, *options, how=None, out="out") -> list[Ended]:
        """Run it and wait for the end of all its processes."""
        return [one.end() for one in self.start(given, folder, *options, how=how, out=out)]


VERBS = {
    "prepare simulated": Verb(["prepare", "turbulence_small", *LONGER]),
    "prepare gridded": Verb(["prepare", "../inputs/grid.yaml"]),
    "prepare in 2 workers": Verb(["prepare", "../inputs/grid.yaml", "--workers", 2]),
    "train 1 step": Verb(TRAIN),
    "train 3 steps": Verb([*TRAIN, "train.horizon=3", "train.steps=20"]),
    "train in 2 processes": Verb([*TRAIN, "train.steps=20"], processes=2),
    "forecast": Verb(["forecast", MODEL, STORE, "--batch-size", 1]),
    "forecast 3 members": Verb(["forecast", MODEL, STORE, "--members", 3, "--batch-size", 2]),
    "evaluate stored": Verb(["evaluate", FORECAST, STORE, *FEW], resumes=False),
    "evaluate live": Verb(["evaluate", MODEL, STORE, "--steps", 5, *FEW], resumes=False),
    "compare": Verb(["compare", FORECAST, "../inputs/second.zarr", STORE, *FEW], resumes=False),
    "export-forecast": Verb(["export-forecast", FORECAST, "--layout", "netcdf"]),
    "convert": Verb(
        ["convert", "../inputs/official.safetensors", "--shape", "16x16"], resumes=False
    ),
}
"""All that is killed."""
BENCH = Verb(["bench", "../inputs/bench.yaml"], resumes=False)
"""Its rows say how long they took: no two are alike."""


def make_inputs(folder: Path, store: Path, run: Path, forecast: Path) -> None:
    """Collect what the verbs read in `folder`/inputs."""
    inputs = folder / "inputs"
    inputs.mkdir()
    gridded.write(inputs / "grid.nc", gridded.dataset(41))
    (inputs / "grid.yaml").write_text(yaml.safe_dump(gridded.recipe_values("../inputs/grid.nc")))
    (inputs / "bench.yaml").write_text(yaml.safe_dump(SMALL_BENCH))
    save_file(original_weights(original_network(1, 1, 1)), inputs / "official.safetensors")
    for name, source in {"s.zarr": store, "run": run, "fc.zarr": forecast}.items():
        copy(source, inputs / name)
    second = copy(forecast, inputs / "second.zarr")
    array: Any = zarr.open_group(second, mode="r+")["vorticity"]
    array[...] = 1.01 * array[...]


def content(folder: Path) -> dict[str, object]:
    """What has to be the same of an output: all files and folders, byte by byte but for `VOLATILE`."""
    found: dict[str, object] = dict(files_below(folder))
    for name in (NAME, PREVIOUS):
        if name in found:
            found[name] = _plain(read_training_state(folder / name))
    if "log.csv" in found:
        lines = (folder / "log.csv").read_bytes().splitlines()
        found["log.csv"] = [line.rsplit(b",", 1)[0] for line in lines]
    return found


def assert_same(ours: Path, theirs: Path) -> None:
    """Fail unless two outputs have the same files with the same bits."""
    one, other = content(ours), content(theirs)
    assert one.keys() == other.keys(), sorted(one.keys() ^ other.keys())
    for name in one:
        assert one[name] == other[name], name


def assert_alone(folder: Path, *names: str) -> None:
    """Fail if there is more in a folder than these: nothing hidden is left either."""
    assert {path.name for path in folder.iterdir()} == set(names)


def copy(source: Path, target: Path) -> Path:
    """Copy a folder."""
    return Path(shutil.copytree(source, target))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value
