"""Three years of daily fields and forecasts of them, which tests lay out as others do."""

import numpy as np

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import Variable, Variables

GRID = LatLonGrid(tuple(np.arange(-75.0, 90.0, 30.0)), tuple(np.arange(0.0, 360.0, 45.0)))
VARIABLES = Variables(
    (
        Variable("2m_temperature", "K", "2 metre temperature"),
        Variable("temperature_500", "K", "air temperature at 500", level=500.0),
        Variable("temperature_850", "K", "air temperature at 850", level=850.0),
    )
)
TIMES = np.arange("2000-01-01", "2003-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
INITS = np.array(["2002-02-01", "2002-05-01", "2002-05-04", "2002-09-01"], "datetime64[ns]")
DAY = np.timedelta64(1, "D").astype("timedelta64[ns]")
LEADS = np.array([1, 2, 3, 5])
PERIOD = "2000..2001"


def true_fields():
    generator = np.random.default_rng(1)
    season = 10 * np.cos(2 * np.pi * np.arange(len(TIMES)) / 365.25)[:, None, None, None]
    noise = generator.standard_normal((len(TIMES), 3, *GRID.shape))
    return (270 + season + np.cumsum(noise, axis=0) * 0.1 + noise).astype(np.float32)


def forecast_fields():
    """[init, lead, channel, y, x] for lead 0 and LEADS."""
    generator = np.random.default_rng(2)
    start = np.searchsorted(TIMES, INITS)
    numbers = np.array([0, *LEADS])
    true = true_fields()[start[:, None] + numbers]
    size = numbers[None, :, None, None, None]
    return (true + size * generator.standard_normal(true.shape)).astype(np.float32)
