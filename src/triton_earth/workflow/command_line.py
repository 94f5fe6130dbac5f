"""The command that makes a result again."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path


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
