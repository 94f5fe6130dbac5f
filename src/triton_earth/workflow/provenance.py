"""Provenance: what every result says about how it was made."""

import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import triton_earth


def provenance(**facts: Any) -> dict[str, Any]:
    """Return the given facts together with the command, versions and machine.

    The same command on the same machine gives the same provenance, so it holds no date.
    """
    return {
        **facts,
        "command": _command(),
        "versions": {
            "triton_earth": triton_earth.__version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("torch", "numpy", "xarray", "zarr")},
        },
        "machine": {
            "platform": platform.system(),
            "processor": platform.machine(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def _command() -> str:
    """Return the command line, without the options that say what to do about an existing output."""
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--overwrite")]
    return " ".join(["triton-earth", *words])


def command_line(
    verb: str,
    arguments: Sequence[Path],
    options: Mapping[str, object],
) -> str:
    """Return a command as a shell reads it.

    Args:
        verb: Name of the command.
        arguments: Its arguments.
        options: Values of its options by name; None, False and empty ones are left out, of a sequence each value is
            given in turn.
    """
    words = ["triton-earth", verb, *map(str, arguments)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        for one in values:
            # With an equals sign, as a region may begin with a minus.
            words += [f"--{name}={one}"] if str(one).startswith("-") else [f"--{name}", str(one)]
    return shlex.join(words)
