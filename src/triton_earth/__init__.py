"""Triton Earth: trains, runs and judges AI forecasts of the Earth system over very long rollouts.

All that a script or notebook needs is here by name; `docs/api.md` lists it. A name is imported when it is first used:
importing the package loads neither torch nor xarray.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "prepare": "triton_earth.workflow.prepare",
    "plan": "triton_earth.workflow.plan",
    "train": "triton_earth.workflow.train",
    "forecast": "triton_earth.workflow.forecast",
    "evaluate": "triton_earth.workflow.evaluate",
    "compare": "triton_earth.workflow.evaluate",
    "inspect": "triton_earth.workflow.inspect",
    "load_recipe": "triton_earth.workflow.recipes.recipe",
    "open_store": "triton_earth.workflow.opening",
    "open_forecast": "triton_earth.workflow.opening",
    "load_scores": "triton_earth.workflow.opening",
    "forecasts_from_xarray": "triton_earth.evaluation.foreign.forecasts",
    "load_forecaster": "triton_earth.models.checkpoint",
    "export": "triton_earth.exchange.export_model",
    "verdict": "triton_earth.evaluation.verdict.verdict",
    "rollout": "triton_earth.rollout.rollout",
    "register_network": "triton_earth.models.registry:register",
    "State": "triton_earth.core.state",
    "Variable": "triton_earth.core.variables",
    "Variables": "triton_earth.core.variables",
    "LatLonGrid": "triton_earth.core.grid",
    "PeriodicGrid": "triton_earth.core.grid",
    "Region": "triton_earth.core.region",
    "Forecaster": "triton_earth.models.base",
    "UserError": "triton_earth.core.errors",
    "Triton": "triton_earth.models.triton",
}
"""The module that each public name lives in, and after a colon its name there where that is another."""

__all__ = [  # noqa: RUF022 (in the order of the documentation)
    "prepare", "plan", "train", "forecast", "forecasts_from_xarray", "evaluate", "compare", "inspect",
    "load_recipe", "open_store", "open_forecast", "load_scores", "load_forecaster",
    "export", "rollout", "register_network", "verdict",
    "State", "Variable", "Variables", "LatLonGrid", "PeriodicGrid", "Region", "Forecaster", "UserError", "Triton",
]  # fmt: skip

if TYPE_CHECKING:
    from triton_earth.core.errors import UserError
    from triton_earth.core.grid import LatLonGrid, PeriodicGrid
    from triton_earth.core.region import Region
    from triton_earth.core.state import State
    from triton_earth.core.variables import Variable, Variables
    from triton_earth.evaluation.foreign.forecasts import forecasts_from_xarray
    from triton_earth.evaluation.verdict.verdict import verdict
    from triton_earth.exchange.export_model import export
    from triton_earth.models.base import Forecaster
    from triton_earth.models.checkpoint import load_forecaster
    from triton_earth.models.registry import register as register_network
    from triton_earth.models.triton import Triton
    from triton_earth.rollout.rollout import rollout
    from triton_earth.workflow.evaluate import compare, evaluate
    from triton_earth.workflow.forecast import forecast
    from triton_earth.workflow.inspect import inspect
    from triton_earth.workflow.opening import load_scores, open_forecast, open_store
    from triton_earth.workflow.plan import plan
    from triton_earth.workflow.prepare import prepare
    from triton_earth.workflow.recipes.recipe import load_recipe
    from triton_earth.workflow.train import train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'triton_earth' has no attribute '{name}'")
    module, _, own = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), own or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
