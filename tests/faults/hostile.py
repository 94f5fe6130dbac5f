"""Damaged and hostile inputs from a seeded generator, as commands with what must hold of their results."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from tests.builders import TINY_RECIPE
from tests.faults.verbs import FEW, FORECAST, MODEL, STORE, VERBS, assert_same, copy
from triton_earth.rollout.storage.forecast_store import ForecastStore

VALUES = (
    "1e300", "-1", "0", ".inf", ".nan", "9" * 30, "9" * 5000, "[" * 500, "{", "null", "''", "../..", "2001-99-99",
    "&a [*a]", "!!python/name:os.system", "\u2028", "1e-300", "true", "[[1]]", "{a: 1}", "x" * 300, "1000000000000",
)  # fmt: skip
PREPARED = (
    "title", "seed", "data.splits.train", "data.source.snapshots", "data.source.time_step", "data.source.warm_up",
    "data.source.grid", "data.source.seed", "data.batch_size", "data.source.kind", "data.splits",
)  # fmt: skip
TRAINED = (
    "model.network.spatial_hidden_dim", "model.network.num_spatial_layers", "model.history", "train.steps",
    "train.batch_size", "train.noise", "train.learning_rate", "train.loss", "train.curriculum", "train.memory_gb",
    "train.horizon", "train.init_from", "train.validation_leads", "model.network.name", "forecast.steps",
)  # fmt: skip
COMMON = {
    "--seed": ("-1", "9" * 30, "9" * 19),
    "--region": ("1:2", "nan:nan,nan:nan", "x" * 300, "-90:90,0:360"),
}
OF_FORECAST = {
    **COMMON,
    "--steps": ("0", "-1", "1000000000000", "x", "1e9"),
    "--members": ("0", "1000000000", "-3"),
    "--leads": ("1..1000000000000", "0", "5..1", "," * 50, "1/0"),
    "--perturb-size": ("inf", "nan", "1e300", "-1"),
    "--init": ("..", "9999999", "2001-99-99", "", "1..2..3", "nan"),
    "--variables": ("*", "nothing", "a" * 400, "["),
    "--stabilize": ("spectral_filter.strength=.inf", "x=1", "[" * 300, "range_clamp=null"),
    "--batch-size": ("0", "-1", "9" * 30),
    "--length": ("1e400d", "-1h", "forever", "0.3"),
}
OF_JUDGING = {
    **COMMON,
    "--resamples": ("0", "-1", "1", "1000000000000000", "x"),
    "--workers": ("0", "-1", "1000000"),
    "--title": ("</title><script>", "\u2028", "x" * 5000),
    "--weights": ("none", "cos", ""),
    "--climatology": ("/dev/null", "nowhere", "../inputs/grid.nc"),
}
PATHS = (
    "gs://bucket/x", "x" * 300, "hf:a/b", "s3://a/b", "..", ".", "/dev/null", "/proc/self/mem", "file", "link", "loop",
    "file/below", "a\nb", "", "/", "folder", "link/below", "a::b", "folder.partial", "\u2028",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """A command with an input that no one should give it.

    Attributes:
        words: The command.
        about: What is wrong with it.
        may_change: Names in its folder that even a refused command may change.
        same: Raises an AssertionError where a command that ends well has given something else than without.
    """

    words: list
    about: str
    may_change: set[str] = field(default_factory=set)
    same: Callable[[], None] = lambda: None


def damage(folder: Path, chance: random.Random) -> str:
    """Damage one file below a folder, in one of several ways, and say which and how."""
    path = chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    content = bytearray(path.read_bytes())
    how = chance.choice(["flip", "cut", "empty", "lose", "noise", "digit"])
    if how == "flip" and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del content[chance.randrange(len(content) + 1) :]
    elif how == "empty":
        content.clear()
    elif how == "noise":
        content[:] = chance.randbytes(len(content))
    elif how == "digit":
        digits = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
        if digits:
            content[chance.choice(digits)] = 48 + chance.randrange(10)
    path.unlink()
    if how != "lose":
        path.write_bytes(content)
    return f"{path.relative_to(folder.parent)}: {how}"


class Inputs:
    """Hostile inputs, made in folders beside the sound ones."""

    def __init__(self, given, whole) -> None:
        self._given, self._whole = given, whole
        self._unfinished: dict[str, Path] = {}
        self.kinds = [
            self.recipe, self.option, self.option, self.path, self.store, self.truth, self.run, self.forecast,
            self.forecaster, self.unfinished, self.source, self.text,
        ]  # fmt: skip

    def make(self, folder: Path, chance: random.Random) -> Hostile:
        """Make one of them in a folder."""
        (folder / "thesis.tex").write_text("of somebody else")
        return chance.choice(self.kinds)(folder, chance)

    def recipe(self, folder: Path, chance: random.Random) -> Hostile:
        key, value = chance.choice(PREPARED + TRAINED), chance.choice(VALUES)
        words = ["prepare", "turbulence_small", *TINY_RECIPE, f"{key}={value}", "--out", "out"]
        if chance.random() < 0.4:
            words = ["plan", "turbulence_small", *TINY_RECIPE, f"{key}={value}"]
        elif key in TRAINED:
            words = ["train", words[1], STORE, *words[2:-2], "--out", "out"]
        return Hostile(words, f"{key}={value[:40]}", {"out"} if words[0] == "train" else set())

    def option(self, folder: Path, chance: random.Random) -> Hostile:
        words, options = chance.choice(
            [
                (["forecast", MODEL, STORE, "--out", "out"], OF_FORECAST),
                (["evaluate", FORECAST, STORE, "--out", "out"], OF_JUDGING),
                (["compare", FORECAST, "../inputs/second.zarr", STORE, "--out", "out"], OF_JUDGING),
            ]
        )
        name = chance.choice(sorted(options))
        value = chance.choice(options[name])
        few = [] if words[0] == "forecast" or name == "--resamples" else FEW
        return Hostile([*words, *few, f"{name}={value}"], f"{name}={value[:40]}")

    def path(self, folder: Path, chance: random.Random) -> Hostile:
        (folder / "file").write_text("of somebody else")
        for name in ("folder", "folder.partial", "file.partial"):
            (folder / name).mkdir()
            (folder / name / "thesis.tex").write_text("of somebody else")
        (folder / "link").symlink_to("folder")
        (folder / "loop").symlink_to("loop")
        out, verb = (
            chance.choice(PATHS),
            chance.choice(["prepare", "forecast", "evaluate", "train", "export"]),
        )
        words = {
            "prepare": ["prepare", "turbulence_small", *TINY_RECIPE, "--out", out],
            "forecast": ["forecast", MODEL, STORE, "--out", out],
            "evaluate": ["evaluate", FORECAST, STORE, *FEW, "--out", out],
            "train": ["train", "turbulence_small", STORE, *TINY_RECIPE, "--out", out],
            "export": ["export-forecast", FORECAST, "--layout", "netcdf", "--out", out],
        }[verb]  # fmt: skip
        more = ["--overwrite"] if verb == "evaluate" else chance.choice(["--resume", "--overwrite"])
        words += [more] if isinstance(more, str) and chance.random() < 0.6 else []
        return Hostile(words, f"--out {out[:40]}")

    def store(self, folder: Path, chance: random.Random) -> Hostile:
        about = damage(copy(self._whole.folder / "inputs" / "s.zarr", folder / "copy.zarr"), chance)
        if chance.random() < 0.4:
            return Hostile(["inspect", "copy.zarr"], about)
        words = ["forecast", MODEL, "copy.zarr", "--out", "out"]
        return Hostile(words, about, same=self._same_forecast(folder))

    def truth(self, folder: Path, chance: random.Random) -> Hostile:
        about = damage(copy(self._whole.folder / "inputs" / "s.zarr", folder / "copy.zarr"), chance)
        words = ["evaluate", FORECAST, "copy.zarr", *FEW, "--out", "out"]
        return Hostile(words, about, same=self._same_scores(folder))

    def forecaster(self, folder: Path, chance: random.Random) -> Hostile:
        source = self._whole.folder / "inputs" / "run" / "forecaster"
        about = damage(copy(source, folder / "copy"), chance)
        words = ["forecast", "copy", STORE, "--out", "out"]
        return Hostile(words, about, same=self._same_forecast(folder))

    def forecast(self, folder: Path, chance: random.Random) -> Hostile:
        source = self._whole.folder / "inputs" / "fc.zarr"
        about = damage(copy(source, folder / "copy.zarr"), chance)
        words = ["evaluate", "copy.zarr", STORE, "--name", "fc", *FEW, "--out", "out"]
        return Hostile(words, about, same=self._same_scores(folder))

    def run(self, folder: Path, chance: random.Random) -> Hostile:
        source = self._whole.folder / "inputs" / "run"
        about = damage(copy(source, folder / "out"), chance)
        words = ["train", "turbulence_small", STORE, *TINY_RECIPE, "--out", "out"]

        def same() -> None:
            for name in ("forecaster", "forecaster_last"):
                one, other = (at / name / "weights.safetensors" for at in (folder / "out", source))
                assert one.read_bytes() == other.read_bytes()

        return Hostile([*words, "--resume"], about, {"out"}, same)

    def unfinished(self, folder: Path, chance: random.Random) -> Hostile:
        name = chance.choice(["prepare simulated", "prepare gridded", "forecast"])
        if name not in self._unfinished:
            place = self._whole.folder / f"unfinished_{name.replace(' ', '_')}"
            place.mkdir()
            moment = int(0.7 * self._whole.of(name)[1].operations)
            VERBS[name].run(self._given, place, how={"moment": moment})
            self._unfinished[name] = place / "out.partial"
        partial = copy(self._unfinished[name], folder / "out.partial")
        about = damage(partial, chance)
        words = [*VERBS[name].words, "--out", "out", "--resume"]
        whole = self._whole.of(name)[0]
        return Hostile(
            words, about, {"out", "out.partial"}, lambda: assert_same(folder / "out", whole)
        )

    def source(self, folder: Path, chance: random.Random) -> Hostile:
        """NetCDF values have no checksums: only the end of the command is looked at."""
        inputs = self._whole.folder / "inputs"
        text = (inputs / "grid.yaml").read_text()
        if chance.random() < 0.5:
            (folder / "source").mkdir()
            shutil.copy(inputs / "grid.nc", folder / "source" / "grid.nc")
            where = "source/grid.nc"
        else:
            with xr.open_dataset(inputs / "grid.nc") as data:
                zarr_format = chance.choice([2, 3])
                data.load().drop_encoding().to_zarr(
                    folder / "source" / "grid.zarr",
                    zarr_format=zarr_format,
                    consolidated=zarr_format == 2,
                )
            where = "source/grid.zarr"
        about = damage(folder / "source", chance)
        (folder / "grid.yaml").write_text(text.replace("../inputs/grid.nc", where))
        words = (
            ["inspect", where]
            if chance.random() < 0.3
            else ["prepare", "grid.yaml", "--out", "out"]
        )
        return Hostile(words, about)

    def text(self, folder: Path, chance: random.Random) -> Hostile:
        """A recipe or a bench as a file with some bytes changed."""
        name = chance.choice(["grid.yaml", "bench.yaml"])
        shutil.copy(self._whole.folder / "inputs" / name, folder / name)
        (folder / "texts").mkdir()
        (folder / name).rename(folder / "texts" / name)
        about = damage(folder / "texts", chance)
        words = ["prepare", f"texts/{name}", "--out", "out"]
        if name == "bench.yaml":
            words = ["bench", f"texts/{name}", "--out", "out"]
        return Hostile(words, about, {"out"} if name == "bench.yaml" else set())

    def _same_forecast(self, folder: Path) -> Callable[[], None]:
        def same() -> None:
            whole = ForecastStore.open(self._whole.of("forecast")[0])
            made = ForecastStore.open(folder / "out")
            for lead in range(len(whole.lead_times)):
                np.testing.assert_array_equal(
                    made.read(slice(None), lead), whole.read(slice(None), lead)
                )

        return same

    def _same_scores(self, folder: Path) -> Callable[[], None]:
        def same() -> None:
            paths = (folder / "out", self._whole.of("evaluate stored")[0])
            ours, theirs = (xr.load_dataset(path / "scores.nc").drop_attrs() for path in paths)
            shared = [name for name in theirs.data_vars if name in ours]
            assert shared
            for name in shared:
                np.testing.assert_array_equal(ours[name].values, theirs[name].values, str(name))

        return same
