"""Means over calendar months: those of the single steps, the same bits after a crash, for members and stabilisers."""

import numpy as np
import pytest
import xarray as xr

from tests.builders import daily_store, files_below, tiny_forecaster
from tests.crashes import dies_at_call
from triton_earth.core.errors import UserError
from triton_earth.exchange.export_forecast import export_forecast
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.rollout.monthly_means import Month, MonthlyMeans, whole_months
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.rollout.storage.output import OutputConfig
from triton_earth.rollout.storage.restart import Pace
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow.judging.evaluation_inputs import require_single_steps

DAY = np.timedelta64(1, "D")


def dates(*texts):
    return np.array(texts, "datetime64[ns]")


def test_months_that_are_whole():
    found = whole_months(dates("2002-07-10"), DAY, 92)
    # 22 steps reach 1 August; the last, 10 October, leaves October unfinished.
    assert found == (
        Month(np.datetime64("2002-08-01"), 52, 31),
        Month(np.datetime64("2002-09-01"), 82, 30),
    )
    assert whole_months(dates("2002-07-31"), DAY, 31)[0].steps == 31
    with pytest.raises(UserError, match="30 steps from 2002-07-31 have no whole calendar month"):
        whole_months(dates("2002-07-31"), DAY, 30)
    # The first of August is the initial state, no step.
    with pytest.raises(UserError, match="no whole calendar month"):
        whole_months(dates("2002-08-01"), DAY, 31)
    leap = whole_months(dates("2004-01-31T18:00"), np.timedelta64(6, "h"), 4 * 29)
    assert leap == (Month(np.datetime64("2004-02-01"), 116, 116),)
    assert whole_months(dates("2002-07-10", "2002-07-10"), DAY, 60)


@pytest.mark.parametrize(
    ("times", "step", "words"),
    [
        (np.array([0.5]), 0.1, "there are calendar months where times are dates"),
        (
            dates("2002-07-10", "2002-08-10"),
            DAY,
            "expected one initial time.* found 2, 2002-07-10 to 2002-08-10. Choose one with --init",
        ),
    ],
)
def test_what_has_no_months_is_refused(times, step, words):
    with pytest.raises(UserError, match=words):
        whole_months(times, step, 60)


def test_means_are_those_of_numpy_and_go_on_from_what_they_remember():
    months = whole_months(dates("2002-07-10"), DAY, 92)
    fields = np.random.default_rng(0).standard_normal((92, 2, 3, 4)).astype(np.float32)
    means, found = MonthlyMeans(months, {}), {}
    for step in range(1, 93):
        if step == 60:  # in the middle of a month
            means = MonthlyMeans(months, means.memory())
        if (values := means.add(step, [fields[step - 1]], [fields[step - 1]])) is not None:
            found[step] = values
        assert len(means.memory()) <= 2
    assert list(found) == [52, 82]
    for end, count in ((52, 31), (82, 30)):
        part = fields[end - count : end].astype(np.float64)
        np.testing.assert_allclose(found[end][0], part.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(found[end][1], np.sqrt((part**2).mean(axis=0)), rtol=1e-6)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    times = np.datetime64("2002-01-01", "ns") + np.arange(400) * DAY
    return daily_store(tmp_path_factory.mktemp("months") / "store.zarr", times, sunshine=False)


@pytest.fixture(scope="module")
def forecaster(store):
    return tiny_forecaster(store, prediction="state")


def request(store, **changes):
    start = store.find_time(np.datetime64("2002-03-20", "ns"))
    return {
        "trajectories": [1],
        "starts": [start],
        "steps": 75,
        "batch_size": 1,
        "provenance": {"model": "triton", "model_hash": "a"},
        **changes,
    }


MONTHLY = OutputConfig(every="month")
MEMBERS = EnsembleConfig(members=2, perturb="noise")
STABLE = StabilizersConfig.parse({"relaxation": {"steps": 20}}, "test")


@pytest.mark.parametrize("options", [{}, {"ensemble": MEMBERS}, {"stabilizers": STABLE}])
def test_stored_means_are_those_of_the_single_steps(store, forecaster, tmp_path, options):
    single = write_forecast(forecaster, store, tmp_path / "a.zarr", **request(store, **options))
    stored = write_forecast(
        forecaster, store, tmp_path / "b.zarr", **request(store, output=MONTHLY, **options)
    )
    assert stored.every == "month"
    assert single.every is None
    assert (stored.lead_times / DAY).tolist() == [41, 72]
    for lead, steps in enumerate((range(11, 41), range(41, 72))):
        expected = np.mean(
            [single.read_members(slice(0, 1), step).astype(np.float64) for step in steps], axis=0
        )
        found = stored.read_members(slice(0, 1), lead)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    if "stabilizers" in options:
        assert stored.stabilizer_change is not None
        assert single.stabilizer_change is not None
        squares = single.stabilizer_change.values[0, 11:41].astype(np.float64) ** 2
        np.testing.assert_allclose(
            stored.stabilizer_change.values[0, 0], np.sqrt(squares.mean(axis=0)), rtol=1e-5
        )
    with xr.open_zarr(tmp_path / "b.zarr") as opened:
        assert opened["month"].values.astype("datetime64[D]").astype(str).tolist() == [
            "2002-04-01",
            "2002-05-01",
        ]
        assert opened["averaged_steps"].values.tolist() == [30, 31]


@pytest.mark.parametrize("states", [5, 60])
def test_a_resumed_forecast_has_the_same_bytes(store, forecaster, tmp_path, monkeypatch, states):
    monkeypatch.setattr(Pace, "due", lambda _: True)
    options = request(store, output=MONTHLY, ensemble=MEMBERS, steps=43)
    write_forecast(forecaster, store, tmp_path / "whole.zarr", **options)
    with dies_at_call(states + 1, writer.MonthlyMeans, "add"):
        write_forecast(forecaster, store, tmp_path / "cut.zarr", **options)
    write_forecast(forecaster, store, tmp_path / "cut.zarr", **options, resume=True)
    assert files_below(tmp_path / "cut.zarr") == files_below(tmp_path / "whole.zarr")


def test_what_does_not_go_with_months_is_refused(store, forecaster, tmp_path):
    for asked in ({"leads": "1..5"}, {"statistics_only": True}):
        output = OutputConfig(every="month", **asked)
        with pytest.raises(UserError, match="leave out --leads and --statistics-only"):
            write_forecast(forecaster, store, tmp_path / "a.zarr", **request(store, output=output))
    assert not list(tmp_path.iterdir())


def test_months_are_no_single_steps_for_scores_and_exports(store, forecaster, tmp_path):
    path = tmp_path / "a.zarr"
    stored = write_forecast(forecaster, store, path, **request(store, output=MONTHLY, steps=43))
    with pytest.raises(UserError, match="its fields are means over each month, but scores compare"):
        require_single_steps(stored)
    with pytest.raises(UserError, match="means over each month, for which these layouts have no"):
        export_forecast(path, tmp_path / "out", layout="netcdf")
    assert ForecastStore.open(path).every == "month"
