"""The small data that comes with the package."""

import importlib.resources
from pathlib import Path

SHIPPED = "shipped:"


def shipped_data() -> dict[str, Path]:
    """Return the data that comes with the package, by name."""
    folder = Path(str(importlib.resources.files("triton_earth.data"))) / "embedded"
    return {file.stem: file for file in sorted(folder.glob("*.nc"))}
