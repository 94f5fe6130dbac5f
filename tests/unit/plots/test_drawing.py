import numpy as np
import xarray as xr
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from triton_earth.plots.drawing import Curve, draw_curve, scale_axis
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


def labels(scale, low, high):
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    scale_axis(axes.xaxis, scale)
    axes.figure.savefig("/dev/null", format="svg")
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    return axes.get_xlabel(), [axes.xaxis.get_major_formatter()(tick, 0) for tick in shown]


def test_waves_with_one_length_are_labelled_by_it():
    """Wavenumbers 30 to 600 around a circle of 33,000 km are waves of 1,100 to 55 km."""
    numbers = np.arange(0.0, 601.0, 30.0)
    attrs = {"long_name": "zonal wavenumber", "units": "1"}
    scale = xr.DataArray(numbers, dims="zonal_wavenumber", attrs=attrs)
    assert labels(scale, 30.0, 600.0) == ("Zonal wavenumber", ["50", "100", "200", "500"])
    scale.attrs["wavelength_of_one"] = 33_000.0
    assert labels(scale, 30.0, 600.0) == ("Wavelength (km)", ["1000", "500", "200", "100"])
