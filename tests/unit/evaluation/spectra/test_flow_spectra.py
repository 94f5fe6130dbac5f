import numpy as np
import pytest
from tests.cases import kept_of

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.spectra.family import spectra
from triton_earth.evaluation.spectra.flow import ENERGY, ENSTROPHY, FlowSpectra, flow_spectra

TEMPERATURE = Variable("temperature", "K")


def _wave(n, k_y, k_x, amplitude=1.0):
    y, x = np.meshgrid(*[np.arange(n) * 2 * np.pi / n] * 2, indexing="ij")
    return amplitude * np.cos(k_y * y + k_x * x)


def _spectra(grid, *fields):
    """Spectra and cross-spectra [2, source, quantity, batch, wavenumber] of single vorticity fields."""
    return FlowSpectra(grid).spectra([field[None, None] for field in fields])[:, :, :, 0]


@pytest.mark.parametrize(("k_y", "k_x", "shell"), [(0, 3, 3), (3, 4, 5), (2, 2, 3), (1, 1, 1)])
def test_one_wave_is_in_one_bin(k_y, k_x, shell):
    found = _spectra(PeriodicGrid(16, 16), _wave(16, k_y, k_x, 3.0))[0, 0]
    enstrophy = np.zeros(12)
    enstrophy[shell] = 0.5 * 9 / 2
    np.testing.assert_allclose(found[ENSTROPHY], enstrophy, atol=1e-14)
    np.testing.assert_allclose(found[ENERGY], enstrophy / (k_y**2 + k_x**2), atol=1e-14)


def test_parseval():
    fields = np.random.default_rng(0).standard_normal((2, 12, 20)).astype(np.float32)
    found = _spectra(PeriodicGrid(12, 20, 3.0, 5.0), *fields).sum(axis=-1)
    one, other = fields.astype(np.float64)
    expected = [[(one**2).mean(), (other**2).mean()], [(one * other).mean(), (other**2).mean()]]
    np.testing.assert_allclose(found[:, :, ENSTROPHY], 0.5 * np.array(expected), rtol=1e-12)


def test_energy_is_that_of_the_velocity():
    """ω = −∇²ψ with ψ = sin 2x + cos 3y: u = −3 sin 3y, v = −2 cos 2x up to signs, so that E = ½ (9 + 4) / 2."""
    y, x = np.meshgrid(*[np.arange(16) * 2 * np.pi / 16] * 2, indexing="ij")
    found = _spectra(PeriodicGrid(16, 16), 4 * np.sin(2 * x) + 9 * np.cos(3 * y))
    np.testing.assert_allclose(found[0, 0, ENERGY].sum(), 0.5 * 13 / 2)


def test_small_scales_are_the_upper_half_up_to_nyquist():
    def small(*grid):
        return np.flatnonzero(FlowSpectra(PeriodicGrid(*grid)).small_scales).tolist()

    assert small(64, 64) == list(range(17, 33))
    assert small(16, 16) == [5, 6, 7, 8]
    # On other sides the bins are multiples of 2 pi / L and the rule is the same.
    assert small(16, 16, 3.0, 3.0) == [5, 6, 7, 8]
    # The coarser direction limits what is resolved.
    assert small(16, 64) == [5, 6, 7, 8]


def test_wavenumbers_are_in_radians_per_length():
    scale = FlowSpectra(PeriodicGrid(8, 8)).scale
    np.testing.assert_allclose(scale.numbers[:3], [0, 1, 2])
    assert scale.largest == pytest.approx(4)
    np.testing.assert_allclose(
        FlowSpectra(PeriodicGrid(8, 8, np.pi, np.pi)).scale.numbers[:3], [0, 2, 4]
    )


def test_spectra_need_vorticity_on_a_whole_periodic_box():
    both, box = Variables((TEMPERATURE, VORTICITY)), PeriodicGrid(4, 4)
    mask = np.ones((2, 4, 4), bool)
    assert flow_spectra(both, box, None).channel == 1
    assert flow_spectra(both, box, mask).channel == 1
    assert flow_spectra(Variables((TEMPERATURE,)), box, None) is None
    square = LatLonGrid((0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0, 3.0))
    assert flow_spectra(both, square, None) is None
    mask[0, 0, 0] = False
    assert flow_spectra(both, box, mask).channel == 1
    mask[1, 0, 0] = False
    assert flow_spectra(both, box, mask) is None


def test_units_of_a_dimensionless_flow():
    plain = Variables((Variable("vorticity", "1"),))
    units = [
        quantity.units for quantity in flow_spectra(plain, PeriodicGrid(4, 4), None).quantities
    ]
    assert units == ["1", "1"]


def test_totals_of_each_forecast(forecasts_of, truth_of):
    large, small = _wave(16, 0, 2), _wave(16, 6, 0)
    true = np.stack([large, large, large + small])[:, None, None]
    forecast = forecasts_of(2 * true, trajectories=np.array([0, 1, 2]))
    forecast.lead_times = np.array([0.5])
    truth = truth_of(np.concatenate([true, true], axis=1))
    (totals,) = kept_of(forecast, truth, lambda case: spectra(case)[0])
    np.testing.assert_allclose(totals.enstrophy[-1, :, 0], [0.25, 0.25, 0.5], rtol=1e-6)
    np.testing.assert_allclose(totals.enstrophy[0, :, 0], [1, 1, 2], rtol=1e-6)
    energy = [0.25 / 4, 0.25 / 4, 0.25 / 4 + 0.25 / 36]
    np.testing.assert_allclose(totals.energy[-1, :, 0], energy, rtol=1e-6)
    np.testing.assert_allclose(totals.small_scale_enstrophy[-1, :, 0], [0, 0, 0.25], atol=1e-7)
    twice = totals.merge(totals)
    np.testing.assert_array_equal(twice.energy[:, 3:], totals.energy)
