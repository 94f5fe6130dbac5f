"""The windows that a recipe trains and validates on, and whether recipe, data and processes fit together."""

from collections.abc import Callable
from dataclasses import dataclass

from triton_earth.data.windows import Segment, Windows, require_batch
from triton_earth.training.losses.rollout_loss import require_lead_weights
from triton_earth.training.optimization.optimizers import require_whole_matrices
from triton_earth.training.parallel.batch_parts import own_parts
from triton_earth.training.parallel.distributed import Processes
from triton_earth.workflow.recipes.recipe import Recipe


@dataclass(frozen=True)
class TrainingWindows:
    """Windows of the splits that training looks at.

    Attributes:
        training: History and longest horizon, of the training split.
        validation: History and one application, of the validation split.
        rollouts: History and longest validation lead, of the validation split; None without such forecasts.
    """

    training: Windows
    validation: Windows
    rollouts: Windows | None


def training_windows(
    recipe: Recipe, segments: Callable[[str], tuple[Segment, ...]], processes: Processes
) -> TrainingWindows:
    """Return the windows of a recipe after checking all that can be checked before any work.

    Args:
        recipe: What is to be trained.
        segments: Gives the stretches of consecutive times of a split.
        processes: How many processes share the work.

    Raises:
        UserError: if a window does not fit into the data, the batch is larger than the split or cannot be shared, lead
            weights do not fit the horizon, or the optimiser not the processes.
    """
    config, history = recipe.train, recipe.model.history
    require_lead_weights(config, history)
    require_whole_matrices(config, processes.count)
    training = Windows(segments("train"), recipe.window, config.window_stride)
    validation = Windows(segments("valid"), 2 * history)
    rollouts = None
    if config.validation_leads:
        rollouts = Windows(segments("valid"), history + config.validation_leads[-1])
    require_batch(len(training), config.batch_size)
    own_parts(config, processes)
    return TrainingWindows(training, validation, rollouts)
