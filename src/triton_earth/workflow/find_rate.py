"""`triton-earth plan --find-rate`: which learning rate a recipe bears."""

from pathlib import Path

from triton_earth.core.threads import torch_threads
from triton_earth.data.store import TrainingStore
from triton_earth.data.windows import require_batch
from triton_earth.training.rate_finder import RateScan, scan_rates
from triton_earth.workflow.device import resolve_device
from triton_earth.workflow.recipe import load_recipe
from triton_earth.workflow.train import initial_forecaster, split_dataset


def find_rate(
    recipe: str | Path, store: Path, overrides: list[str] | None = None, steps: int = 100
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
    training = split_dataset(resolved, data, "train", resolved.window)
    require_batch(len(training), resolved.train.batch_size)
    with torch_threads(resolved.train.threads):
        forecaster, _ = initial_forecaster(resolved, data)
        forecaster.network.to(resolve_device(resolved.train.device))
        return scan_rates(forecaster, training, resolved.train, resolved.seed, steps)
