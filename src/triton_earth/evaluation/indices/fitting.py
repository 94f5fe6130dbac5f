"""Indices fitted to a training split: weights of area means, the pattern of the Pacific, the seasons of a jet."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Float64

from triton_earth.core.errors import UserError
from triton_earth.data.statistics.climatology import ClimatologyFit
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.indices.catalogue import CENTRAL_NORTH_PACIFIC, MOST_GLOBAL
from triton_earth.evaluation.indices.measures import (
    Index,
    JetLatitude,
    SumOfAnomalies,
    jet_latitudes,
)
from triton_earth.evaluation.indices.places import Place
from triton_earth.models.climatology import Climatology, spread_states, training_segments

FEWEST_STATES = 24
"""Fewest training states that a pattern is found from."""


def fit_index(
    place: Place, store: TrainingStore, names: list[str], climatology: Climatology
) -> Index:
    """Return an index that can be measured.

    Args:
        place: Where it is taken.
        store: Store whose training split its pattern or its seasons are found from.
        names: Variables that are scored; all of them are in the store.
        climatology: Their climatology.

    Raises:
        UserError: if the training split has too few states for a pattern, or there is nothing that tells its sign.
    """
    if place.definition.kind == "jet":
        return _jet(place, store, names)
    factors = (
        _pattern(place, store, names, climatology)
        if place.definition.kind == "pattern"
        else place.weights / place.weights.sum()
    )
    if place.definition.minus_global:
        factors = factors - factors.sum() * _global_mean(place, store, names)
    cells = np.flatnonzero(factors)
    (variable,) = store.variables.select([names[place.channels[0]]])
    units = "1" if place.definition.kind == "pattern" else _difference(variable.units)
    return SumOfAnomalies(place.definition, units, place.channels[0], cells, factors.ravel()[cells])


def _difference(units: str) -> str:
    """Return the units of a difference of temperatures."""
    return "K" if units in ("degC", "celsius", "degree_Celsius") else units


def _defined(place: Place, store: TrainingStore, names: list[str]) -> np.ndarray:
    (channel,) = store.variables.indices([names[place.channels[0]]])
    mask = store.valid_mask
    return np.ones(store.grid.shape, bool) if mask is None else mask[channel]


def _global_mean(
    place: Place, store: TrainingStore, names: list[str]
) -> Float64[np.ndarray, "y x"]:
    """Return the factors of the mean over the cells from 60S to 60N."""
    cells = MOST_GLOBAL.cells(store.grid) & _defined(place, store, names)
    weights = np.where(cells, store.grid.cell_area_weights, 0.0)
    return np.asarray(weights / weights.sum())


def _pattern(
    place: Place, store: TrainingStore, names: list[str], climatology: Climatology
) -> Float64[np.ndarray, "y x"]:
    """Return √w e / s: the first empirical orthogonal function e over the root of areas w, by the amplitudes' size s.

    The amplitude Σ √w e a has the standard deviation s over the training split.
    """
    cells = np.flatnonzero(place.weights)
    roots = np.sqrt(place.weights.ravel()[cells])
    mean = _global_mean(place, store, names).ravel()
    everywhere = np.flatnonzero(mean)
    name = names[place.channels[0]]
    rows = []
    for times, fields in _of(store, name):
        anomalies = fields - climatology.at(times)[:, place.channels[0]]
        flat = anomalies.reshape(len(anomalies), -1)
        relative = flat[:, cells] - (flat[:, everywhere] @ mean[everywhere])[:, None]
        rows.append(relative * roots)
    states = np.concatenate(rows)
    if len(states) < FEWEST_STATES:
        raise UserError(
            f"--indices {place.definition.name}: a pattern needs at least {FEWEST_STATES} training states, found "
            f"{len(states)}. Leave the index out, or prepare a longer training split."
        )
    _, _, vectors = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)
    first = vectors[0] * _sign(place, store, cells, vectors[0])
    size = float(np.std(states @ first))
    factors = np.zeros(place.weights.size)
    factors[cells] = roots * first / size
    return factors.reshape(place.weights.shape)


def _sign(
    place: Place, store: TrainingStore, cells: np.ndarray, vector: Float64[np.ndarray, " cell"]
) -> float:
    """Return the sign that makes the pattern negative in the central North Pacific."""
    centre = CENTRAL_NORTH_PACIFIC.cells(store.grid).ravel()[cells]
    # A pattern in units of the field is e / √w; its area mean is Σ √w e.
    total = float(np.sum(np.sqrt(place.weights.ravel()[cells][centre]) * vector[centre]))
    if not centre.any() or total == 0.0:
        raise UserError(
            f"--indices {place.definition.name}: expected defined cells in the {CENTRAL_NORTH_PACIFIC}, which tell the "
            "sign of the pattern, found none. Leave the index out."
        )
    return -1.0 if total > 0 else 1.0


def _jet(place: Place, store: TrainingStore, names: list[str]) -> JetLatitude:
    chosen = [names[channel] for channel in place.channels]
    own = list(range(len(chosen)))
    found = list(spread_states(store, training_segments(store), store.variables.indices(chosen)))
    latitude = store.grid.y
    fit = ClimatologyFit(np.concatenate([times for times, _ in found]), (1, 1, 1))
    for times, fields in found:
        values = jet_latitudes(fields, own, place.weights, latitude)
        fit.add(times, values[:, None, None, None])
    return JetLatitude(
        place.definition,
        "degrees_north",
        place.channels,
        place.weights,
        latitude,
        fit.climatology(),
    )


def _of(
    store: TrainingStore, name: str
) -> Iterator[tuple[np.ndarray, Float32[np.ndarray, "time y x"]]]:
    for times, fields in spread_states(
        store, training_segments(store), store.variables.indices([name])
    ):
        yield times, fields[:, 0]
