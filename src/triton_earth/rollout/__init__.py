"""Time, once: the rollout and what consumes it into files.

The package has the name of its function, and calling it calls the function: ``triton_earth.rollout(model, …)`` is
`triton_earth.rollout.rollout.rollout`, whichever of the two was imported first.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that stands for the function of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from triton_earth.rollout.rollout import rollout

        return rollout(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
