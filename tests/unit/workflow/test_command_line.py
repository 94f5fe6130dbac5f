import shlex
from pathlib import Path

from triton_earth.workflow.provenance import command_line


def test_a_shell_reads_what_was_given():
    options = {
        "out": Path("my scores"),
        "title": "It's warm",
        "region": "-30:30,0:360",
        "name": ["a", "b"],
        "dask": None,
        "seed": 0,
    }
    words = shlex.split(command_line("compare", [Path("a.zarr"), Path("b.zarr")], options))
    assert words == [
        *("triton-earth", "compare", "a.zarr", "b.zarr", "--out", "my scores"),
        *("--title", "It's warm", "--region=-30:30,0:360", "--name", "a", "--name", "b"),
        *("--seed", "0"),
    ]
