"""The last part of a training: the mean of the forecaster's own runs, taken out of the climatology it is saved with."""

import logging
from pathlib import Path

import torch

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance, save_forecaster
from triton_earth.training.interruption import Interrupted, Request
from triton_earth.training.mean_correction import MeanCorrection
from triton_earth.workflow.recipes.recipe import Recipe
from triton_earth.workflow.running.run_folder import FORECASTER

logger = logging.getLogger("triton_earth")

FACT = "mean_correction"
"""Key of what was corrected in the provenance of a forecaster: sizes by variable; None where its runs do not hold."""


def correct_mean(
    out: Path, store: TrainingStore, recipe: Recipe, device: torch.device, request: Request
) -> None:
    """Replace the forecaster of a run by the one whose runs have the mean of the training data, unless that was done.

    Where the runs leave the climate, the forecaster stays as it is, and the log says so.

    Args:
        out: Run folder, whose training is complete.
        store: Training store.
        recipe: What was trained.
        device: Where the forecaster runs.
        request: Whether a signal has come.

    Raises:
        Interrupted: if a signal asked to stop; the forecaster is as training left it.
    """
    config, facts = recipe.train.mean_correction, load_provenance(out)["training"]
    if config is None or FACT in facts:
        return

    def stop_if_asked() -> None:
        if request.name:
            raise Interrupted(request.name, recipe.train.steps)

    forecaster = load_forecaster(out, device)
    found = MeanCorrection.measured(
        forecaster, store, config, recipe.forecast.stabilizers, stop_if_asked
    )
    if found is None:
        logger.warning(
            "train.mean_correction: runs of %d steps leave the climate of the training data, so that their mean is "
            "none to correct; the forecaster stays as it was trained. See docs/long_runs.md for what helps.",
            config.steps,
        )
        save_forecaster(forecaster, out / FORECASTER, {**facts, FACT: None})
        return
    sizes = {name: round(size, 4) for name, size in found.size.items()}
    said = ", ".join(f"{name} {size:.3f}" for name, size in sizes.items())
    logger.info("mean of the model's runs corrected by, in standard deviations: %s", said)
    save_forecaster(found.applied(forecaster), out / FORECASTER, {**facts, FACT: sizes})
