"""What `import triton_earth` gives: quickly, without torch and xarray, with real names for type checkers."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import triton_earth
from tests.builders import random_state
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.models.reference import Persistence
from triton_earth.models.triton import Triton

ROOT = Path(__file__).parents[2]

MEASURED = """
import sys, time
start = time.perf_counter()
import triton_earth
print(time.perf_counter() - start)
print([name for name in ("torch", "xarray", "numpy", "pydantic") if name in sys.modules])
"""


def test_importing_is_quick_and_loads_no_library():
    runs = [
        subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    seconds = [float(run.stdout.splitlines()[0]) for run in runs]
    assert min(seconds) < 0.15
    assert {run.stdout.splitlines()[1] for run in runs} == {"[]"}


def test_every_public_name_is_there():
    assert set(triton_earth.__all__) == set(triton_earth._HOMES)
    assert triton_earth.Triton is Triton
    for name in triton_earth.__all__:
        assert callable(getattr(triton_earth, name)), name
    assert set(triton_earth.__all__) <= set(dir(triton_earth))


def test_type_checkers_see_every_name():
    tree = ast.parse(Path(triton_earth.__file__).read_text(encoding="utf-8"))
    (typing_only,) = [
        node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node)
    ]
    seen = {alias.asname or alias.name for node in typing_only.body for alias in node.names}
    assert seen == set(triton_earth.__all__)
    assert (Path(triton_earth.__file__).parent / "py.typed").is_file()


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'triton_earth' has no attribute 'foercast'"):
        triton_earth.foercast  # noqa: B018


def test_the_package_of_the_rollout_can_be_called_as_the_function():
    grid, variables = PeriodicGrid(3, 4), Variables((VORTICITY,))
    held = Persistence(variables, grid, 0.1)
    state = random_state(grid, variables)
    assert len(list(triton_earth.rollout(held, state, None, steps=3))) == 3
    from triton_earth.rollout.storage import writer

    assert writer.write_forecast
    with pytest.raises(triton_earth.UserError, match="at least one step; found 0"):
        next(triton_earth.rollout(held, state, None, steps=0))


@pytest.fixture(scope="module")
def api_page():
    specification = importlib.util.spec_from_file_location("api_page", ROOT / "scripts/api_page.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_docstrings(api_page):
    there = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert there == api_page.page(), "run: python scripts/api_page.py"


def test_every_public_name_has_an_example_that_runs(api_page, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for section in page.split("\n## ")[1:]:
        assert api_page.examples(section), section.splitlines()[0]
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for example in api_page.examples(page):
        exec(compile(example, "docs/api.md", "exec"), session)
    assert session["message"].startswith("nowhere.zarr: there is no training store")
    # The README's is for a larger store.
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## In Python")[2]
    code = api_page.examples(readme)[0].replace("[60]", "[6]").replace("steps=99", "steps=5")
    exec(compile(code, "README.md", "exec"), shown := {})
    assert shown["forecast"].sizes["lead_time"] == 5
    assert shown["fields"]["vorticity"].dims == ("batch", "time", "y", "x")
    assert "rmse" in shown["scores"]
