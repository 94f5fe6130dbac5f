"""How forecast heat waves differ from those of the truth in the same cells: onset, duration, intensity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

NAMES = ("onset", "duration", "intensity")


@dataclass(frozen=True)
class HeatWaveFeatures:
    """What the heat waves of forecasts and truth are like in each cell, as far as days have passed.

    Attributes:
        onset: First heat-wave day, 0 the first that passed; −1 where there is none.
        duration: Number of heat-wave days.
        intensity: Largest departure from the seasonal climatology on them; −∞ where there is none.
    """

    onset: Int[np.ndarray, "source y x"]
    duration: Int[np.ndarray, "source y x"]
    intensity: Float64[np.ndarray, "source y x"]

    @classmethod
    def empty(cls, *shape: int) -> "HeatWaveFeatures":
        """Return those of no day."""
        return cls(np.full(shape, -1, np.int32), np.zeros(shape, np.int32), np.full(shape, -np.inf))

    def put(
        self,
        day: int,
        inside: Bool[np.ndarray, "source y x"],
        anomaly: Float[np.ndarray, "source y x"],
    ) -> None:
        """Go on by a day.

        Args:
            day: Its number.
            inside: Where it is a heat-wave day.
            anomaly: Departure from the seasonal climatology.
        """
        self.onset[inside & (self.onset < 0)] = day
        self.duration[inside] += 1
        self.intensity[inside] = np.maximum(self.intensity[inside], anomaly[inside])


def heat_wave_errors(
    features: HeatWaveFeatures, weights: Float64[np.ndarray, "y x"]
) -> tuple[Float64[np.ndarray, " forecast"], Float64[np.ndarray, "forecast 3"]]:
    """Sum the errors of heat waves over the cells in which forecast and truth both have one.

    Args:
        features: Heat waves of forecasts and, last, the truth.
        weights: Cell weights.

    Returns:
        Of each forecast the weight of those cells, and the weighted sums of forecast − truth of onset (days), duration
        (days) and intensity (units of the temperature).
    """
    there = features.duration > 0
    weight, errors = [], []
    for forecast in range(len(there) - 1):
        both = there[forecast] & there[-1]
        chosen = weights[both]
        difference = [
            values[forecast][both] - values[-1][both]
            for values in (features.onset, features.duration, features.intensity)
        ]
        weight.append(chosen.sum())
        errors.append([(one * chosen).sum() for one in difference])
    return np.array(weight), np.array(errors, np.float64).reshape(-1, len(NAMES))
