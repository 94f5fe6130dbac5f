"""Rules about the code itself: layers, dangerous calls, length, and that importing does nothing."""

import ast
import builtins
import re
import subprocess
import symtable
import sys
from functools import cache
from pathlib import Path

import jaxtyping
import pytest
import torch

import triton_earth
from triton_earth.physics.spectral import resample

PACKAGE = Path(triton_earth.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    "core",
    "physics",
    "data",
    "layers",
    "models",
    "rollout",
    "evaluation",
    "training",
    "plots",
    "interop",
    "workflow",
    "options",
    "bench",
    "exchange",
    "listings",
    "ending",
    "cli",
]
ONLY = {"layers": {"core", "layers"}, "physics": {"core", "physics"}}
"""Layers that know even less than what is below them."""
MOST_IN_A_ROOM = 17
NAN_IS_ZERO = {"rollout/guard/state_statistics.py"}
"""Where NaN may count as zero: in a diagnosis of a broken state, never in a state."""


def name(path):
    return str(path.relative_to(PACKAGE))


def layer(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_layers(tree):
    """Yield the layer and line of every import of ours, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            parts = target.split(".")
            if parts[0] == "triton_earth" and len(parts) > 1 and parts[1] in LAYERS:
                yield parts[1], node.lineno


@pytest.fixture(params=MODULES, ids=name)
def module(request):
    return request.param


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture
def tree(module):
    return parsed(module)


def test_a_room_is_not_crowded():
    rooms = {path.parent for path in MODULES}
    sizes = {name(room): len(list(room.glob("[!_]*.py"))) for room in rooms}
    assert {room: size for room, size in sizes.items() if size > MOST_IN_A_ROOM} == {}


def test_every_folder_is_a_layer():
    found = {layer(path) for path in MODULES} - {"__init__", "__main__"}
    assert found == set(LAYERS)


def test_imports_point_downwards(module, tree):
    if layer(module) not in LAYERS:
        return
    below = LAYERS[: LAYERS.index(layer(module)) + 1]
    allowed = ONLY.get(layer(module), set(below))
    upwards = [(line, found) for found, line in imported_layers(tree) if found not in allowed]
    assert upwards == []


def calls(tree):
    """Yield the last name of everything that is called, with its node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield getattr(function, "attr", getattr(function, "id", None)), node


def test_nothing_dangerous_is_called(module, tree):
    for function, node in calls(tree):
        where = f"{name(module)}:{node.lineno}"
        assert function != "nan_to_num" or name(module) in NAN_IS_ZERO, where
        assert getattr(node.func, "id", None) not in ("eval", "exec"), where
        if function in ("load", "loads", "Unpickler"):
            owner = getattr(getattr(node.func, "value", None), "id", None)
            assert owner not in ("pickle", "marshal", "joblib", "dill"), where
        for keyword in node.keywords:
            value = getattr(keyword.value, "value", None)
            assert not (keyword.arg == "weights_only" and value is not True), where
            assert not (keyword.arg == "allow_pickle" and value is not False), where
        if function == "load" and getattr(getattr(node.func, "value", None), "id", "") == "torch":
            assert any(keyword.arg == "weights_only" for keyword in node.keywords), where


def test_only_the_command_line_prints(module, tree):
    if layer(module) == "cli":
        return
    assert [node.lineno for function, node in calls(tree) if function == "print"] == []


def test_no_error_is_swallowed(module, tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            if (layer(module), caught) == ("ending", "Exception"):
                continue  # the last net: one line, an exit code, and the traceback in a file
            assert caught not in ("", "Exception", "BaseException"), f"{module}:{node.lineno}"


def test_every_name_is_imported_by_name(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert [alias.name for alias in node.names] != ["*"]


def undefined_names(source):
    """Return names that code reads and nobody defines; shape strings keep linters from this check."""
    whole = symtable.symtable(source, "source", "exec")
    defined = {
        symbol.get_name()
        for symbol in whole.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    read, tables = set(), [whole]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            bound = symbol.is_assigned() or symbol.is_parameter() or symbol.is_imported()
            if symbol.is_declared_global() and symbol.is_assigned():
                defined.add(symbol.get_name())
            elif symbol.is_referenced() and not bound and not symbol.is_free():
                read.add(symbol.get_name())
    return sorted(read - defined - set(dir(builtins)) - {"__file__", "__name__", "__path__"})


def test_every_name_is_defined(module):
    assert undefined_names(module.read_text(encoding="utf-8")) == []


def test_names_that_are_nowhere_defined_are_found():
    source = "import os\ndef f(x):\n    return os.sep, sync_all(x), len(x), [y for y in g]\n"
    assert undefined_names(source) == ["g", "sync_all"]


def test_no_module_is_too_long(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 450


def public_definitions(node, prefix=""):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            overloads = any(ast.unparse(one) == "overload" for one in child.decorator_list)
            if child.name.startswith("_") or overloads:
                continue
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child, f"{child.name}.")


def test_everything_public_is_documented(tree):
    assert ast.get_docstring(tree), "the module itself"
    missing = [found for found, node in public_definitions(tree) if not ast.get_docstring(node)]
    assert missing == []


IMPORT_ALL = """
import os, sys, warnings
warnings.simplefilter("error")
import matplotlib, torch, random, numpy, logging
import netCDF4, PIL, pydantic, rich.progress, safetensors.torch, typer, xarray, yaml, zarr
before = (
    dict(matplotlib.rcParams), torch.get_num_threads(), torch.get_default_dtype(),
    torch.random.initial_seed(), random.getstate(), str(numpy.random.get_state()),
    dict(os.environ), os.getcwd(), list(logging.getLogger().handlers),
)
import importlib
for module in {modules}:
    importlib.import_module(module)
after = (
    dict(matplotlib.rcParams), torch.get_num_threads(), torch.get_default_dtype(),
    torch.random.initial_seed(), random.getstate(), str(numpy.random.get_state()),
    dict(os.environ), os.getcwd(), list(logging.getLogger().handlers),
)
assert before == after, [n for n, (a, b) in enumerate(zip(before, after)) if a != b]
assert "pyplot" not in str([m for m in sys.modules if m.startswith("matplotlib.pyplot")])
"""


def test_importing_does_nothing(tmp_path):
    modules = [
        ".".join(("triton_earth", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
    ]
    program = IMPORT_ALL.format(modules=modules)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_checks_see_what_they_look_for():
    tree = ast.parse(
        "def f():\n    from triton_earth.workflow.train import train\n    import triton_earth.plots.page"
    )
    assert [found for found, _ in imported_layers(tree)] == ["workflow", "plots"]
    assert [found for found, _ in calls(ast.parse("np.nan_to_num(print(x))"))] == [
        "nan_to_num",
        "print",
    ]


def test_tests_lie_in_the_rooms_of_what_they_test():
    unit = ROOT / "tests" / "unit"
    rooms = {file.parent.relative_to(unit) for file in unit.rglob("test_*.py")}
    assert [str(room) for room in sorted(rooms) if not (PACKAGE / room).is_dir()] == []


def test_every_decision_has_a_number_of_its_own():
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for number, page in zip(numbers, pages, strict=True):
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. "), page.name


def test_every_link_of_the_pages_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_shapes_are_checked_in_the_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        resample(torch.zeros(8), (4, 4))
