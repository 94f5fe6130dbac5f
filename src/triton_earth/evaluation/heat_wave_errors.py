"""How forecast heat waves differ from those of the truth in the same cells: onset, duration, intensity."""

import numpy as np
from jaxtyping import Bool, Float, Float64

NAMES = ("onset", "duration", "intensity")


def heat_wave_errors(
    forecast: Bool[np.ndarray, "lead y x"],
    truth: Bool[np.ndarray, "lead y x"],
    forecast_anomaly: Float[np.ndarray, "lead y x"],
    true_anomaly: Float[np.ndarray, "lead y x"],
    weights: Float64[np.ndarray, "y x"],
) -> tuple[float, Float64[np.ndarray, " 3"]]:
    """Sum the errors of heat waves over the cells in which forecast and truth both have one.

    Of each cell: the first heat-wave day, the number of heat-wave days, and the largest anomaly on them.

    Args:
        forecast: Heat-wave days of the forecast, one lead a day.
        truth: Those of the truth.
        forecast_anomaly: Departure of the forecast from the seasonal climatology.
        true_anomaly: The same of the truth.
        weights: Cell weights.

    Returns:
        Weight of those cells, and the weighted sums of forecast − truth of onset (days), duration (days) and intensity
        (units of the temperature).
    """
    both = forecast.any(axis=0) & truth.any(axis=0)
    of_both = []
    for days, anomaly in ((forecast, forecast_anomaly), (truth, true_anomaly)):
        peak = np.where(days, anomaly, -np.inf).max(axis=0)
        of_both.append(np.stack([days.argmax(axis=0), days.sum(axis=0), peak])[:, both])
    chosen = weights[both]
    return float(chosen.sum()), ((of_both[0] - of_both[1]) * chosen).sum(axis=1).astype(np.float64)
