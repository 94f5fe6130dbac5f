"""Objects that a user names by their place, as ``my_package.my_module:MyClass``."""

import importlib
import sys
from pathlib import Path
from typing import Any

from triton_earth.core.errors import UserError


def import_object(name: str, what: str, kind: str, example: str) -> Any:
    """Import what a user names as MODULE:OBJECT; modules in the current folder are found too.

    Importing runs code. Only what a user writes, in a recipe or on the command line, may be given here; what is read
    from a file must not choose what is imported.

    Args:
        name: Module and object.
        what: What it is to be, for the message.
        kind: What kind of object, in one word in capitals.
        example: How a right name looks.

    Raises:
        UserError: if the module or the object is not there.
    """
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"{what} '{name}': cannot be imported ({error}). Expected MODULE:{kind}, for example "
            f"{example}, of an installed package or of a file in the current folder."
        ) from error
