"""Models that come with the package, one for each task's small data, with the scores of their training."""

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triton_earth.core.outputs.files import read_json

CARD = "card.json"


@dataclass(frozen=True)
class ShippedModel:
    """A model that comes with the package.

    Attributes:
        name: What `load_forecaster` and the command line call it.
        folder: Where it is.
        card: What is said of it: `task`, `recipe` (of the data that it is judged by), `commands`, `parameters`,
            `scores` (each with `value`, `units`, `what`), `limits`.
    """

    name: str
    folder: Path
    card: dict[str, Any]

    @property
    def megabytes(self) -> float:
        """Size of its files in MB."""
        return sum(file.stat().st_size for file in self.folder.iterdir()) / 1e6

    def describe(self) -> str:
        """Return name, task, size and how much smaller its first step's errors are than persistence's, in a line."""
        first = [row for row in self.card["scores"] if row["name"] == "rmse" and row["step"] == 1]
        ratios = [row["value"] / row["persistence"] for row in first]
        skill = ""
        if ratios:
            least, most = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
            span = least if least == most else f"{least} to {most}"
            skill = f"RMSE of step 1 is {span} of persistence's"
        size = f"{self.card['parameters']:,} parameters, {self.megabytes:.1f} MB"
        return f"{self.name:20s} {self.card['task']}, {size}; {skill}"


def shipped_models() -> dict[str, ShippedModel]:
    """Return the models that come with the package, by name."""
    folder = Path(str(importlib.resources.files("triton_earth"))) / "zoo"
    return {
        path.parent.name: ShippedModel(path.parent.name, path.parent, read_json(path, "card"))
        for path in sorted(folder.glob(f"*/{CARD}"))
    }
