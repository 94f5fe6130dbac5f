from itertools import pairwise

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variable, Variables
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.eddies.sea_level import (
    detect_sea_level_eddies,
    match_eddies,
    survivors,
)

GRID = LatLonGrid(tuple(np.arange(30, 40.1, 0.25)), tuple(np.arange(140, 152.1, 0.25)))
SEA_LEVEL = Variables((Variable("ssh", "m", "sea surface height"),))


def eddy(longitude, latitude=35.0, amplitude=0.3, size=0.8):
    """A Gaussian eddy of `size` degrees of latitude, round on the sphere."""
    east = (GRID.x - longitude) * np.cos(np.deg2rad(latitude))
    distance = east**2 + (GRID.y[:, None] - latitude) ** 2
    return amplitude * np.exp(-distance / (2 * size**2))


def pair(longitude):
    """An anticyclone at 37 N and a cyclone at 33 N."""
    return eddy(longitude, 37.0) + eddy(longitude + 0.5, 33.0, -0.2)


def test_gaussian_eddy():
    (found,) = detect_sea_level_eddies(eddy(146.0), GRID)
    assert (found.latitude, found.longitude) == (35.0, 146.0)
    # W changes sign at r = size, where the sea level is exp(-1/2) of the centre's; the threshold is a little inside.
    assert 0.2 < found.amplitude / 0.3 < 1 - np.exp(-0.5) + 0.02
    assert 0.7 < found.radius / (0.8 * 111.2e3) < 1.02


def test_sense_of_rotation_on_both_hemispheres():
    found = detect_sea_level_eddies(pair(146.0), GRID)
    assert [(one.latitude, one.amplitude > 0) for one in found] == [(37.0, True), (33.0, False)]
    south = LatLonGrid(tuple(-GRID.y[::-1]), GRID.longitude)
    mirrored = detect_sea_level_eddies(pair(146.0)[::-1], south)
    assert [one.latitude for one in mirrored] == [-37.0, -33.0]


def test_eddies_that_move_are_followed_until_they_end():
    maps = [detect_sea_level_eddies(pair(144 + 0.5 * day), GRID) for day in range(6)]
    maps[4] = [one for one in maps[4] if one.amplitude > 0]
    alive, places = [0, 1], []
    for before, after in pairwise(maps):
        alive = list(survivors(alive, match_eddies(before, after)[0]).values())
        places.append([after[position].longitude for position in alive])
    assert [place[0] for place in places] == [144.5, 145, 145.5, 146, 146.5]
    assert [len(place) for place in places] == [2, 2, 2, 1, 1]  # the cyclone of day 5 is a new one


def test_an_eddy_across_the_seam_of_a_global_grid_is_a_single_one():
    """The same sea level with the seam elsewhere has the same eddies."""
    globe = LatLonGrid(tuple(np.arange(30, 40.1, 0.5)), tuple(np.arange(0, 360, 0.5)))
    east = (globe.x - 180) * np.cos(np.deg2rad(35))
    field = 0.3 * np.exp(-(east**2 + (globe.y[:, None] - 35) ** 2) / (2 * 1.5**2))
    (plain,) = detect_sea_level_eddies(field, globe)
    for shift in (359, 360, 362):
        (moved,) = detect_sea_level_eddies(np.roll(field, shift, axis=1), globe)
        assert moved.longitude == (plain.longitude + shift / 2) % 360
        assert moved.latitude == plain.latitude
        assert moved.amplitude == pytest.approx(plain.amplitude, rel=1e-12)
        assert moved.radius == pytest.approx(plain.radius, rel=1e-12)


def test_opposite_eddies_and_far_ones_are_no_pair():
    high, low = (detect_sea_level_eddies(eddy(146.0, amplitude=a), GRID) for a in (0.3, -0.3))
    far = detect_sea_level_eddies(eddy(148.0), GRID)
    assert len(match_eddies(high, low)[0]) == 0
    assert len(match_eddies(high, far)[0]) == 0
    assert len(match_eddies(high, [])[0]) == 0
    pairs, distances = match_eddies(high, detect_sea_level_eddies(eddy(146.5), GRID))
    assert pairs.tolist() == [[0, 0]]
    np.testing.assert_allclose(distances, 0.5 * np.cos(np.deg2rad(35)) * 111.195e3, rtol=1e-3)


@pytest.fixture
def judged(forecasts_of, truth_of):
    """Truth: a pair that moves by half a degree a step. Forecast: it moves half as fast; the cyclone dies after 2."""
    truth = np.stack([pair(144 + 0.5 * step) for step in range(5)])[None, :, None]
    forecast = [pair(144 + 0.25 * step) for step in (1, 2)]
    forecast += [eddy(144 + 0.25 * step, 37.0) for step in (3, 4)]
    return (
        forecasts_of(np.stack(forecast)[None, :, None], variables=SEA_LEVEL, grid=GRID),
        truth_of(truth, variables=SEA_LEVEL, grid=GRID),
    )


@pytest.fixture
def scores(judged):
    return evaluate_forecast(*judged, resamples=10, eddies="ssh")


def test_those_of_a_region_have_their_centre_inside(judged, scores):
    north = Region.parse("35:41,140:153")
    found = evaluate_forecast(*judged, resamples=10, eddies="ssh", region=north)
    assert found["eddy_count"].sel(source="truth").values.tolist() == [1, 1, 1, 1]
    assert found["eddy_hit_rate"].sel(forecast="triton").values.tolist() == [1, 1, 1, 1]
    assert found["eddy_survival"].sel(source="triton").values.tolist() == [1, 1, 1, 1]
    energy = [one["eddy_kinetic_energy"].sel(source="truth") for one in (found, scores)]
    assert (energy[0] > energy[1]).all()


@pytest.mark.parametrize("time", [0, 3])
def test_the_truth_is_whole_outside_a_region_too(judged, time):
    forecast, truth = judged
    truth.fields[0, time, 0, 2, 5] = np.nan
    north = Region.parse("35:41,140:153")
    message = (
        rf"the first in 'ssh' of trajectory 0 at time {time * 0.5}, cell \(2, 5\). Repair the store"
    )
    with pytest.raises(UserError, match=message):
        evaluate_forecast(forecast, truth, resamples=10, eddies="ssh", region=north)


def test_scores_of_moving_eddies(scores):
    one = scores.sel(forecast="triton")
    assert one["eddy_hit_rate"].values.tolist() == [1, 1, 0.5, 0.5]
    assert one["eddy_false_alarm_ratio"].values.tolist() == [0, 0, 0, 0]
    assert scores["eddy_count"].sel(source="truth").values.tolist() == [2, 2, 2, 2]
    assert scores["eddy_survival"].sel(source="truth").values.tolist() == [1, 1, 1, 1]
    assert scores["eddy_survival"].sel(source="triton").values.tolist() == [1, 1, 0.5, 0.5]
    late = 0.25 * np.arange(1, 5) * 111.195e3
    distance = [*late[:2] * np.cos(np.deg2rad([37, 33])).mean(), *late[2:] * np.cos(np.deg2rad(37))]
    np.testing.assert_allclose(one["eddy_centre_distance"], np.asarray(distance) / 1e3, rtol=1e-3)
    np.testing.assert_allclose(one["eddy_amplitude_ratio"], 1, rtol=0.1)
    np.testing.assert_allclose(one["eddy_radius_ratio"], 1, rtol=0.15)


def test_energy_of_a_gaussian_eddy(scores):
    # ⟨u²⟩ + ⟨v²⟩ of η = A exp(-r²/2L²) adds up to π A² (g/f)² over the plane.
    energy = scores["eddy_kinetic_energy"].sel(source="truth")[0]
    width = np.cos(np.deg2rad(35)) * 12.25 * 111.195e3
    coriolis = 2 * 7.292115e-5 * np.sin(np.deg2rad([37, 33]))
    expected = 0.5 * np.pi * (np.array([0.3, 0.2]) ** 2 * (9.80665 / coriolis) ** 2).sum()
    np.testing.assert_allclose(energy, expected / (width * 10.25 * 111.195e3), rtol=0.05)


def test_refusals(forecasts_of, truth_of, flow):
    forecast, truth = forecasts_of(flow[:, 1:]), truth_of(flow)
    with pytest.raises(UserError, match=r"--eddies ssh: the forecast has no such variable"):
        evaluate_forecast(forecast, truth, resamples=10, eddies="ssh")
    with pytest.raises(UserError, match=r"eddies need a latitude-longitude grid; found periodic"):
        evaluate_forecast(forecast, truth, resamples=10, eddies="vorticity")
    warm = Variables((Variable("temperature", "K"),))
    fields = np.stack([eddy(146.0)] * 3)[None, :, None]
    with pytest.raises(UserError, match=r"expected a sea level in m, found units 'K'"):
        evaluate_forecast(
            forecasts_of(fields[:, 1:], variables=warm, grid=GRID),
            truth_of(fields, variables=warm, grid=GRID),
            resamples=10,
            eddies="temperature",
        )
