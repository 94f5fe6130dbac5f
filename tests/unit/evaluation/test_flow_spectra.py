import numpy as np
import pytest

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.flow_records import FlowRecords
from triton_earth.evaluation.spectra import (
    flow_spectra,
    small_scales,
    spectral_channel,
    wavenumbers,
)

TEMPERATURE = Variable("temperature", "K")


def _wave(n, k_y, k_x, amplitude=1.0):
    y, x = np.meshgrid(*[np.arange(n) * 2 * np.pi / n] * 2, indexing="ij")
    return amplitude * np.cos(k_y * y + k_x * x)


@pytest.mark.parametrize(("k_y", "k_x", "shell"), [(0, 3, 3), (3, 4, 5), (2, 2, 3), (1, 1, 1)])
def test_one_wave_is_in_one_bin(k_y, k_x, shell):
    spectra = flow_spectra(_wave(16, k_y, k_x, 3.0), PeriodicGrid(16, 16))
    enstrophy = np.zeros(12)
    enstrophy[shell] = 0.5 * 9 / 2
    np.testing.assert_allclose(spectra.enstrophy, enstrophy, atol=1e-14)
    np.testing.assert_allclose(spectra.energy, enstrophy / (k_y**2 + k_x**2), atol=1e-14)


def test_parseval():
    field = np.random.default_rng(0).standard_normal((3, 12, 20)).astype(np.float32)
    spectra = flow_spectra(field, PeriodicGrid(12, 20, 3.0, 5.0))
    expected = 0.5 * (field.astype(np.float64) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(spectra.enstrophy.sum(axis=-1), expected, rtol=1e-12)


def test_small_scales_are_the_upper_half_up_to_nyquist():
    assert np.flatnonzero(small_scales(PeriodicGrid(64, 64))).tolist() == list(range(17, 33))
    assert np.flatnonzero(small_scales(PeriodicGrid(16, 16))).tolist() == [5, 6, 7, 8]
    # On other sides the bins are multiples of 2 pi / L and the rule is the same.
    assert np.flatnonzero(small_scales(PeriodicGrid(16, 16, 3.0, 3.0))).tolist() == [5, 6, 7, 8]
    # The coarser direction limits what is resolved.
    assert np.flatnonzero(small_scales(PeriodicGrid(16, 64))).tolist() == [5, 6, 7, 8]


def test_wavenumbers_are_in_radians_per_length():
    np.testing.assert_allclose(wavenumbers(PeriodicGrid(8, 8))[:3], [0, 1, 2])
    np.testing.assert_allclose(wavenumbers(PeriodicGrid(8, 8, np.pi, np.pi))[:3], [0, 2, 4])


def test_spectra_need_vorticity_on_a_whole_periodic_box():
    both, box = Variables((TEMPERATURE, VORTICITY)), PeriodicGrid(4, 4)
    mask = np.ones((2, 4, 4), bool)
    assert spectral_channel(both, box, None) == 1
    assert spectral_channel(both, box, mask) == 1
    assert spectral_channel(Variables((TEMPERATURE,)), box, None) is None
    assert (
        spectral_channel(both, LatLonGrid((0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0, 3.0)), None) is None
    )
    mask[0, 0, 0] = False
    assert spectral_channel(both, box, mask) == 1
    mask[1, 0, 0] = False
    assert spectral_channel(both, box, mask) is None
    assert FlowRecords.empty(both, box, mask, sources=1, inits=1, leads=1) is None


def test_records_keep_totals_and_add_spectra():
    grid = PeriodicGrid(16, 16)
    records = FlowRecords.empty(Variables((VORTICITY,)), grid, None, sources=2, inits=3, leads=2)
    large, small = _wave(16, 0, 2), _wave(16, 6, 0)
    states = np.stack([large, large + small])[:, None]
    records.put(1, np.array([0, 2]), 1, records.spectra(states))
    np.testing.assert_allclose(records.totals.enstrophy[1, :, 1], [0.25, np.nan, 0.5])
    np.testing.assert_allclose(
        records.totals.energy[1, :, 1], [0.25 / 4, np.nan, 0.25 / 4 + 0.25 / 36]
    )
    np.testing.assert_allclose(
        records.totals.small_scale_enstrophy[1, :, 1], [0, np.nan, 0.25], atol=1e-15
    )
    assert np.isnan(records.totals.energy[0]).all()
    np.testing.assert_allclose(records.enstrophy_spectrum[1, 1, [2, 6]], [0.5, 0.25])
    assert not records.enstrophy_spectrum[:, 0].any()
