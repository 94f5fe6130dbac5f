"""Intervals of every kind of spectrum and of what follows from it."""

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.spectra import scores as spectrum_scores
from triton_earth.evaluation.spectra.names import BOX, BOX_ENERGY, DEGREES, ISOTROPIC, ZONAL

GLOBE = LatLonGrid(tuple(np.arange(-85.0, 90, 10)), tuple(np.arange(0, 360, 15.0)))
REGION = LatLonGrid(tuple(np.arange(10.0, 42, 2)), tuple(np.arange(140.0, 172, 2)))
BOX_GRID = PeriodicGrid(16, 16)
HEIGHT = Variables((Variable("height", "m"),))
INITS, LEADS = 12, 4

KINDS = {
    "box": (BOX, BOX_GRID, Variables((VORTICITY,))),
    "isotropic": (ISOTROPIC, REGION, HEIGHT),
    "zonal": (ZONAL, GLOBE, HEIGHT),
    "degree": (DEGREES, GLOBE, HEIGHT),
}


def names(family):
    return [
        family.spectrum,
        family.ratio,
        family.error,
        family.coherence,
        family.effective,
        family.decorrelation,
    ]


@pytest.fixture
def score(forecasts_of, truth_of):
    def score(grid, variables, noise, amplitude=1.0, resamples=200, inits=INITS):
        """White noise as the truth; the forecast is that times an amplitude, and other noise."""
        generator = np.random.default_rng(3)
        truth = generator.standard_normal((inits, LEADS + 1, 1, *grid.shape))
        other = generator.standard_normal(truth[:, 1:].shape)
        shared = {"grid": grid, "variables": variables}
        return evaluate_forecast(
            forecasts_of(amplitude * truth[:, 1:] + noise * other, **shared),
            truth_of(truth, **shared),
            resamples=resamples,
        )

    return score


@pytest.mark.parametrize("kind", KINDS)
def test_every_score_has_an_interval_that_holds_it(kind, score):
    family, grid, variables = KINDS[kind]
    scores = score(grid, variables, 0.5)
    for name in names(family):
        bounds = scores[f"{name}_interval"]
        assert bounds.dims == (*scores[name].dims, "bound")
        known = bounds.notnull().all("bound")
        assert known.equals(scores[name].notnull()), name
        low, high = bounds.isel(bound=0), bounds.isel(bound=1)
        # A bootstrapped extreme of many scales, such as the first to fail, need not lie around the estimate.
        inside = (low <= scores[name] + 1e-12) & (scores[name] <= high + 1e-12)
        assert float(inside.where(known).mean()) > (0.95 if family.scale in bounds.dims else 0.6)
        assert (low <= high).where(known, True).all()


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_perfect_forecast(kind, score):
    family, grid, variables = KINDS[kind]
    scores = score(grid, variables, 0.0, resamples=50).sel(forecast="triton")
    for name, value in ((family.ratio, 1), (family.coherence, 1), (family.error, 0)):
        bounds = scores[f"{name}_interval"]
        bounds = bounds.where(scores[family.scale] > 0, drop=True)
        np.testing.assert_allclose(bounds, value, atol=1e-9)
    effective = scores[f"{family.effective}_interval"]
    np.testing.assert_array_equal(effective.isel(bound=0), effective.isel(bound=1))
    assert scores[f"{family.decorrelation}_interval"].isnull().all()


@pytest.mark.parametrize("kind", ["box", "degree"])
def test_intervals_hold_the_true_ratio(kind, score):
    """Twice the truth's noise and as much of its own: 0.25 + 0.25 of its spectrum in the long run."""
    family, grid, variables = KINDS[kind]
    scores = score(grid, variables, 0.5, 0.5, resamples=400, inits=30).sel(forecast="triton")
    bounds = scores[f"{family.ratio}_interval"].isel({family.scale: slice(1, 9)})
    holds = (bounds.isel(bound=0) <= 0.5) & (bounds.isel(bound=1) >= 0.5)
    assert float(holds.mean()) > 0.85
    assert float((bounds.isel(bound=1) - bounds.isel(bound=0)).max()) < 0.5


def test_energy_has_an_interval_of_its_spectrum_alone(score):
    scores = score(BOX_GRID, Variables((VORTICITY,)), 0.5, resamples=20)
    assert f"{BOX_ENERGY.spectrum}_interval" in scores
    assert "" not in scores


def test_what_is_too_large_has_intervals_at_the_last_lead_only(score, monkeypatch):
    """The estimates are those of all forecasts still."""
    whole = score(GLOBE, HEIGHT, 0.5, resamples=20)
    monkeypatch.setattr(spectrum_scores, "VALUES_PER_INIT", 100)
    part = score(GLOBE, HEIGHT, 0.5, resamples=20)
    for name in names(DEGREES):
        xr.testing.assert_equal(part[name], whole[name])
        bounds = part[f"{name}_interval"]
        assert bounds.isel(degree_lead_time=slice(-1)).isnull().all()
        last = {"degree_lead_time": -1}
        xr.testing.assert_equal(bounds.isel(last), whole[f"{name}_interval"].isel(last))
        assert bounds.attrs["definition"].endswith("over initial conditions, at 1 of 4 leads")
    assert whole["degree_ratio_interval"].attrs["definition"].endswith("conditions")


def test_no_intervals_of_few_trajectories(score):
    scores = score(GLOBE, HEIGHT, 0.5, resamples=20, inits=3)
    assert scores["degree_ratio"].isel(degree=3).notnull().all()
    assert scores["degree_ratio_interval"].isnull().all()
    assert scores["zonal_error_interval"].isnull().all()


def test_the_first_scale_that_fails_lies_in_its_interval(score):
    """Noise of thrice the variance of the signal: a coherence around ½ at all scales, so that the first is anywhere.

    Resamples in which all are coherent count as the largest resolved wavenumber, 8.
    """
    scores = score(BOX_GRID, Variables((VORTICITY,)), np.sqrt(3), resamples=200)
    found = scores["decorrelation_wavenumber"].sel(forecast="triton")
    low, high = scores["decorrelation_wavenumber_interval"].sel(forecast="triton").values.T
    known = np.isfinite(found.values)
    assert known.any()
    np.testing.assert_array_equal(np.isfinite(high), known)
    assert ((low < found) & (found <= high) & (high <= 8))[known].any()
    assert high[known].max() == 8
