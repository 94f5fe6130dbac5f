import numpy as np

from triton_earth.plots.spectra import spectra


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
    spectra(scores["enstrophy_spectrum"]).savefig("/dev/null", format="svg")


def test_wavenumber_zero_is_not_on_a_logarithmic_axis(scores):
    shifted = scores.assign_coords(wavenumber=scores["wavenumber"] - 1)
    panel = spectra(shifted["energy_spectrum"]).axes[0]
    assert panel.lines[0].get_xdata().min() == 1.0


def test_leads_asked_for(scores):
    assert len(spectra(scores["energy_spectrum"], (10, 20)).axes) == 2
