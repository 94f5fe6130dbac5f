"""Statistics of a training split: the normaliser of a model, with or without the cycle of the year taken out."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from triton_earth.core.variables import Role
from triton_earth.data.normalization import (
    NormalizationConfig,
    Normalizer,
    compute_normalizer,
    log_scales,
)
from triton_earth.data.seasons import SeasonalCycle
from triton_earth.data.store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.models.climatology import TRAIN, fit_climatology


def training_statistics(store: TrainingStore, config: NormalizationConfig) -> Normalizer:
    """Return the normaliser of a training store.

    Args:
        store: Training store; its training split is read once, and some of it before that for a climatology.
        config: What is taken out, levels together or separate, log scales.

    Returns:
        Statistics of the fields, or of their anomalies, and what these are taken from.

    Raises:
        UserError: if a field is not finite in a valid cell, a variable is constant, or a log scale is wrong.
    """
    segments = store.segments(TRAIN)
    if config.subtract == "mean":
        blocks = (store.blocks(segment) for segment in segments)
        return compute_normalizer(blocks, store.variables, store.valid_mask, config)
    names = store.variables.names
    ones = (1.0,) * len(names)
    scales = log_scales(config, store.variables)
    plain = Normalizer(tuple(names), (0.0,) * len(names), ones, ones, scales)
    plain = replace(plain, seasons=_seasons(store, plain))
    statistics = compute_normalizer(
        (_anomalies(store, segment, plain) for segment in segments),
        store.variables,
        store.valid_mask,
        NormalizationConfig(levels=config.levels),
    )
    return replace(statistics, log_scale=plain.log_scale, seasons=plain.seasons)


def _seasons(store: TrainingStore, plain: Normalizer) -> SeasonalCycle:
    """Fit the climatology of what is predicted; forcings, such as sunshine, tell the network the season."""
    predicted = store.variables.with_role(Role.PROGNOSTIC, Role.DIAGNOSTIC).names
    climatology = fit_climatology(store, predicted, plain.log_scale)
    coefficients = np.where(np.isnan(climatology.coefficients), 0.0, climatology.coefficients)
    return SeasonalCycle(tuple(predicted), replace(climatology, coefficients=coefficients))


def _anomalies(
    store: TrainingStore, segment: Segment, plain: Normalizer
) -> Iterator[Float32[np.ndarray, "time channel y x"]]:
    start = segment.start
    for fields in store.blocks(segment):
        times = store.times[start : start + len(fields)]
        yield plain.transformed(store.as_state(fields[None], times[None])).data[0].numpy()
        start += len(fields)
