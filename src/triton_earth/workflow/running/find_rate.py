"""`triton-earth plan --find-rate`: which learning rate a recipe bears."""

from pathlib import Path

from triton_earth.core.processes.workers import torch_threads
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.training.optimization.rate_finder import RateScan, scan_rates
from triton_earth.training.parallel.distributed import ALONE
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.recipes.recipe import load_recipe
from triton_earth.workflow.running.start import initial_forecaster, start_of
from triton_earth.workflow.running.training_windows import training_windows


def find_rate(
    recipe: str | Path, store: str | Path, overrides: list[str] | None = None, steps: int = 100
) -> RateScan:
    """Train for a few steps while the learning rate rises, and see where the loss falls; nothing is written.

    Args:
        recipe: Recipe file, or name of a shipped recipe.
        store: Training store.
        overrides: Dotted assignments to the recipe.
        steps: Steps of the scan.

    Raises:
        UserError: if recipe and store do not fit.
    """
    resolved = load_recipe(recipe, overrides)
    data = TrainingStore.open(store)
    windows = training_windows(resolved, data.segments, ALONE).training
    training = ForecastDataset(data, windows, resolved.model.history, resolved.train.memory_gb)
    with torch_threads(resolved.train.threads):
        forecaster = initial_forecaster(resolved, data, start_of(resolved, data))
        forecaster.network.to(resolve_device(resolved.train.device))
        return scan_rates(forecaster, training, resolved.train, resolved.seed, steps)
