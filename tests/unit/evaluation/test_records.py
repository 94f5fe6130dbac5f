import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation import records as records_module
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.records import FORECAST, PERSISTENCE, TRUTH, join, record

INIT_TIMES = np.array([0.0, 0.5, 1.5, 1.5, 2.0, 0.0])
TRAJECTORIES = np.array([0, 1, 2, 3, 0, 5])


def _pair(forecasts_of, truth_of, flow, chunk=2):
    forecast = flow[TRAJECTORIES][:, :5] * 0.9
    return (
        forecasts_of(forecast, init_times=INIT_TIMES, trajectories=TRAJECTORIES, chunk=chunk),
        truth_of(flow),
    )


def _paired(forecasts_of, truth_of, flow, chunk):
    forecast, truth = _pair(forecasts_of, truth_of, flow, chunk)
    return forecast, truth, align(forecast, truth)


@pytest.mark.parametrize("chunk", [1, 2, 4, 100])
@pytest.mark.parametrize("values_in_memory", [1, 600, 2**22])
def test_portions_do_not_matter(chunk, values_in_memory, forecasts_of, truth_of, flow, monkeypatch):
    whole = record(*_paired(forecasts_of, truth_of, flow, 100))
    monkeypatch.setattr(records_module, "VALUES_IN_MEMORY", values_in_memory)
    found = record(*_paired(forecasts_of, truth_of, flow, chunk))
    np.testing.assert_array_equal(found.sums, whole.sums)
    np.testing.assert_array_equal(found.totals.energy, whole.totals.energy)
    spectra, expected = found.spectra["flow"], whole.spectra["flow"]
    np.testing.assert_allclose(spectra.total, expected.total, rtol=1e-13, atol=1e-18)
    np.testing.assert_array_equal(spectra.each, expected.each)


@pytest.mark.parametrize("whole_globe", [True, False])
def test_joined_spectra_are_those_of_all(whole_globe, forecasts_of, truth_of):
    """Of initial conditions recorded apart: zonal ones, by degree on the globe, isotropic ones in a region."""
    latitude = np.arange(-85.0, 90, 10) if whole_globe else np.arange(5.0, 95, 5)
    longitude = np.arange(0, 360, 15.0) if whole_globe else np.arange(24) * 5.0
    grid = LatLonGrid(tuple(latitude), tuple(longitude))
    winds = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1")))
    fields = np.random.default_rng(0).standard_normal((5, 4, 2, *grid.shape))
    shared = {"grid": grid, "variables": winds}
    truth = truth_of(fields, **shared)
    whole = forecasts_of(0.9 * fields[:, 1:], **shared)
    expected = record(whole, truth, align(whole, truth))
    parts = []
    for rows in (np.arange(2), np.arange(2, 5)):
        part = forecasts_of(0.9 * fields[rows, 1:], trajectories=rows, **shared)
        parts.append(record(part, truth, align(part, truth)))
    found = join(parts)
    assert set(found.spectra) == {"zonal", "degree" if whole_globe else "isotropic"}
    for name, spectra in found.spectra.items():
        np.testing.assert_allclose(spectra.total, expected.spectra[name].total, rtol=1e-12)
        np.testing.assert_array_equal(spectra.each, expected.spectra[name].each)
        np.testing.assert_allclose(
            spectra.each.sum(axis=3), spectra.total[:, :, :, spectra.apart], rtol=1e-10
        )


def test_every_field_meets_its_own_truth(forecasts_of, truth_of, flow):
    forecast, truth = _pair(forecasts_of, truth_of, flow)
    alignment = align(forecast, truth)
    found = record(forecast, truth, alignment)
    for init, (time, trajectory) in enumerate(zip(INIT_TIMES, TRAJECTORIES, strict=True)):
        start = int(2 * time)
        for lead in range(5):
            if start + lead + 1 >= 8:
                assert not found.sums[:, :, init, lead].any()
                assert np.isnan(found.totals.energy[:, init, lead]).all()
                continue
            true = flow[trajectory, start + lead + 1][None]
            for source, field in (
                (FORECAST, forecast.fields[init, lead]),
                (PERSISTENCE, flow[trajectory, start]),
            ):
                expected = error_sums(field[None], true, np.ones((16, 16))).to_array()[:, 0]
                np.testing.assert_array_equal(found.sums[:, source, init, lead], expected)
            enstrophy = 0.5 * (true.astype(np.float64) ** 2).mean()
            np.testing.assert_allclose(
                found.totals.enstrophy[TRUTH, init, lead], enstrophy, rtol=1e-12
            )


def test_each_truth_is_read_once(forecasts_of, truth_of, flow):
    forecast, truth = _pair(forecasts_of, truth_of, flow, chunk=100)
    record(forecast, truth, align(forecast, truth))
    assert truth.reads == 2 * 6  # the initial time and one block of leads of each forecast


def test_truth_is_read_between_where_steps_differ(forecasts_of, truth_of, flow):
    forecast = forecasts_of(flow[:, [2, 4, 6]], time_step=1.0)
    truth = truth_of(flow)
    found = record(forecast, truth, align(forecast, truth))
    assert not found.errors(FORECAST).error_squared.any()
    assert found.errors(PERSISTENCE).error_squared.all()


def test_channels_are_paired_by_name(forecasts_of, truth_of):
    warm = Variable("temperature", "K")
    fields = np.random.default_rng(0).standard_normal((2, 4, 2, 6, 6)).astype(np.float32)
    truth = truth_of(fields, variables=Variables((VORTICITY, warm)))
    forecast = forecasts_of(fields[:, 1:, ::-1], variables=Variables((warm, VORTICITY)))
    found = record(forecast, truth, align(forecast, truth))
    assert not found.errors(FORECAST).error_squared.any()


@pytest.mark.parametrize("time", [0, 2])
def test_truth_that_is_not_finite_is_refused_with_its_place(time, forecasts_of, truth_of, flow):
    flow = flow.copy()
    flow[4, time, 0, 3, 7] = np.nan
    truth = truth_of(flow)
    forecast = forecasts_of(flow[:, 1:])
    message = (
        "the truth holds 1 values that are not finite, the first in 'vorticity' of "
        rf"trajectory 4 at time {time * 0.5}, cell \(3, 7\). Repair the store, or mark"
    )
    with pytest.raises(UserError, match=message):
        record(forecast, truth, align(forecast, truth))


def test_truth_may_be_nan_where_it_is_not_valid(forecasts_of, truth_of, flow):
    flow = flow.copy()
    flow[..., 3, 7] = np.nan
    mask = np.ones((1, 16, 16), bool)
    mask[0, 3, 7] = False
    truth = truth_of(flow, valid_mask=mask)
    forecast = forecasts_of(np.nan_to_num(flow[:, 1:], nan=99.0))
    found = record(forecast, truth, align(forecast, truth))
    assert not found.errors(FORECAST).error_squared.any()
    assert (found.errors(FORECAST).weight == 255).all()
    assert found.totals is None
    assert "flow" not in found.spectra
