"""What an evaluation takes, against numbers worked out by hand."""

import numpy as np
import pytest
from tests.builders import weather_grid

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables
from triton_earth.evaluation.needs import needs_of


class Described:
    """What is said about forecasts, without any."""

    variables = Variables((VORTICITY,))
    time_step = 1.0
    chunk_inits = 2
    lead_times = np.arange(1.0, 6.0)
    trajectories = np.arange(3)

    def __init__(self, grid, init_times) -> None:
        self.grid, self.init_times = grid, init_times
        self.provenance: dict = {}

    def read(self, inits, lead):
        raise AssertionError("nothing is read")


def test_a_box_of_16_cells():
    model = Described(PeriodicGrid(4, 4), np.arange(3.0))
    needed = needs_of([model])
    # Blocks of 2 forecasts: one member, 4 compared, each with a truth or a difference; 6 sums and 2 wavenumbers each;
    # maps of two sums at three leads.
    maps = 2 * 8 * 3 * 16
    assert needed.memory == 4 * 2 * 16 * (1 + 8) + 8 * 4 * 3 * 5 * (6 + 2) + maps
    assert needed.disk == pytest.approx(8 * 4 * 5 * (6 + 2) + maps / 2 + 2e7)


def test_a_globe_has_a_climatology_and_regions_take_more():
    times = np.datetime64("2000-01-01", "ns") + np.arange(3) * np.timedelta64(1, "D")
    model = Described(weather_grid(), times)
    alone, with_regions = needs_of([model]), needs_of([model], regions=2)
    assert alone.memory > 4 * 366 * 64
    assert with_regions.memory - alone.memory == 8 * 4 * 3 * 5 * 6 * 2
