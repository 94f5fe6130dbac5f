"""What is in the wheel: all that the package needs beside its code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_holds_recipes_and_data(tmp_path):
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "triton_earth"
    files = [
        path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    expected = {f"triton_earth/{path.relative_to(package)}" for path in files}
    expected |= {f"triton_earth/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml")}
    assert not expected - held
    assert {Path(name).suffix for name in expected} >= {".py", ".yaml", ".nc"}
    assert any("coast" in name and not name.endswith(".py") for name in held)
