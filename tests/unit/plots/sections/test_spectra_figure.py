import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection

from triton_earth.evaluation.spectra.names import BOX
from triton_earth.plots.sections.spectra import final_spectrum, spectra


def test_one_log_log_panel_per_lead(scores):
    axes = spectra(scores["enstrophy_spectrum"]).axes
    assert [a.get_title(loc="left").split(" · ")[0] for a in axes] == [
        "step 1",
        "step 25",
        "step 50",
        "step 99",
    ]
    for panel, index in zip(axes, (0, 24, 49, 98), strict=True):
        assert panel.get_xscale() == panel.get_yscale() == "log"
        curves = {line.get_label(): line for line in panel.lines}
        assert set(curves) == {"truth", "triton", "persistence"}
        assert curves["truth"].get_color() == "#000000"
        np.testing.assert_allclose(
            curves["triton"].get_ydata(),
            scores["enstrophy_spectrum"].sel(source="triton").isel(lead_time=index),
        )
    assert axes[0].get_ylabel() == "Enstrophy spectrum (s⁻²)"


def test_the_resolved_range_is_marked(scores):
    assert not spectra(scores["enstrophy_spectrum"]).axes[0].patches
    scores["wavenumber"].attrs["resolved_wavenumber"] = 32.0
    (shade,) = spectra(scores["enstrophy_spectrum"]).axes[0].patches
    assert shade.get_x() == 32.0


def test_zero_and_missing_power(scores):
    scores["enstrophy_spectrum"].loc[{"source": "triton"}][50:] = np.nan
    scores["enstrophy_spectrum"].loc[{"source": "persistence"}][:] = 0.0
    figure = spectra(scores["enstrophy_spectrum"])
    figure.savefig("/dev/null", format="svg")
    drawn = [[line.get_label() for line in axes.lines] for axes in figure.axes]
    assert drawn == [["truth", "triton"]] * 3 + [["truth"]]


def test_wavenumber_zero_is_not_on_a_logarithmic_axis(scores):
    shifted = scores.assign_coords(wavenumber=scores["wavenumber"] - 1)
    panel = spectra(shifted["energy_spectrum"]).axes[0]
    assert panel.lines[0].get_xdata().min() == 1.0


def test_leads_asked_for(scores):
    assert len(spectra(scores["energy_spectrum"], (10, 20)).axes) == 2


@pytest.fixture
def with_intervals(scores):
    """Intervals of a tenth around spectra and their ratio, none at wavenumber 3."""
    spectrum = scores["enstrophy_spectrum"]
    ratio = (spectrum / spectrum.sel(source="truth")).sel(source=scores["forecast"].values)
    scores["spectrum_ratio"] = ratio.drop_vars("source").rename(source="forecast")
    for name in ("enstrophy_spectrum", "spectrum_ratio"):
        ends = xr.concat([0.9 * scores[name], 1.1 * scores[name]], dim="bound")
        ends = ends.where(scores["wavenumber"] != 3)
        scores[f"{name}_interval"] = ends.transpose(..., "bound")
    return scores


def shades(axes):
    return [found for found in axes.collections if isinstance(found, PolyCollection)]


def test_intervals_are_shaded(with_intervals):
    name = "enstrophy_spectrum"
    figure = spectra(with_intervals[name], interval=with_intervals[f"{name}_interval"])
    assert [len(shades(axes)) for axes in figure.axes] == [3] * 4
    truth = with_intervals[name].sel(source="truth").isel(lead_time=0).values
    corners = shades(figure.axes[0])[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(1.1 * truth[:2].max())
    assert not shades(spectra(with_intervals[name]).axes[0])


def test_the_last_lead_and_its_ratio(with_intervals):
    figure = final_spectrum(with_intervals, BOX)
    left, right = figure.axes
    assert left.get_title(loc="left").startswith("Last lead: step 99 · ")
    assert {line.get_label() for line in left.lines} == {"truth", "triton", "persistence"}
    (model,) = [line for line in right.lines if line.get_label() == "triton"]
    last = with_intervals["spectrum_ratio"].sel(forecast="triton").isel(lead_time=-1)
    np.testing.assert_allclose(model.get_ydata(), last)
    assert right.get_xscale() == right.get_yscale() == "log"
    assert (len(shades(left)), len(shades(right))) == (3, 2)
    figure.canvas.draw()
    assert [label.get_text() for label in right.get_yticklabels()][2:5] == ["1/2", "1", "2"]


def test_the_mean_sets_no_limits(scores):
    """Wavenumber 0 is not drawn, however large the mean square is."""
    shifted = scores.assign_coords(wavenumber=scores["wavenumber"] - 1)
    shifted["enstrophy_spectrum"][..., 0] = 1e6
    top = spectra(shifted["enstrophy_spectrum"]).axes[0].get_ylim()[1]
    assert top < 100
