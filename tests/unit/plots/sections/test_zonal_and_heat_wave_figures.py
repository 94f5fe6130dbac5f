import numpy as np
import pytest
import xarray as xr

from triton_earth.plots.sections.events import HEAT_WAVES, score_grid
from triton_earth.plots.sections.zonal import last_lead, zonal_maps, zonal_spectra

SOURCES = ["model", "climatology", "truth"]


@pytest.fixture
def zonal():
    bands = ["60S-30S", "30S-0", "0-30N", "30N-60N"]
    values = np.broadcast_to((1.0 + np.arange(20)) ** -3, (3, 1, 4, 2, 20)).copy()
    values[1] = 0.0
    values[:, :, 1] = np.nan
    dims = ("source", "variable", "latitude_band", "zonal_lead_time", "zonal_wavenumber")
    return xr.Dataset(
        {"zonal_spectrum": (dims, values, {"units": "(K)2", "long_name": "zonal spectrum"})},
        coords={
            "source": SOURCES,
            "variable": ["sst"],
            "latitude_band": bands,
            "zonal_lead_time": np.array([1, 5], "m8[D]").astype("m8[ns]"),
            "zonal_wavenumber": (
                "zonal_wavenumber",
                np.arange(20.0),
                {"long_name": "zonal wavenumber"},
            ),
        },
    )


def test_bands_without_values_have_no_panel(zonal):
    figure = zonal_spectra(zonal, "sst")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["60S to 30S", "0 to 30N", "30N to 60N"]
    assert figure.axes[0].get_ylabel() == "Zonal spectrum (K²)"
    assert figure.axes[0].get_xlabel() == "Zonal wavenumber"
    assert last_lead(zonal) == "5 days"
    figure.savefig("/dev/null", format="svg")


def test_intervals_of_zonal_spectra_are_shaded(zonal):
    spectrum = zonal["zonal_spectrum"]
    ends = xr.concat([0.5 * spectrum, 2 * spectrum], dim="bound").transpose(..., "bound")
    zonal["zonal_spectrum_interval"] = ends.assign_coords(bound=["lower", "upper"])
    for axes in zonal_spectra(zonal, "sst").axes:
        truth, model = (found.get_paths()[0].vertices for found in axes.collections)
        for corners in (truth, model):
            assert corners[:, 1].max() == pytest.approx(2 * 2.0**-3)


def test_too_much_and_too_little_by_band_and_lead(zonal):
    """Twice the truth's spectrum everywhere is one colour, log2 of it 1; the mean (wavenumber 0) is left out."""
    ratio = 2.0 * zonal["zonal_spectrum"] / zonal["zonal_spectrum"].sel(source="truth")
    zonal["zonal_ratio"] = ratio.isel(source=[0]).rename(source="forecast")
    figure = zonal_maps(zonal, "sst", "model")
    maps = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in maps] == ["60S to 30S", "0 to 30N", "30N to 60N"]
    for axes in maps:
        drawn = axes.collections[0].get_array()
        assert drawn.shape == (19, 2)
        np.testing.assert_allclose(drawn, 1.0)
    figure.savefig("/dev/null", format="png")


def test_heat_wave_curves(make_scores):
    scores = make_scores(leads=10, turbulence=False, calendar=True)
    values = np.full((2, 10), 0.5)
    for name in HEAT_WAVES[:3]:
        scores[name] = (("forecast", "lead_time"), values)
    area = np.full((3, 10), 0.1)
    area[2] = np.nan
    scores["heat_wave_area"] = xr.DataArray(
        area, dims=("source", "lead_time"), coords={"source": ["triton", "persistence", "truth"]}
    )
    figure = score_grid(scores, HEAT_WAVES)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2, 3]
    assert figure.axes[0].get_xlabel() == "Lead time (days)"
    figure.savefig("/dev/null", format="svg")
