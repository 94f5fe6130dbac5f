"""Ratio, error, coherence and the wavenumbers at which they fail, on waves whose spectra are known."""

import numpy as np
import pytest

from triton_earth.core.grid import PeriodicGrid
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.spectra.flow import ENSTROPHY, FlowSpectra
from triton_earth.evaluation.spectra.scales import (
    coherence,
    decorrelation_wavenumber,
    effective_wavenumber,
    spectral_error,
    spectrum_ratio,
)

GRID = PeriodicGrid(16, 16)
K = np.arange(6.0)


@pytest.fixture
def pair():
    return np.random.default_rng(0).standard_normal((2, 3, 16, 16))


def three(forecast, truth):
    """Enstrophy spectra of both, and their cross-spectrum."""
    both = FlowSpectra(GRID).spectra([forecast[:, None], truth[:, None]])[:, :, ENSTROPHY]
    return both[0, 0], both[0, 1], both[1, 0]


def test_spectrum_of_the_difference(pair):
    f, t, cross = three(*pair)
    expected = three(pair[0] - pair[1], pair[1])[0] / t
    np.testing.assert_allclose(spectral_error(f, t, cross), expected, rtol=1e-10)


@pytest.mark.parametrize("phase", [0.0, np.pi / 3, np.pi / 2, np.pi])
def test_a_shifted_wave_of_another_amplitude(phase):
    x = np.arange(16) * 2 * np.pi / 16
    truth = np.tile(np.sin(3 * x), (1, 16, 1))
    forecast = np.tile(0.5 * np.sin(3 * x + phase), (1, 16, 1))
    f, t, cross = (spectrum[0] for spectrum in three(forecast, truth))
    assert spectrum_ratio(f, t)[3] == pytest.approx(0.25)
    assert coherence(f, t, cross)[3] == pytest.approx(np.cos(phase), abs=1e-12)
    assert spectral_error(f, t, cross)[3] == pytest.approx(1.25 - np.cos(phase))
    empty = np.arange(len(t)) != 3
    for value in (spectrum_ratio(f, t), coherence(f, t, cross), spectral_error(f, t, cross)):
        assert np.isnan(value[empty]).all()


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ([np.nan, 1, 1, 1, 1, 1], 5),
        ([np.nan, 1, 2, 0.5, 0.49, 1], 3),
        ([np.nan, 2.1, 1, 1, 1, 1], 0),
        ([9, 1, np.nan, 1, 3, 1], 3),
        ([np.nan] * 6, np.nan),
    ],
)
def test_effective_wavenumber(ratio, expected):
    assert effective_wavenumber(np.array(ratio), K) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("coherent", "expected"),
    [
        ([0, 1, 0.9, 0.5, 0.49, 0.8], 4),
        ([0, 1, 1, 1, 1, 1], np.inf),
        ([0, np.nan, -0.3, 1, 1, 1], 2),
        ([0, *[np.nan] * 5], np.nan),
    ],
)
def test_decorrelation_wavenumber(coherent, expected):
    found = decorrelation_wavenumber(np.array(coherent, float), K)
    assert found == pytest.approx(expected, nan_ok=True)


def test_a_forecast_without_small_scales(flow, forecasts_of, truth_of):
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.arange(9), indexing="ij"))
    smooth = np.fft.irfft2(np.fft.rfft2(flow[:, 1:]) * (k < 4.5), s=(16, 16))
    scores = evaluate_forecast(forecasts_of(smooth), truth_of(flow), resamples=20)
    one = scores.sel(forecast="triton")
    assert one["spectrum_ratio"].dims == ("lead_time", "wavenumber")
    np.testing.assert_allclose(one["spectrum_ratio"].sel(wavenumber=slice(1, 4)), 1, rtol=1e-5)
    np.testing.assert_allclose(one["spectral_error"].sel(wavenumber=slice(1, 4)), 0, atol=1e-5)
    np.testing.assert_allclose(one["spectral_error"].sel(wavenumber=slice(5, 9)), 1, rtol=1e-5)
    assert (one["effective_wavenumber"] == 4).all()
    assert np.isnan(one["decorrelation_wavenumber"]).all()
