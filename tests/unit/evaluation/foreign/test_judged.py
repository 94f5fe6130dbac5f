"""The same fields get the same scores, whoever made them and however they are laid out."""

import re

import numpy as np
import pytest
import xarray as xr
from tests.builders import tiny_forecaster
from tests.foreign import DAY, GRID, INITS, LEADS, PERIOD, forecast_fields

import triton_earth
from triton_earth.core.errors import UserError
from triton_earth.rollout.storage.writer import write_forecast
from triton_earth.workflow.evaluate import evaluate
from triton_earth.workflow.judging.evaluation_config import EvaluationConfig

FEW = {"resamples": 20, "name": ["theirs"]}


@pytest.fixture(scope="module")
def expected(forecast, truth):
    return evaluate(forecast, truth.path, **FEW)


def as_weatherbench_x(ds):
    return ds.rename(
        {"time": "init_time", "prediction_timedelta": "lead_time", "latitude": "lat"}
    ).transpose(..., "lat", "longitude")


def as_other_names(ds):
    ds = ds.rename({"2m_temperature": "my_t2m", "time": "reftime", "prediction_timedelta": "tau"})
    ds["reftime"].attrs["standard_name"] = "forecast_reference_time"
    ds["tau"].attrs["standard_name"] = "forecast_period"
    return ds


def as_hours(ds):
    hours = (ds["prediction_timedelta"].values / np.timedelta64(1, "h")).astype(int)
    return ds.assign_coords(
        prediction_timedelta=("prediction_timedelta", hours, {"units": "hours"})
    )


def as_celsius(ds):
    exact = (ds["2m_temperature"].astype("float64") - 273.15).assign_attrs(units="degC")
    return ds.assign({"2m_temperature": exact})


@pytest.mark.parametrize(
    "change", [lambda ds: ds, as_weatherbench_x, as_other_names, as_hours, as_celsius]
)
def test_a_dataset_of_others_has_the_same_bits(change, weatherbench, truth, expected):
    changed = change(weatherbench)
    rename = {"rename": ["my_t2m=2m_temperature"]} if "my_t2m" in changed else {}
    found = evaluate(changed, truth.path, **rename, **FEW)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    assert "Lead 0 of theirs, the initial state, is not scored." in found.attrs["remarks"]


@pytest.mark.parametrize("format", ["zarr", "nc"])
def test_files_of_others_against_the_truth_of_others(
    format, weatherbench, cf_truth, expected, tmp_path
):
    paths = [str(tmp_path / f"{name}.{format}") for name in ("theirs", "truth")]
    for path, dataset in zip(paths, (weatherbench, cf_truth), strict=True):
        if format == "zarr":
            dataset.to_zarr(path, zarr_format=2)
        else:
            dataset.to_netcdf(path)
    found = evaluate(*paths, climatology_period=PERIOD, resamples=20)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"theirs.{format}",
        f"truth.{format}",
    ]


def test_our_own_store_as_a_dataset_has_the_same_bits(forecast, truth, expected):
    with xr.open_zarr(forecast) as dataset:
        found = evaluate(dataset, truth.path, **FEW)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())


def test_a_box_without_a_calendar_too(waves, tmp_path):
    path = tmp_path / "theirs.zarr"
    write_forecast(
        tiny_forecaster(waves),
        waves,
        path,
        trajectories=[4, 5],
        starts=[0, 1],
        steps=4,
        batch_size=2,
        provenance={"model": "theirs"},
    )
    expected = evaluate(path, waves.path, **FEW)
    with xr.open_zarr(path) as dataset:
        found = evaluate(dataset, waves.path, **FEW)
        dataset.to_netcdf(tmp_path / "theirs.nc")
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    found = evaluate(tmp_path / "theirs.nc", waves.path, **FEW)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())


def test_the_only_dates_are_the_initial_times_whatever_their_name(weatherbench, truth, expected):
    found = evaluate(weatherbench.rename(time="forecast_time"), truth.path, **FEW)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    said = "'forecast_time' is taken as the initial time, as nothing else has dates."
    assert said in found.attrs["remarks"]


@pytest.mark.parametrize("provenance", ["made by hand", '["a", "b"]'])
def test_a_provenance_of_another_program_gives_no_name(forecast, truth, provenance):
    with xr.open_zarr(forecast) as dataset:
        assert (
            next(iter(evaluate(dataset, truth.path, resamples=20)["forecast"].values)) == "theirs"
        )
        dataset.attrs["provenance"] = provenance
        found = evaluate(dataset, truth.path, resamples=20)
    assert next(iter(found["forecast"].values)) == "forecast"


@pytest.mark.slow
def test_several_processes_give_the_same_scores(weatherbench, cf_truth, expected):
    found = evaluate(weatherbench, cf_truth, climatology_period=PERIOD, workers=2, **FEW)
    xr.testing.assert_allclose(found.drop_attrs(), expected.drop_attrs(), rtol=1e-9)


def test_one_file_for_each_start_some_with_fewer_leads(weatherbench, truth, tmp_path):
    for number, time in enumerate(INITS):
        one = weatherbench.sel(time=[time])
        if number == 2:
            one = one.isel(prediction_timedelta=slice(0, 3))
        one.to_netcdf(tmp_path / f"start{number}.nc")
    found = evaluate(str(tmp_path / "start*.nc"), truth.path, **FEW)
    assert found["initial_conditions"].values.tolist() == [4, 4, 3, 3]
    assert np.isfinite(found["rmse"].sel(forecast="theirs")).all()
    single = evaluate(weatherbench.sel(time=INITS[[0, 1, 3]]), truth.path, **FEW)
    late = {"lead_time": LEADS[-1] * DAY, "forecast": "theirs"}
    np.testing.assert_allclose(found["rmse"].sel(late), single["rmse"].sel(late), rtol=1e-12)


def test_starts_that_the_truth_lacks_are_left_out_and_said(weatherbench, truth):
    late = weatherbench.isel(time=[0]).assign_coords(time=[np.datetime64("2010-01-01", "ns")])
    found = evaluate(xr.concat([weatherbench, late], "time"), truth.path, **FEW)
    assert found["initial_conditions"].values.tolist() == [4, 4, 4, 4]
    assert "1 of 5 initial conditions are left out" in found.attrs["remarks"]


def test_oceanbench_counts_days_from_the_first_forecast_day(truth):
    dims = ("first_day_datetime", "lead_day_index", "latitude", "longitude")
    days = xr.Dataset(
        {"t2m": (dims, forecast_fields()[:, 1:4, 0], {"units": "K"})},
        {
            "first_day_datetime": INITS + DAY,
            "lead_day_index": [0, 1, 2],
            "latitude": GRID.y,
            "longitude": GRID.x,
        },
    )
    found = evaluate(days, truth.path, **FEW)
    assert (found["lead_time"].values / DAY).tolist() == [1, 2, 3]
    assert found["init_time"].values.tolist() == INITS.tolist()
    assert "day 0 is scored as the lead of 1 day" in found.attrs["remarks"]


def test_an_ensemble_is_judged_as_one(weatherbench, truth):
    members = xr.concat([weatherbench, weatherbench + 1, weatherbench - 1], "number")
    members = members.map(lambda array: array.assign_attrs(units="K"), keep_attrs=True)
    found = evaluate(members, truth.path, **FEW)
    assert "crps" in found
    mean = found["rmse"].sel(forecast="theirs", variable="2m_temperature")
    single = evaluate(weatherbench, truth.path, **FEW)["rmse"]
    expected = single.sel(forecast="theirs", variable="2m_temperature")
    np.testing.assert_allclose(mean, expected, rtol=1e-4)


def test_a_single_forecast_along_its_valid_times(weatherbench, truth):
    one = weatherbench.isel(time=0, drop=True)
    valid = one.assign_coords(
        prediction_timedelta=INITS[0] + one["prediction_timedelta"].values
    ).rename(prediction_timedelta="time")
    found = evaluate(valid.assign_coords(init_time=INITS[0]), truth.path, **FEW)
    expected = evaluate(weatherbench.isel(time=[0]), truth.path, **FEW)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())


def test_a_list_is_compared(weatherbench, forecast, truth, tmp_path):
    worse = (weatherbench + 1.0).map(lambda array: array.assign_attrs(units="K"))
    found = evaluate([forecast, worse], truth.path, name=["ours", "theirs"], resamples=20)
    assert found["forecast"].values.tolist()[:2] == ["ours", "theirs"]
    assert "Compared at steps 1, 2, 3, 5 of 4 initial conditions" in found.attrs["remarks"]
    again = triton_earth.compare([forecast, worse], truth, name=["ours", "theirs"], resamples=20)
    xr.testing.assert_identical(found.drop_attrs(), again.drop_attrs())


def test_only_what_both_have_is_scored_and_the_rest_is_named(weatherbench, cf_truth):
    found = evaluate(weatherbench, cf_truth[["t2m"]], **FEW)
    assert found["variable"].values.tolist() == ["2m_temperature"]
    assert (
        "Not scored, as the truth lacks them: temperature_500, temperature_850."
        in (found.attrs["remarks"])
    )
    assert found["forecast"].values.tolist() == ["theirs", "persistence"]


def test_the_forecast_may_have_another_land_mask(weatherbench, truth):
    hole = weatherbench.copy(deep=True)
    hole["2m_temperature"][:, :, 0, 0] = np.nan
    found = evaluate(hole, truth.path, **FEW)
    assert np.isfinite(found["rmse"].sel(forecast="theirs")).all()
    assert "'2m_temperature' is scored in 47 of the 48 cells of the truth" in found.attrs["remarks"]


def test_a_climatology_of_another_dataset(weatherbench, cf_truth, truth, expected):
    year = cf_truth.sel(time=slice("2002", None))
    found = evaluate(weatherbench, year, climatology=cf_truth, climatology_period=PERIOD, **FEW)
    xr.testing.assert_identical(found["rmse"].drop_attrs(), expected["rmse"].drop_attrs())
    assert "730 times" in found.attrs["remarks"] or "731 times" in found.attrs["remarks"]


def test_units_that_are_not_said_are_those_of_the_truth_and_that_is_said(weatherbench, truth):
    found = evaluate(weatherbench.drop_attrs(), truth.path, **FEW)
    assert "does not say its units; they are taken to be K." in found.attrs["remarks"]


def test_files_are_written_only_where_out_says(weatherbench, truth, tmp_path):
    out = tmp_path / "report"
    evaluate(weatherbench, truth.path, out=out, **FEW)
    assert {path.name for path in out.iterdir()} >= {"scores.nc", "scores.json", "report.html"}
    scores = triton_earth.load_scores(out)
    assert "command" not in scores.attrs  # a dataset has no words on a command line


def regional(ds):
    return ds.isel(latitude=slice(0, 3))


REFUSALS = {
    "no leads": (
        lambda ds: ds.isel(prediction_timedelta=1, drop=True),
        {},
        "no coordinate is known as the lead time: expected one of .*; found ",
    ),
    "no inits": (
        lambda ds: ds.isel(time=0, drop=True),
        {},
        "it has lead times .* but no coordinate is known as the initial time: expected one of",
    ),
    "lead units": (
        lambda ds: ds.assign_coords(prediction_timedelta=[0, 24, 48, 72, 120]),
        {},
        "lead times 'prediction_timedelta' are of type int64 with units ''; expected timedelta64",
    ),
    "only lead 0": (lambda ds: ds.isel(prediction_timedelta=[0]), {}, "the only lead time is 0"),
    "negative": (
        lambda ds: ds.assign_coords(prediction_timedelta=ds["prediction_timedelta"] - 3 * DAY),
        {},
        "is negative",
    ),
    "twice": (
        lambda ds: ds.isel(prediction_timedelta=[1, 1]),
        {},
        "lead times occur more than once",
    ),
    "inits twice": (lambda ds: ds.isel(time=[0, 0]), {}, "1 initial times occur more than once"),
    "names": (
        lambda ds: ds.rename({"2m_temperature": "a", "temperature": "b"}),
        {},
        r"no variable can be judged: none is among \['2m_temperature', .* it has \['a', 'b'\]",
    ),
    "rename": (lambda ds: ds, {"rename": ["x=y"]}, "--rename x=y: no dataset has a variable 'x'"),
    "rename form": (lambda ds: ds, {"rename": ["x"]}, "--rename x: expected THEIRS=OURS"),
    "units": (
        lambda ds: ds.assign({"2m_temperature": ds["2m_temperature"].assign_attrs(units="Pa")}),
        {},
        "'2m_temperature' is in 'Pa', which cannot be converted to 'K'",
    ),
    "degrees": (
        lambda ds: (ds - 273.15).map(lambda array: array.assign_attrs(units="K")),
        {},
        "the mean of '2m_temperature' is .* K in the first field; on Earth",
    ),
    "grid": (
        lambda ds: ds.assign_coords(longitude=ds["longitude"] + 3),
        {},
        "the forecast is on the grid '.*3..318.*' but the truth on '.*0..315.*'",
    ),
    "time": (
        lambda ds: ds.assign_coords(time=ds["time"] + np.timedelta64(3650, "D")),
        {},
        "initial times .* of the forecast are not in the truth, which has times 2000-01-01",
    ),
    "leads": (
        lambda ds: ds.assign_coords(prediction_timedelta=ds["prediction_timedelta"] // 7),
        {},
        "no lead time of the forecast has a truth",
    ),
    "model time": (
        lambda ds: ds.assign_coords(time=np.arange(4.0), prediction_timedelta=np.arange(5.0)),
        {},
        "the forecast's times are model times .* but the truth's are calendar times",
    ),
    "other dimension": (
        lambda ds: ds.expand_dims(scenario=2),
        {},
        r"also depends on \['scenario'\]",
    ),
    "option": (lambda ds: ds, {"sed": 1}, "evaluate: unknown key 'sed'; did you mean 'seed'"),
    "names given": (lambda ds: ds, {"name": ["a", "b"]}, "expected a --name for each of 1"),
    "period": (lambda ds: ds, {"climatology_period": "2000"}, "expected START..END"),
    "empty period": (
        lambda ds: ds,
        {"climatology_period": "1950..1960"},
        "has 0 times in it; its times are 2000-01-01 to 2002-12-31",
    ),
    "period of the test": (
        lambda ds: ds,
        {"climatology_period": "2000..2002"},
        "the climatology would know the truth",
    ),
    "live": (lambda ds: ds, {"split": "test"}, "--split: a stored forecast is judged as it is"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_naming_both_sides(case, weatherbench, truth):
    change, options, text = REFUSALS[case]
    with pytest.raises(UserError, match=text):
        evaluate(change(weatherbench), truth.path, **{**FEW, **options})


def test_parts_of_one_forecast_must_be_alike(weatherbench):
    other = weatherbench.isel(time=[1])
    with pytest.raises(UserError, match=r"part 2: its variables is .* part 1 is"):
        triton_earth.forecasts_from_xarray([weatherbench.isel(time=[0]), other[["2m_temperature"]]])
    with pytest.raises(UserError, match="is in more than one of the files"):
        triton_earth.forecasts_from_xarray([other, other])


def test_a_truth_is_refused_where_it_makes_no_sense(weatherbench, cf_truth, truth, forecast):
    with pytest.raises(UserError, match="the truth has no axis of time"):
        evaluate(weatherbench, cf_truth.isel(time=0, drop=True), **FEW)
    with xr.open_zarr(truth.path) as ours, pytest.raises(UserError, match="Give its path instead"):
        evaluate(weatherbench, ours, **FEW)
    with pytest.raises(UserError, match=re.escape(f"{forecast}: a forecast, not a truth")):
        evaluate(weatherbench, forecast, **FEW)
    with pytest.raises(UserError, match=re.escape(f"{truth.path}: a training store, not a for")):
        evaluate(truth.path, truth.path, **FEW)
    with pytest.raises(UserError, match="it has no training split"):
        evaluate(weatherbench, cf_truth, climatology=cf_truth, **FEW)
    nothing = cf_truth.where(cf_truth["lat"] > 100)
    with pytest.raises(UserError, match="of the truth: no value at 2000-01-01"):
        evaluate(weatherbench, nothing, **FEW)


def test_a_model_is_no_forecast(tiny_run, tiny_store):
    with pytest.raises(UserError, match=r"a model, not a forecast\. Add --steps N"):
        evaluate(tiny_run, tiny_store, **FEW)


def test_a_season_is_that_of_the_forecasts_that_start_in_it(weatherbench, truth):
    few = {"resamples": 20, "name": ["theirs"]}
    found = evaluate(weatherbench, truth.path, season="MAM", **few)
    rows = np.flatnonzero(np.isin(INITS.astype("datetime64[M]").astype(int) % 12 + 1, (3, 4, 5)))
    assert rows.tolist() == [1, 2]
    alone = evaluate(weatherbench.isel(time=rows), truth.path, **few)
    xr.testing.assert_identical(found.drop_attrs(), alone.drop_attrs())
    assert "Scored are the 2 of 4 forecasts that start in MAM." in found.attrs["remarks"]
    with pytest.raises(UserError) as caught:
        evaluate(weatherbench.isel(time=rows), truth.path, season="DJF", **few)
    assert str(caught.value) == (
        "--season DJF: no forecast starts in months (12, 1, 2); they start in months [5]. Choose another season."
    )


def test_a_season_needs_a_calendar_and_stored_forecasts(tiny_forecast, tiny_run, tiny_store):
    with pytest.raises(UserError, match="the forecasts' times are numbers without a calendar"):
        evaluate(tiny_forecast, tiny_store, season="DJF")
    with pytest.raises(
        UserError, match="--season: a model is rolled out from the times that --init"
    ):
        evaluate(tiny_run, tiny_store, steps=2, season="DJF")


def test_options_take_usual_other_names_of_variables():
    config = EvaluationConfig(heat_waves="sst:2000..2001", eddies="zos")
    named = config.with_names_of(["sea_surface_temperature", "other"])
    assert (named.heat_waves, named.eddies) == ("sea_surface_temperature:2000..2001", "zos")
