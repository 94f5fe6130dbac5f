"""What a bench takes of memory and disk, and of its data, so that what cannot be is refused before it starts."""

import math

from triton_earth.bench.folder import BenchFolder
from triton_earth.core.errors import UserError
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.variables import Role
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.references import References
from triton_earth.workflow.plan import least_needs
from triton_earth.workflow.recipes.expected_data import expected_data


def require_bench_fits(folder: BenchFolder, jobs: int) -> None:
    """Refuse a bench whose trainings memory does not suffice for, or the disk for all runs and the forecasts that stay.

    Nothing need be there yet. Of each variant one forecast stays for each stretch of the test split.

    Args:
        folder: The bench.
        jobs: Processes that share the work.

    Raises:
        UserError: with the numbers.
    """
    config, store = folder.config, folder.store
    memory, disk = 0.0, 0.0
    for name in config.variants:
        recipe = config.recipe_of(name)
        data = expected_data(recipe, store if store.exists() else None)
        try:
            needed = least_needs(recipe, data)
        except UserError as error:
            raise UserError(f"variant '{name}': {error}") from error
        memory = max(memory, needed.memory)
        field = 4.0 * len(data.variables) * math.prod(data.grid.shape)
        forecasts = len(data.segments("test")) * recipe.forecast.number_of_steps(data.time_step)
        disk += len(config.seeds) * needed.disk + forecasts * field
    require_fits(
        f"{folder.path}: the bench of {len(config.variants)} variants and {len(config.seeds)} seeds",
        memory=min(jobs, len(config.variants) * len(config.seeds)) * memory,
        disk=disk,
        path=folder.path,
        advice="Take smaller networks or batches, fewer --jobs, variants or seeds.",
    )


def require_references(folder: BenchFolder) -> None:
    """Refuse reference forecasts that the store of a bench cannot have: every run would fail once it is trained.

    Raises:
        UserError: naming the first.
    """
    store = TrainingStore.open(folder.store)
    predicted = store.variables.with_role(Role.PROGNOSTIC)
    references = References(store, predicted, store.time_step, 1)
    for name in folder.config.baselines:
        try:
            references.require_possible(name)
        except UserError as error:
            raise UserError(f"baselines: {error}") from error
