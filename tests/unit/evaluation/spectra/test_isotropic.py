import numpy as np
import pytest

from triton_earth.core.grid import ClosedGrid, LatLonGrid, PeriodicGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.spectra.isotropic import isotropic_box
from triton_earth.evaluation.spectra.transform import cut_to
from triton_earth.physics.sphere import EARTH_RADIUS

REGION = LatLonGrid(tuple(np.arange(30.125, 42, 0.25)), tuple(np.arange(140.125, 160, 0.25)))
GLOBE = LatLonGrid(tuple(np.arange(-87.5, 90, 5)), tuple(np.arange(0.0, 360, 5)))


def spectrum(box, field):
    coefficients = box.coefficients(field)
    return box.spectrum(coefficients, coefficients)


@pytest.mark.parametrize("grid", [REGION, ClosedGrid(24, 40, 1.0, 2.0), PeriodicGrid(16, 24)])
def test_parseval(grid):
    field = np.random.default_rng(0).standard_normal((2, *grid.shape)).astype(np.float32)
    box = isotropic_box(grid)
    expected = (box.windowed(field) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(spectrum(box, field).sum(axis=-1), expected, rtol=1e-10)
    np.testing.assert_allclose(expected, (field**2).mean(axis=(1, 2)), rtol=0.15)


def test_a_plane_wave_has_its_wavelength_in_km():
    """A wave of 200 km, on a slope far larger than it; half its square amplitude is the mean square."""
    box = isotropic_box(REGION)
    radius = EARTH_RADIUS / 1e3
    middle = np.cos(np.deg2rad(REGION.y)).mean()
    y = np.deg2rad(REGION.y)[:, None] * radius
    x = np.deg2rad(REGION.x)[None, :] * radius * middle
    k = 2 * np.pi / 200
    field = 0.3 * np.cos(0.6 * k * x + 0.8 * k * y + 1) + 0.01 * x - 0.02 * y + 300
    found = spectrum(box, field)
    assert box.wavenumbers[found.argmax()] == pytest.approx(k, abs=box.wavenumbers[1])
    near = np.abs(box.wavenumbers - k) <= 2.5 * box.wavenumbers[1]
    assert found[near].sum() == pytest.approx(0.045, rel=0.05)
    assert found[~near].sum() < 0.02 * found[near].sum()


def test_a_plane_has_nothing():
    y, x = np.meshgrid(REGION.y, REGION.x, indexing="ij")
    np.testing.assert_allclose(spectrum(isotropic_box(REGION), 280 + 3 * y - 2 * x), 0, atol=1e-18)


def test_where_there_is_none():
    assert isotropic_box(GLOBE) is None
    assert isotropic_box(PeriodicGrid(4, 32)) is None
    assert isotropic_box(cut_to(Region.parse("20:60,0:360"), GLOBE)[0]) is None


def test_a_region_is_cut_out():
    region = Region.parse("20:60,340:60")
    part, inside = cut_to(region, GLOBE)
    field = np.broadcast_to(GLOBE.x, GLOBE.shape)
    assert part.shape == (8, 17)
    np.testing.assert_array_equal(inside(field)[0] % 360, part.x % 360)


def test_scores_in_a_region_of_a_globe(forecasts_of, truth_of):
    """Half the amplitude is a quarter of the spectrum; the region has its own zonal spectra, and none by degree."""
    generator = np.random.default_rng(1)
    variables = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1")))
    true = generator.standard_normal((8, 6, 2, *GLOBE.shape)).astype(np.float32)
    scores = evaluate_forecast(
        forecasts_of(0.5 * true[:, 1:], variables=variables, grid=GLOBE),
        truth_of(true, variables=variables, grid=GLOBE),
        resamples=20,
        region=Region.parse("-60:60,30:200"),
    )
    model = scores["isotropic_ratio"].isel(forecast=0, isotropic_wavenumber=slice(1, None))
    np.testing.assert_allclose(model, 0.25, rtol=1e-5)
    error = scores["isotropic_error"].isel(forecast=0, isotropic_wavenumber=slice(1, None))
    np.testing.assert_allclose(error, 0.25, rtol=1e-4)
    energy = scores["isotropic_kinetic_energy"].sel(velocity="u10")
    np.testing.assert_allclose(
        energy, 0.5 * scores["isotropic_spectrum"].sum("variable"), rtol=1e-12
    )
    assert scores["isotropic_wavenumber"].attrs["units"] == "rad km-1"
    assert scores["isotropic_wavenumber"].attrs["wavelength_of_one"] == pytest.approx(2 * np.pi)
    equator = 2 * np.pi * 6371  # km, which is the middle of the region
    assert scores["zonal_wavenumber"].attrs["wavelength_of_one"] == pytest.approx(equator)
    assert "zonal_spectrum" in scores
    assert "degree_spectrum" not in scores
    interval = scores["isotropic_spectrum_interval"]
    mean = scores["isotropic_spectrum"]
    known = interval.notnull().all("bound") & (mean > 0)
    inside = (interval.isel(bound=0) <= mean) & (mean <= interval.isel(bound=1))
    assert float(inside.where(known).mean()) > 0.9
