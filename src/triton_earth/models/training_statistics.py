"""Statistics of a training split: the normaliser of a model, with or without the cycle of the year taken out."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from triton_earth.core.variables import Role
from triton_earth.data.statistics.damping import Damping, DampingConfig
from triton_earth.data.statistics.damping_fit import fit_damping
from triton_earth.data.statistics.normalization import (
    NormalizationConfig,
    Normalizer,
    compute_normalizer,
    log_scales,
)
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.models.climatology import TRAIN, fit_climatology


def training_statistics(
    store: TrainingStore, config: NormalizationConfig, damping: DampingConfig | None = None
) -> Normalizer:
    """Return the normaliser of a training store.

    Args:
        store: Training store; its training split is read once, some of it before that for a climatology, and once more
            for the damping, five times for one with patterns.
        config: What is taken out, levels together or separate, log scales.
        damping: How anomalies are damped, for forecasts that start from what is left of them.

    Returns:
        Statistics of the fields, or of their anomalies, and what these are taken from.

    Raises:
        UserError: if a field is not finite in a valid cell, a variable is constant, a log scale is wrong, or the
            damping cannot be fitted.
    """
    segments = store.segments(TRAIN)
    if config.subtract == "mean":
        blocks = (store.blocks(segment) for segment in segments)
        return compute_normalizer(blocks, store.variables, store.valid_mask, config)
    names = store.variables.names
    ones = (1.0,) * len(names)
    scales = log_scales(config, store.variables)
    plain = Normalizer(tuple(names), (0.0,) * len(names), ones, ones, scales)
    plain = replace(plain, seasons=_seasons(store, plain, config.harmonics))
    statistics = compute_normalizer(
        (_anomalies(store, segment, plain) for segment in segments),
        store.variables,
        store.valid_mask,
        NormalizationConfig(levels=config.levels),
    )
    statistics = replace(statistics, log_scale=plain.log_scale, seasons=plain.seasons)
    if damping is None:
        return statistics
    return replace(statistics, damping=_damping(store, plain, damping))


def _damping(store: TrainingStore, plain: Normalizer, config: DampingConfig) -> Damping:
    """Fit the damping of what is fed back."""
    prognostic = store.variables.with_role(Role.PROGNOSTIC)
    channels = store.variables.indices(prognostic.names)
    return fit_damping(
        lambda: (
            (block[:, channels] for block in _anomalies(store, segment, plain))
            for segment in store.segments(TRAIN)
        ),
        prognostic,
        store.grid,
        config,
        None if store.valid_mask is None else store.valid_mask[channels],
    )


def _seasons(store: TrainingStore, plain: Normalizer, harmonics: int) -> SeasonalCycle:
    """Fit the climatology of what is predicted; forcings, such as sunshine, tell the network the season."""
    predicted = store.variables.with_role(Role.PROGNOSTIC, Role.DIAGNOSTIC).names
    climatology = fit_climatology(store, predicted, plain.log_scale, harmonics)
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
