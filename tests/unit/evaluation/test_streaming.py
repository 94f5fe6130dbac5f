import numpy as np
import pytest
from tests.cases import case_of, kept_of

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.variables import VORTICITY, Variable, Variables
from triton_earth.evaluation import streaming
from triton_earth.evaluation.aggregator import Aggregator
from triton_earth.evaluation.metrics.error_sums import error_sums
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.metrics.totals import Totals
from triton_earth.evaluation.spectra.family import spectra

FORECAST, PERSISTENCE, TRUTH = 0, 1, -1

INIT_TIMES = np.array([0.0, 0.5, 1.5, 1.5, 2.0, 0.0])
TRAJECTORIES = np.array([0, 1, 2, 3, 0, 5])


def _pair(forecasts_of, truth_of, flow, chunk=2):
    forecast = flow[TRAJECTORIES][:, :5] * 0.9
    return (
        forecasts_of(forecast, init_times=INIT_TIMES, trajectories=TRAJECTORIES, chunk=chunk),
        truth_of(flow),
    )


def _totals(case):
    (found,) = (one for one in spectra(case) if isinstance(one, Totals))
    return found


@pytest.mark.parametrize("chunk", [1, 2, 4, 100])
@pytest.mark.parametrize("values_in_memory", [1, 600, 2**22])
def test_portions_do_not_matter(chunk, values_in_memory, forecasts_of, truth_of, flow, monkeypatch):
    errors, totals = kept_of(*_pair(forecasts_of, truth_of, flow, 100), Errors, _totals)
    monkeypatch.setattr(streaming, "VALUES_IN_MEMORY", values_in_memory)
    found, found_totals = kept_of(*_pair(forecasts_of, truth_of, flow, chunk), Errors, _totals)
    np.testing.assert_array_equal(found.sums, errors.sums)
    np.testing.assert_array_equal(found_totals.energy, totals.energy)
    np.testing.assert_allclose(found_totals.sums, totals.sums, rtol=1e-13, atol=1e-18)
    np.testing.assert_array_equal(found_totals.per_init, totals.per_init)


@pytest.mark.parametrize("whole_globe", [True, False])
def test_merged_spectra_are_those_of_all(whole_globe, forecasts_of, truth_of):
    """Of initial conditions in parts: zonal ones, by degree on the globe, isotropic ones in a region."""
    latitude = np.arange(-85.0, 90, 10) if whole_globe else np.arange(5.0, 95, 5)
    longitude = np.arange(0, 360, 15.0) if whole_globe else np.arange(24) * 5.0
    grid = LatLonGrid(tuple(latitude), tuple(longitude))
    winds = Variables((Variable("u10", "m s-1"), Variable("v10", "m s-1")))
    fields = np.random.default_rng(0).standard_normal((5, 4, 2, *grid.shape))
    shared = {"grid": grid, "variables": winds}
    truth, whole = truth_of(fields, **shared), forecasts_of(0.9 * fields[:, 1:], **shared)
    case = case_of([whole], truth)
    parts = []
    for rows in (np.arange(5), np.arange(2), np.arange(2, 5)):
        parts.append(spectra(case.select(rows)))
        streaming.stream(case.select(rows), parts[-1])
    kinds = ["zonal_spectrum", "degree_spectrum" if whole_globe else "isotropic_spectrum"]
    assert [one.quantities[0].names.spectrum for one in parts[0]] == kinds
    for expected, one, other in zip(*parts, strict=True):
        merged = one.merge(other)
        np.testing.assert_allclose(merged.sums, expected.sums, rtol=1e-12)
        # Products of matrices of other sizes may round otherwise, which depends on the processor.
        np.testing.assert_allclose(merged.per_init, expected.per_init, rtol=1e-12)
        np.testing.assert_allclose(
            merged.per_init.sum(axis=3), merged.sums[:, :, :, merged.leads_per_init], rtol=1e-10
        )


def test_every_field_meets_its_own_truth(forecasts_of, truth_of, flow):
    forecast, truth = _pair(forecasts_of, truth_of, flow)
    errors, totals = kept_of(forecast, truth, Errors, _totals)
    for init, (time, trajectory) in enumerate(zip(INIT_TIMES, TRAJECTORIES, strict=True)):
        start = int(2 * time)
        for lead in range(5):
            if start + lead + 1 >= 8:
                assert not errors.sums[:, :, init, lead].any()
                assert np.isnan(totals.energy[:, init, lead]).all()
                continue
            true = flow[trajectory, start + lead + 1][None]
            for source, field in (
                (FORECAST, forecast.fields[init, lead]),
                (PERSISTENCE, flow[trajectory, start]),
            ):
                expected = error_sums(field[None], true, np.ones((16, 16))).to_array()[:, 0]
                np.testing.assert_array_equal(errors.sums[:, source, init, lead], expected)
            enstrophy = 0.5 * (true.astype(np.float64) ** 2).mean()
            np.testing.assert_allclose(totals.enstrophy[TRUTH, init, lead], enstrophy, rtol=1e-12)


def test_each_truth_is_read_once(forecasts_of, truth_of, flow):
    forecast, truth = _pair(forecasts_of, truth_of, flow, chunk=100)
    kept_of(forecast, truth, Errors)
    assert truth.reads == 2 * 6  # the initial time and one block of leads of each forecast


def test_truth_is_read_between_where_steps_differ(forecasts_of, truth_of, flow):
    forecast = forecasts_of(flow[:, [2, 4, 6]], time_step=1.0)
    truth = truth_of(flow)
    (found,) = kept_of(forecast, truth, Errors)
    assert not found.of(FORECAST).error_squared.any()
    assert found.of(PERSISTENCE).error_squared.all()


def test_channels_are_paired_by_name(forecasts_of, truth_of):
    warm = Variable("temperature", "K")
    fields = np.random.default_rng(0).standard_normal((2, 4, 2, 6, 6)).astype(np.float32)
    truth = truth_of(fields, variables=Variables((VORTICITY, warm)))
    forecast = forecasts_of(fields[:, 1:, ::-1], variables=Variables((warm, VORTICITY)))
    (found,) = kept_of(forecast, truth, Errors)
    assert not found.of(FORECAST).error_squared.any()


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
        kept_of(forecast, truth, Errors)


def test_truth_may_be_nan_where_it_is_not_valid(forecasts_of, truth_of, flow):
    flow = flow.copy()
    flow[..., 3, 7] = np.nan
    mask = np.ones((1, 16, 16), bool)
    mask[0, 3, 7] = False
    truth = truth_of(flow, valid_mask=mask)
    forecast = forecasts_of(np.nan_to_num(flow[:, 1:], nan=99.0))
    (found,) = kept_of(forecast, truth, Errors)
    assert not found.of(FORECAST).error_squared.any()
    assert (found.of(FORECAST).weight == 255).all()
    assert spectra(case_of([forecast], truth)) == []


class _Steps(Aggregator):
    """Which fields pass, in order; it wants all that have no truth."""

    def __init__(self, case):
        self.steps_without_truth = range(len(case.forecast.lead_times))
        self.passed = []

    def add(self, batch):
        self.passed += [(int(row), batch.step, "truth") for row in batch.rows]

    def add_without_truth(self, fields):
        self.passed += [(int(row), fields.step, "none") for row in fields.rows]
        assert len(fields.fields) == len(fields.members) == 1

    def scores(self, finished):
        raise NotImplementedError


def test_every_field_passes_once_in_ascending_leads(forecasts_of, truth_of, flow):
    forecast, truth = _pair(forecasts_of, truth_of, flow)
    reads = []
    read = forecast.read
    forecast.read = lambda inits, lead: reads.append((inits.start, lead)) or read(inits, lead)
    (found,) = kept_of(forecast, truth, _Steps)
    assert len(reads) == len(set(reads))
    assert sorted((row, step) for row, step, _ in found.passed) == [
        (row, step) for row in range(6) for step in range(5)
    ]
    for row, time in enumerate(INIT_TIMES):
        own = [(step, kind) for one, step, kind in found.passed if one == row]
        last = 7 - int(2 * time)
        assert own == [(step, "truth" if step < last else "none") for step in range(5)]


def test_truth_begins_again_after_a_gap(forecasts_of, truth_of, flow):
    """A record with a gap: leads inside it are not scored, later ones meet their own truth."""
    truth = truth_of(flow)
    truth.recorded[3] = False
    truth.fields[:, 3] = np.nan
    forecast = forecasts_of(
        np.stack([flow[0, 1:6], flow[1, 2:7]]),
        init_times=np.array([0.0, 0.5]),
        trajectories=np.arange(2),
    )
    (found,) = kept_of(forecast, truth, Errors)
    scored = np.ones((2, 5), bool)
    scored[0, 2] = scored[1, 1] = False
    np.testing.assert_array_equal(found.of(FORECAST).weight[..., 0] > 0, scored)
    assert not found.of(FORECAST).error_squared.any()
    assert found.of(PERSISTENCE).error_squared[scored].all()
