"""Statistics of a jet between two gyres that do not depend on the size of the basin or the number of points."""

import numpy as np

GRAVITY = 9.81
LAGS = (1, 2, 5, 10)


def jet_statistics(height: np.ndarray, spacing: float, coriolis: float) -> dict:
    """Return what a daily sea surface height [time, y, x] in m says about its jet.

    Deviations are from the mean of the period. The jet is where it leaves the western wall: the middle quarter in y and
    the western half in x.
    """
    mean = height.mean(axis=0)
    eddies = height - mean
    ny, nx = mean.shape
    jet = eddies[:, 3 * ny // 8 : 5 * ny // 8, : nx // 2]
    speeds = [GRAVITY / coriolis * np.diff(height, axis=axis) / spacing for axis in (1, 2)]
    std = eddies.std(axis=0)
    return {
        "highest": float(height.max()),
        "lowest": float(height.min()),
        "std_of_mean": float(mean.std()),
        "std_of_eddies": float(np.sqrt((eddies**2).mean())),
        "std_in_jet": float(np.sqrt((jet**2).mean())),
        "largest_std": float(std.max()),
        "row_of_largest_std": float(np.argmax(std.max(axis=1)) / (ny - 1)),
        "largest_speed": float(max(np.abs(speed).max() for speed in speeds)),
        "autocorrelation": {
            str(lag): float(
                (jet[lag:] * jet[:-lag]).mean()
                / np.sqrt((jet[lag:] ** 2).mean() * (jet[:-lag] ** 2).mean())
            )
            for lag in LAGS
        },
    }
