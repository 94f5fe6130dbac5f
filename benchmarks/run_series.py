"""Numbers of each state of a long run beside those of the training split: El Niño, eddies, the jet, energy.

`long_runs.py` takes those that a store has the variables for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64

from triton_earth.core.grid import ClosedGrid, LatLonGrid
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.indices.catalogue import DEFINITIONS
from triton_earth.evaluation.indices.fitting import fit_index
from triton_earth.evaluation.indices.places import find_index
from triton_earth.evaluation.metrics.eddies.detection import detect_eddies
from triton_earth.models.climatology import Climatology, training_segments

Fields = Float[np.ndarray, "batch channel y x"]

NINO34 = "nino34"
TEMPERATURE_ANOMALY = "sea_surface_temperature_anomaly"
EASTWARD, NORTHWARD = (
    "surface_geostrophic_eastward_velocity",
    "surface_geostrophic_northward_velocity",
)
PERIODS = (18, 36, 84)
"""Months between which the variance of an index is told by period."""


@dataclass
class Series:
    """One number of each state, of some runs and of the training split.

    Attributes:
        measure: States and their times to numbers, [batch].
        every: Steps between the states that are measured.
        months: Whether its variance by period is of interest.
        runs: Numbers of the runs so far, a row for each measured step.
    """

    measure: Callable[[Fields, np.ndarray], Float64[np.ndarray, " batch"]]
    every: int = 1
    months: bool = False
    runs: list[np.ndarray] = field(default_factory=list)
    passed: int = 0

    def add(self, fields: Fields, times: np.ndarray) -> None:
        """Measure the next state of every run, if it is its turn."""
        if self.passed % self.every == 0:
            self.runs.append(self.measure(fields, times))
        self.passed += 1

    def beside(self, store: TrainingStore, names: list[str]) -> dict:
        """Return mean and standard deviation over time of the runs and of each stretch of the training split."""
        channels, truth = store.variables.indices(names), []
        for segment in training_segments(store):
            found = []
            for time in range(segment.start, segment.stop, self.every):
                fields = store.read(segment.trajectory, slice(time, time + 1))[:, channels]
                found.append(self.measure(fields, store.times[time : time + 1])[0])
            truth.append(np.array(found))
        runs = list(np.stack(self.runs, axis=1))
        return {
            who: {
                "mean": [float(f"{series.mean():.4g}") for series in these],
                "standard deviation": [float(f"{series.std():.4g}") for series in these],
                **({"variance by period": _by_period(these)} if self.months else {}),
            }
            for who, these in (("runs", runs), ("truth", truth))
        }


def _by_period(series: list[Float64[np.ndarray, " time"]]) -> dict[str, list[float]]:
    """Return the variance of each monthly series at periods between those of `PERIODS`, after its linear trend."""
    edges = (0, *PERIODS, np.inf)
    found: dict[str, list[float]] = {}
    for low, high in pairwise(edges):
        name = f"{low} to {high} months"
        found[name] = []
        for one in series:
            axis = np.arange(len(one)) - (len(one) - 1) / 2
            rest = one - one.mean() - axis * (axis @ one) / (axis @ axis)
            power = 2 * np.abs(np.fft.rfft(rest, norm="forward")) ** 2
            with np.errstate(divide="ignore"):
                period = 1 / np.fft.rfftfreq(len(one))
            inside = (period >= low) & (period < high)
            found[name].append(float(f"{power[inside].sum():.3g}"))
    return found


def series_of(
    store: TrainingStore, names: list[str], climatology: Climatology
) -> dict[str, Series]:
    """Return the series that a store has the variables for."""
    if TEMPERATURE_ANOMALY in names and isinstance(store.grid, LatLonGrid):
        place = find_index(
            DEFINITIONS[NINO34], store.variables.select(names), store.grid, store.valid_mask
        )
        index = fit_index(place, store, names, climatology)
        return {
            NINO34: Series(
                lambda fields, times: index.measure(fields, climatology.at(times)), months=True
            )
        }
    if EASTWARD in names and NORTHWARD in names and isinstance(store.grid, ClosedGrid):
        return _of_a_jet(store.grid, names.index(EASTWARD), names.index(NORTHWARD))
    return {}


def _of_a_jet(grid: ClosedGrid, eastward: int, northward: int) -> dict[str, Series]:
    """Return energy, eddies and the place of the jet of a box without land."""
    dy, dx = grid.length_y / grid.ny, grid.length_x / grid.nx
    west = slice(0, grid.nx // 2)

    def energy(fields: Fields, times: np.ndarray) -> Float64[np.ndarray, " batch"]:
        u, v = fields[:, eastward].astype(np.float64), fields[:, northward].astype(np.float64)
        return ((u**2 + v**2) / 2).mean(axis=(-2, -1))

    def eddies(fields: Fields, times: np.ndarray) -> Float64[np.ndarray, " batch"]:
        return np.array(
            [len(detect_eddies(one[eastward], one[northward], dy, dx)) for one in fields],
            np.float64,
        )

    def jet(fields: Fields, times: np.ndarray) -> Float64[np.ndarray, " batch"]:
        mean = fields[:, eastward, :, west].astype(np.float64).mean(axis=-1)
        return (mean.argmax(axis=-1) + 0.5) * dy / 1e3

    return {
        "kinetic energy (m2 s-2)": Series(energy),
        "eddies": Series(eddies, every=10),
        "row of the jet, western half (km)": Series(jet),
    }
