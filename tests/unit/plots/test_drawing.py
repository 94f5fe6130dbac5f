import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from triton_earth.plots.drawing import Curve, draw_curve
from triton_earth.plots.style import looks


def test_an_interval_without_neighbours_is_a_bar():
    """Of seven leads those at 0, 1 and 4 have an interval: a band between the first two, a bar at the other."""
    x, values = np.arange(7.0), np.ones(7)
    bounds = np.stack([values - 0.5, values + 0.5], axis=-1)
    bounds[[2, 3, 5, 6]] = np.nan
    axes = Figure().subplots()
    draw_curve(axes, x, Curve(values, bounds), looks(["triton"])["triton"], "triton")
    (bar,) = [found for found in axes.collections if isinstance(found, LineCollection)]
    np.testing.assert_array_equal(bar.get_segments(), [[[4, 0.5], [4, 1.5]]])
    (band,) = [found for found in axes.collections if isinstance(found, PolyCollection)]
    corners = band.get_paths()[0].vertices
    assert (corners[:, 0].min(), corners[:, 0].max()) == (0, 1)
