import numpy as np
import pytest
import xarray as xr

from triton_earth.evaluation.spectra.names import BOX
from triton_earth.plots.sections.scales import judged, scale_curves, scale_maps


def maps(scores):
    return scale_maps(
        *(scores[name].sel(forecast="triton") for name in ("spectrum_ratio", "spectral_error"))
    )


@pytest.fixture
def scale_scores(scores):
    leads, k = scores.sizes["lead_time"], scores["wavenumber"].values
    names = scores["forecast"].values
    shape = (len(names), leads, len(k))
    ratio = np.broadcast_to(2.0 ** (np.arange(leads)[:, None] / leads), shape).copy()
    ratio[0, 3, 4] = np.nan
    dims = ("forecast", "lead_time", "wavenumber")
    curve = np.broadcast_to(np.linspace(30, 2, leads), shape[:2])
    return scores.assign(
        spectrum_ratio=(dims, ratio),
        spectral_error=(dims, ratio - 1),
        effective_wavenumber=(
            dims[:2],
            curve,
            {"units": "rad m-1", "long_name": "effective wavenumber"},
        ),
        decorrelation_wavenumber=(dims[:2], curve),
    )


def test_maps_show_the_logarithm_of_the_ratio_and_the_error(scale_scores):
    figure = maps(scale_scores)
    ratio, error = (axes.collections[0].get_array() for axes in figure.axes[:2])
    np.testing.assert_allclose(ratio[:, 50].compressed(), 50 / 99)
    np.testing.assert_allclose(error[:, 50].compressed(), 2 ** (50 / 99) - 1)
    assert figure.axes[0].get_xlabel() == "Lead time (time units)"
    figure.savefig("/dev/null", format="png")


def test_only_resolved_wavenumbers_are_shown(scale_scores):
    scale_scores["wavenumber"].attrs["resolved_wavenumber"] = 32.0
    axes = maps(scale_scores).axes[0]
    assert axes.get_ylim() == pytest.approx((0.5, 32.5))


def test_curves_of_every_forecast(scale_scores):
    figure = scale_curves(scale_scores, BOX, 64.0)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert figure.axes[1].get_title(loc="left") == "Effective wavenumber (rad m⁻¹)"


def test_one_lead(make_scores):
    scores = make_scores(leads=1)
    shape = (2, 1, scores.sizes["wavenumber"])
    dims = ("forecast", "lead_time", "wavenumber")
    scores = scores.assign(
        spectrum_ratio=xr.DataArray(np.ones(shape), dims=dims),
        spectral_error=xr.DataArray(np.zeros(shape), dims=dims),
    )
    figure = maps(scores)
    figure.savefig("/dev/null", format="png")
    assert [axes.collections[0].get_array().shape[1] for axes in figure.axes[:2]] == [1, 1]


def test_baselines_have_no_maps(scale_scores):
    assert judged(scale_scores) == ["triton"]


def test_ticks_of_small_wavenumbers_are_numbers(scale_scores):
    scores = scale_scores.assign_coords(wavenumber=scale_scores["wavenumber"] * 1e-4)
    axes = maps(scores).axes[0]
    axes.figure.savefig("/dev/null", format="png")
    words = [label.get_text() for label in axes.get_yticklabels()]
    assert "0.001" in words
    assert not any("$" in word for word in words)
