"""The folder of a bench: what is where, and what is refused because it belongs to another."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from triton_earth.bench.budget import Cost
from triton_earth.bench.config import BenchConfig
from triton_earth.core.config import read_yaml
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import read_json, write_json, write_text

BENCH, STORE, RESULTS, TABLE, REPORT = (
    "bench.yaml",
    "truth.zarr",
    "results.json",
    "table.md",
    "report",
)
GROWING = ("title", "variants", "seeds")
"""Keys that may change between starts; variants and seeds that are there already stay as they are."""


class BenchFolder:
    """Paths and rows of a bench.

    Attributes:
        path: The folder.
        config: What is compared.
    """

    def __init__(self, path: Path, config: BenchConfig) -> None:
        self.path, self.config = path, config

    @property
    def store(self) -> Path:
        """The training store."""
        return self.config.store or self.path / STORE

    def variant(self, variant: str) -> Path:
        """Folder of a variant: its trials, runs and what is known of it."""
        return self.path / "variants" / variant

    def trial(self, variant: str, rate: float) -> Path:
        """Run folder of a trial of a learning rate."""
        return self.variant(variant) / f"rate {rate:g}"

    def run(self, variant: str, seed: int) -> Path:
        """Folder of a run: training, forecasts, scores, row."""
        return self.variant(variant) / f"seed {seed}"

    def claim(self) -> None:
        """Make the folder, or go on with the bench that is in it.

        Raises:
            UserError: if it is no folder of a bench, or of another one.
        """
        file = self.path / BENCH
        wanted = self.config.model_dump(mode="json")
        if file.is_file():
            before = BenchConfig.parse(
                read_yaml(file), str(file)
            )  # of an older version: with defaults
            self._require_same(before.model_dump(mode="json"), wanted)
        elif self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir())):
            raise UserError(
                f"{self.path} exists already and is no folder of a bench (no {BENCH}). Choose another folder."
            )
        write_text(file, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True))

    def _require_same(self, before: dict[str, Any], wanted: dict[str, Any]) -> None:
        differing = [key for key in wanted if key not in GROWING and before.get(key) != wanted[key]]
        kept = before.get("variants", {})
        differing += [
            f"variants.{name}"
            for name, changes in wanted["variants"].items()
            if name in kept and kept[name] != changes
        ]
        if differing:
            raise UserError(
                f"{self.path} is the folder of another bench: its '{differing[0]}' differs. Choose another folder, or "
                f"give back what {BENCH} there says."
            )

    def read_row(self, path: Path) -> dict[str, Any] | None:
        """Return the record of a variant or run; None while there is none."""
        file = path / "row.json"
        return read_json(file, "row of a bench") if file.is_file() else None

    def write_row(self, path: Path, row: dict[str, Any]) -> None:
        """Keep the record of a variant or run."""
        write_json(path / "row.json", row)

    def cost(self, variant: str) -> Cost | None:
        """Return the cost of a variant's step, if it is measured."""
        file = self.variant(variant) / "cost.json"
        return Cost(**read_json(file, "cost of a variant")) if file.is_file() else None

    def write_cost(self, variant: str, cost: Cost) -> None:
        """Keep the cost of a variant's step."""
        write_json(self.variant(variant) / "cost.json", asdict(cost))
