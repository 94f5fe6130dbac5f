"""What a bench takes of memory and disk, so that what cannot fit is refused before it starts."""

import math

from triton_earth.bench.folder import BenchFolder
from triton_earth.core.processes.machine import require_fits
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.workflow.plan import least_needs


def require_bench_fits(folder: BenchFolder, jobs: int) -> None:
    """Refuse a bench whose largest trainings memory does not suffice for, or the disk for all runs and forecasts.

    Args:
        folder: The bench, with its training store.
        jobs: Processes that share the work.

    Raises:
        UserError: with the numbers.
    """
    config, store = folder.config, TrainingStore.open(folder.store)
    memory, disk = 0.0, 0.0
    for name in config.variants:
        recipe = config.recipe_of(name)
        needed = least_needs(recipe, store)
        memory = max(memory, needed.memory)
        forecasts = len(store.trajectories_in("test")) * recipe.forecast.steps
        field = 4.0 * len(store.variables) * math.prod(store.grid.shape)
        disk += len(config.seeds) * needed.disk + forecasts * field
    require_fits(
        f"{folder.path}: the bench of {len(config.variants)} variants and {len(config.seeds)} seeds",
        memory=min(jobs, len(config.variants) * len(config.seeds)) * memory,
        disk=disk,
        path=folder.path / "variants",
        advice="Take smaller networks or batches, fewer --jobs, variants or seeds.",
    )
