"""What turns fields into the values of an index: a weighted sum of anomalies, or the latitude of a jet."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from triton_earth.data.statistics.climatology import Climatology
from triton_earth.evaluation.indices.catalogue import Definition

Fields = Float[np.ndarray, "batch channel y x"]


@dataclass(frozen=True)
class Index(ABC):
    """An index that can be measured.

    Attributes:
        definition: What it is.
        units: Units of its values.
    """

    definition: Definition
    units: str

    @abstractmethod
    def measure(self, fields: Fields, climatology: Fields) -> Float64[np.ndarray, " batch"]:
        """Return the values of some fields; NaN where a field is not finite in the region.

        Args:
            fields: All scored variables.
            climatology: Their climatology at the same times.
        """

    @abstractmethod
    def cycle(self, times: np.ndarray) -> Float64[np.ndarray, "*time"]:
        """Return the mean seasonal cycle of the values, which is no skill to forecast."""


@dataclass(frozen=True)
class SumOfAnomalies(Index):
    """Σ_i L_i (x_i − c_i) over some cells of one variable: an area mean or the amplitude of a pattern.

    Attributes:
        channel: Number of the variable among those that are scored.
        cells: Numbers of the cells, rows after one another.
        factors: L of each of them.
    """

    channel: int
    cells: Int[np.ndarray, " cell"]
    factors: Float64[np.ndarray, " cell"]

    def measure(self, fields: Fields, climatology: Fields) -> Float64[np.ndarray, " batch"]:
        """Return the sums."""
        own, mean = (
            part[:, self.channel].reshape(len(part), -1)[:, self.cells].astype(np.float64)
            for part in (fields, climatology)
        )
        with np.errstate(invalid="ignore", over="ignore"):
            # Not a matrix product, whose last digits depend on how many fields there are.
            return np.asarray(((own - mean) * self.factors).sum(axis=1))

    def cycle(self, times: np.ndarray) -> Float64[np.ndarray, "*time"]:
        """Return zeros: an anomaly has no cycle."""
        return np.zeros(times.shape)


@dataclass(frozen=True)
class JetLatitude(Index):
    """Latitude of the largest zonal mean of the wind in a sector.

    Attributes:
        channels: Numbers of the winds, over which the mean is taken.
        weights: Weights of the cells, 0 outside the sector; the cells of a row have the same weight.
        latitude: Latitude of each row, degrees north.
        seasons: Climatology of the values, as of a single cell of a single variable.
    """

    channels: list[int]
    weights: Float64[np.ndarray, "y x"]
    latitude: Float64[np.ndarray, " y"]
    seasons: Climatology

    def measure(self, fields: Fields, climatology: Fields) -> Float64[np.ndarray, " batch"]:
        """Return the latitudes."""
        return jet_latitudes(fields, self.channels, self.weights, self.latitude)

    def cycle(self, times: np.ndarray) -> Float64[np.ndarray, "*time"]:
        """Return the climatology of the latitudes."""
        return self.seasons.at(times.ravel())[:, 0, 0, 0].reshape(times.shape)


def jet_latitudes(
    fields: Fields,
    channels: list[int],
    weights: Float64[np.ndarray, "y x"],
    latitude: Float64[np.ndarray, " y"],
) -> Float64[np.ndarray, " batch"]:
    """Return the latitude of the jet in each of some fields; arguments are those of `JetLatitude`.

    Returns:
        Degrees north; NaN where the wind is not finite in the sector.
    """
    rows = np.flatnonzero(weights.any(axis=1))
    own = weights[rows]
    wind = fields[:, channels][:, :, rows].astype(np.float64).mean(axis=1)
    with np.errstate(invalid="ignore"):
        zonal = np.where(own > 0, wind * own, 0.0).sum(axis=-1) / own.sum(axis=-1)
    return top_of_parabola(zonal, latitude[rows])


def top_of_parabola(
    values: Float64[np.ndarray, "batch row"], places: Float64[np.ndarray, " row"]
) -> Float64[np.ndarray, " batch"]:
    """Return where profiles are largest, between rows by the parabola through the largest value and its neighbours.

        φ = (φ₋ + φ₀) / 2 − d₋ / (2 q),    d± the slopes on either side of φ₀, q = (d₊ − d₋) / (φ₊ − φ₋)

    At an end of the profile it is that end.

    Args:
        values: Profiles of at least three rows.
        places: Where the rows are, ascending, in any distances.

    Returns:
        In the units of `places`; NaN of a profile that is not finite.
    """
    finite = np.isfinite(values).all(axis=1)
    known = np.where(finite[:, None], values, 0.0)
    top = known.argmax(axis=1)
    middle = np.clip(top, 1, values.shape[1] - 2)
    every = np.arange(len(values))
    before, after = (
        (known[every, middle + 1 - side] - known[every, middle - side])
        / (places[middle + 1 - side] - places[middle - side])
        for side in (1, 0)
    )
    curvature = (after - before) / (places[middle + 1] - places[middle - 1])
    is_bent = (curvature < 0) & (top == middle)
    shift = before / (2 * np.where(is_bent, curvature, 1.0))
    found = np.where(is_bent, (places[middle - 1] + places[middle]) / 2 - shift, places[top])
    return np.where(finite, found, np.nan)
