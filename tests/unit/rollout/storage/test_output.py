"""What of a rollout is stored: parts of it hold what the whole store holds."""

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import files_below, tiny_forecaster, weather_store
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.rollout import batch_size as batch_size_module
from triton_earth.rollout.batch_size import find_batch_size
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.guard import GuardConfig
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.output import OutputConfig, parse_leads
from triton_earth.rollout.storage.restart import Pace
from triton_earth.rollout.storage.writer import write_forecast

REQUEST = {
    "trajectories": [4, 5],
    "starts": [0, 2],
    "steps": 5,
    "provenance": {"model": "triton", "model_hash": "a"},
    "ensemble": EnsembleConfig(members=2),
}


@pytest.fixture(scope="module")
def whole(weather, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    return write_forecast(tiny_forecaster(weather), weather, path, **REQUEST)


def part(weather, path, **asked):
    request = {**REQUEST, "output": OutputConfig(**asked)}
    return write_forecast(tiny_forecaster(weather), weather, path, **request)


def test_chosen_leads_and_region(weather, whole, tmp_path):
    stored = part(weather, tmp_path / "a.zarr", leads="2..5/3,4", region="-40:40,300:100")
    assert (stored.lead_times / weather.time_step).tolist() == [2, 4, 5]
    cut = OutputConfig(region="-40:40,300:100").build(whole.variables, whole.grid, 5, None).cut
    assert stored.grid == cut.grid
    for index, lead in enumerate((2, 4, 5)):
        expected = whole.read_members(slice(0, 2), lead - 1)
        found = stored.read_members(slice(0, 2), index)
        np.testing.assert_array_equal(found, expected[..., cut.rows, :][..., cut.columns])


def test_statistics_only_are_those_of_the_fields(weather, whole, tmp_path):
    stored = part(weather, tmp_path / "a.zarr", statistics_only=True)
    assert stored.statistics.dims == ("init", "member", "lead_time", "variable", "statistic")
    with xr.open_zarr(whole.path) as dataset:
        field = dataset["temperature"].load().astype(np.float64)
    valid = np.isfinite(field[0, 0, 0])
    weights = xr.DataArray(weather.grid.cell_area_weights, dims=field.dims[-2:]).where(valid, 0)
    mean = field.weighted(weights).mean(field.dims[-2:])
    found = stored.statistics.sel(variable="temperature")
    np.testing.assert_allclose(found.sel(statistic="mean"), mean, rtol=1e-6)
    variance = field.weighted(weights).var(field.dims[-2:])
    np.testing.assert_allclose(found.sel(statistic="variance"), variance, rtol=1e-4)
    np.testing.assert_array_equal(found.sel(statistic="maximum"), field.max(field.dims[-2:]))
    with pytest.raises(UserError, match="holds statistics only, no fields"):
        stored.read(slice(0, 1), 0)


def test_mean_and_spread_are_those_of_the_members(weather, whole, tmp_path):
    stored = part(weather, tmp_path / "a.zarr", mean_and_spread=True)
    with xr.open_zarr(stored.path) as dataset:
        field = dataset["temperature"].load()
        np.testing.assert_allclose(dataset["temperature_mean"], field.mean("member"), rtol=1e-6)
        spread = field.std("member", ddof=1)
        np.testing.assert_allclose(dataset["temperature_spread"], spread, atol=1e-4)
        np.testing.assert_array_equal(field[:, 1, 4], whole.read_members(slice(0, 2), 4)[:, 1, 0])


@pytest.mark.parametrize("asked", [{"statistics_only": True}, {"leads": "2,5"}])
def test_what_holds_no_states_is_resumed_too(weather, tmp_path, monkeypatch, asked):
    """The restart file, not the store, holds what the rollout goes on from."""
    monkeypatch.setattr(Pace, "due", lambda _: True)
    request = {
        **REQUEST,
        "output": OutputConfig(**asked),
        "guard": GuardConfig(policy="record"),
        "batch_size": 3,
    }
    forecaster = tiny_forecaster(weather)
    write_forecast(forecaster, weather, tmp_path / "whole.zarr", **request)
    original, count = writer._Run._write, iter(range(100))

    def dying(*arguments):
        if next(count) == 4:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(writer._Run, "_write", dying)
        with pytest.raises(KeyboardInterrupt):
            write_forecast(forecaster, weather, tmp_path / "cut.zarr", **request)
    write_forecast(forecaster, weather, tmp_path / "cut.zarr", **request, resume=True)
    assert files_below(tmp_path / "cut.zarr") == files_below(tmp_path / "whole.zarr")


def test_a_usual_other_name_of_a_variable_is_known():
    sst = Variable("sea_surface_temperature", "K")
    chosen = OutputConfig(variables=("sst",)).build(Variables((sst,)), PeriodicGrid(2, 2), 3, None)
    assert chosen.variables.names == ["sea_surface_temperature"]


def test_variables_and_levels_by_name():
    predicted = Variables(
        (
            Variable("temperature_500", "K", level=500.0),
            Variable("temperature_850", "K", level=850.0),
            Variable("pressure", "Pa"),
        )
    )
    grid = weather_grid_of_two()

    def names(**asked):
        return OutputConfig(**asked).build(predicted, grid, 1, None).variables.names

    assert names(variables=("temperature_*",)) == ["temperature_500", "temperature_850"]
    assert names(levels=(850.0,)) == ["temperature_850", "pressure"]
    with pytest.raises(UserError, match="the model predicts no 'presure'; did you mean 'pressure'"):
        names(variables=("presure",))
    with pytest.raises(UserError, match=r"no variable has level 700; there are 500, 850\."):
        names(levels=(700.0,))


def weather_grid_of_two():
    from triton_earth.core.grid import PeriodicGrid

    return PeriodicGrid(2, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1..", "expected numbers of steps as 1,5,10 or FIRST..LAST/EVERY; found '1..'"),
        ("1..5/0", "expected numbers of steps"),
        ("0,2", "expected steps of the forecast, 1 to 9; found 0"),
        ("5..20/5", "expected steps of the forecast, 1 to 9; found 10"),
        ("1..1000000000000", "expected steps of the forecast, 1 to 9; found 10"),
        ("5..2", "found none"),
    ],
)
def test_leads_that_are_none_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        parse_leads(text, 9)


def test_mean_and_spread_need_members(weather, tmp_path):
    for asked, change in (
        ({"mean_and_spread": True}, {"ensemble": None}),
        ({"mean_and_spread": True, "statistics_only": True}, {}),
    ):
        request = {**REQUEST, "output": OutputConfig(**asked), **change}
        with pytest.raises(UserError, match="mean and spread are those of stored members"):
            write_forecast(tiny_forecaster(weather), weather, tmp_path / "a.zarr", **request)


# --- batch size


@pytest.mark.parametrize(
    ("memory", "rows", "expected"), [(1e9, 100, 16), (1e9, 7, 4), (1, 100, 1), (None, 100, 4)]
)
def test_the_batch_is_what_memory_allows(waves, monkeypatch, memory, rows, expected):
    forecaster = tiny_forecaster(waves)
    if memory is None:
        memory = 5 * batch_size_module.row_bytes(forecaster) / batch_size_module.SHARE["cpu"]
    monkeypatch.setattr(batch_size_module, "total_memory", lambda _: memory)
    assert find_batch_size(forecaster, rows, torch.device("cpu")) == expected


def test_on_a_gpu_the_peak_of_one_and_two_says_how_many(waves, monkeypatch):
    monkeypatch.setattr(batch_size_module, "total_memory", lambda _: 1000)
    monkeypatch.setattr(batch_size_module, "gpu_peak", lambda _f, batch, _d: 100 + 10 * batch)
    # (600 − 100) / 10 = 50
    assert find_batch_size(tiny_forecaster(waves), 99, torch.device("cuda")) == 32


# --- forcings


def changed_times(store, path, times):
    """A copy of the weather store whose clock is another one."""
    other = weather_store(path, times=len(times))
    opened = TrainingStore.open(other.path)
    opened.times = times
    return opened


def test_forcings_of_another_store_are_read_at_the_valid_times(weather, tmp_path):
    longer = weather_store(tmp_path / "longer.zarr", times=14)
    plain = {**REQUEST, "ensemble": None}
    one = write_forecast(tiny_forecaster(weather), weather, tmp_path / "a.zarr", **plain)
    longer.times = longer.times.copy()
    other = write_forecast(
        tiny_forecaster(weather), weather, tmp_path / "b.zarr", **plain, forcings=longer
    )
    # The longer store's weather is another one, but for its very first times' forcings.
    assert one.read(slice(0, 1), 0).shape == other.read(slice(0, 1), 0).shape
    longest = {**plain, "steps": 11}
    write_forecast(
        tiny_forecaster(weather), weather, tmp_path / "c.zarr", **longest, forcings=longer
    )


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (np.timedelta64(3, "h"), "needs forcings at 2000-01-01T06.* the clocks differ"),
        (
            np.timedelta64(1, "D"),
            "needs forcings at 2000-01-01T06.* nearest time there is 2000-01-02",
        ),
        (-np.timedelta64(2, "D"), "forcings end .* steps after the last initial time"),
    ],
)
def test_another_clock_is_refused_before_the_first_step(weather, tmp_path, shift, message):
    other = changed_times(weather, tmp_path / "other.zarr", weather.times + shift)
    with pytest.raises(UserError, match=message):
        write_forecast(
            tiny_forecaster(weather), weather, tmp_path / "a.zarr", **REQUEST, forcings=other
        )
    assert not (tmp_path / "a.zarr.partial").exists()


def test_leap_days_count(weather, tmp_path):
    """Forcings without 29 February are a day late from 1 March on."""
    days = np.arange(
        np.datetime64("2000-02-25", "ns"), np.datetime64("2000-03-10", "ns"), np.timedelta64(1, "D")
    )
    noleap = days[days != np.datetime64("2000-02-29")]
    start = changed_times(weather, tmp_path / "start.zarr", days)
    other = changed_times(weather, tmp_path / "other.zarr", noleap)
    forecaster = tiny_forecaster(weather)
    start.time_step = other.time_step = forecaster.time_step = np.timedelta64(1, "D")
    request = {**REQUEST, "starts": [0, 0], "steps": 6}
    with pytest.raises(
        UserError, match=r"needs forcings at 2000-02-29.* nearest time there is 2000-03-01"
    ):
        write_forecast(forecaster, start, tmp_path / "a.zarr", **request, forcings=other)


def test_model_time_forcings_of_a_calendar_forecast_are_refused(weather, tmp_path):
    other = changed_times(weather, tmp_path / "other.zarr", np.arange(10.0))
    with pytest.raises(UserError, match="one has a calendar, the other has none"):
        write_forecast(
            tiny_forecaster(weather), weather, tmp_path / "a.zarr", **REQUEST, forcings=other
        )


def test_a_store_without_the_forcing_is_refused(weather, waves, tmp_path):
    with pytest.raises(UserError, match=r"the model's forcings \['sunshine'\] are not there"):
        write_forecast(
            tiny_forecaster(weather), weather, tmp_path / "a.zarr", **REQUEST, forcings=waves
        )
