"""Heat-wave and zonal scores of daily forecasts on the globe, from the stores to the report."""

import weakref

import numpy as np
import pytest
import zarr

import triton_earth.evaluation.metrics.heat_waves.baseline as heat_wave_baseline_module
from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.region import Region
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.metrics.heat_waves.baseline import heat_wave_baseline
from triton_earth.evaluation.metrics.heat_waves.events import (
    REACH,
    detect_events,
    event_days,
    heat_wave_climate,
)
from triton_earth.evaluation.regions.weights import cell_weights
from triton_earth.rollout.storage.forecast_store import (
    ForecastStore,
    create_forecast_store,
    finish_forecast_store,
)
from triton_earth.workflow.evaluate import evaluate

GRID = LatLonGrid((-45.0, -15.0, 15.0, 45.0), tuple(np.arange(0.0, 360.0, 30.0)))
SST = Variables((Variable("sst", "degC", "sea surface temperature"),))
DAYS = np.arange(
    np.datetime64("2001-01-01", "ns"), np.datetime64("2004-01-01", "ns"), np.timedelta64(1, "D")
)
STARTS = np.arange(800, 1040, 20)
LEADS = 15
MASK = np.ones((1, *GRID.shape), bool)
MASK[0, 1, 3] = False


@pytest.fixture(scope="module")
def sst():
    """Red noise on a seasonal cycle; NaN on land."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((len(DAYS), 1, *GRID.shape))
    for day in range(1, len(DAYS)):
        noise[day] = 0.95 * noise[day - 1] + 0.3 * noise[day]
    cycle = 5 * np.cos(2 * np.pi * np.arange(len(DAYS)) / 365.25)[:, None, None, None]
    return np.where(MASK, 20 + cycle + noise, np.nan).astype(np.float32)


@pytest.fixture(scope="module")
def truth(sst, tmp_path_factory):
    path = tmp_path_factory.mktemp("sst") / "truth.zarr"
    split = np.full((1, len(DAYS)), "", dtype=object)
    split[0, :740], split[0, 790:] = "train", "test"
    create_store(
        path,
        variables=SST,
        grid=GRID,
        times=DAYS,
        splits=split,
        provenance={},
        valid_mask=MASK,
        times_per_file=366,
    )
    finish_store(path, [write_trajectory(path, 0, sst)])
    return TrainingStore.open(path)


@pytest.fixture(scope="module")
def forecast(sst, tmp_path_factory):
    """Forecasts between truth and persistence."""
    path = tmp_path_factory.mktemp("sst") / "forecast.zarr"
    create_forecast_store(
        path,
        variables=SST,
        grid=GRID,
        time_step=np.timedelta64(1, "D"),
        steps=LEADS,
        init_times=DAYS[STARTS],
        trajectories=np.zeros(len(STARTS), int),
        provenance={"model": "half way"},
    )
    array = zarr.open_array(path, path="sst", mode="r+")
    for lead in range(1, LEADS + 1):
        array[:, lead - 1] = (0.5 * sst[STARTS] + 0.5 * sst[STARTS + lead])[:, 0]
    finish_forecast_store(path)
    return ForecastStore.open(path)


@pytest.fixture(scope="module")
def scores(forecast, truth):
    return evaluate_forecast(forecast, truth, resamples=50, heat_waves="sst")


def test_scores_are_those_of_the_events_counted_by_hand(scores, sst):
    climate = heat_wave_climate(sst[:740, 0], DAYS[:740])
    _, threshold = climate.at(DAYS)
    weights = np.where(MASK[0], GRID.cell_area_weights, 0.0)
    shared = np.zeros(LEADS)
    true_days, own_days = np.zeros(LEADS), np.zeros(LEADS)
    for start in STARTS:
        days = slice(start - 29, start + LEADS + 1)
        own = sst[days, 0].copy()
        own[30:] = 0.5 * own[29] + 0.5 * own[30:]
        # The truth goes on after the last lead.
        whole = slice(start - 29, start + LEADS + 30)
        true = detect_events(sst[whole, 0] > threshold[whole])[30 : 30 + LEADS] > 0
        masks = [true, detect_events(own > threshold[days])[30:] > 0]
        true_days += (masks[0] * weights).sum(axis=(1, 2))
        own_days += (masks[1] * weights).sum(axis=(1, 2))
        shared += ((masks[0] & masks[1]) * weights).sum(axis=(1, 2))
    one = scores.sel(forecast="half way")
    assert true_days.min() > 0
    told = slice(0, LEADS - REACH)
    expected = {
        "heat_wave_hit_rate": shared / true_days,
        "heat_wave_false_alarm_ratio": 1 - shared / own_days,
        "heat_wave_iou": shared / (true_days + own_days - shared),
        "heat_wave_area": true_days / weights.sum() / len(STARTS),
    }
    for name, values in expected.items():
        of = scores.sel(source="truth") if name == "heat_wave_area" else one
        np.testing.assert_allclose(of[name][told], values[told])
        assert np.isnan(of[name][LEADS - REACH :]).all()
        assert "The last 6 days of each forecast are left out" in of[name].attrs["definition"]
    said = (
        "Heat waves: the last 6 days of each forecast are left out: whether they belong to an event"
    )
    assert said in scores.attrs["remarks"]


def test_a_truth_that_ends_earlier_leaves_out_leads_of_its_own(truth, sst, forecasts_of):
    """The last forecast has 8 days of truth, of which 2 are told; at the third lead only the others count."""
    starts = np.append(STARTS[:1], len(DAYS) - 9)
    fields = np.stack([sst[np.minimum(starts + lead, len(DAYS) - 1)] for lead in range(1, 11)], 1)
    some = forecasts_of(
        fields,
        variables=SST,
        grid=GRID,
        time_step=np.timedelta64(1, "D"),
        init_times=DAYS[starts],
        trajectories=np.zeros(2, int),
        leads=list(range(1, 11)),
    )
    area = evaluate_forecast(some, truth, resamples=5, heat_waves="sst")["heat_wave_area"]
    exceeds = sst[:, 0] > heat_wave_climate(sst[:740, 0], DAYS[:740]).at(DAYS)[1]
    weights = np.where(MASK[0], GRID.cell_area_weights, 0.0)
    own = [
        (event_days(exceeds[start - 29 : start + 30])[30:] * weights).sum(axis=(1, 2))
        / weights.sum()
        for start in starts
    ]
    expected = [np.mean([own[0][0], own[1][0]]), np.mean([own[0][1], own[1][1]]), *own[0][2:4]]
    np.testing.assert_allclose(area.sel(source="truth")[:4], expected)
    assert np.isnan(area[:, 4:]).all()


def test_the_better_forecast_has_the_better_score(scores):
    iou = scores["heat_wave_iou"].isel(lead_time=LEADS - REACH - 1)
    assert iou.sel(forecast="half way") > iou.sel(forecast="persistence")
    assert scores["heat_wave_iou_interval"].dims == ("forecast", "lead_time", "bound")
    inside = scores["heat_wave_iou_interval"].sel(forecast="half way")[: LEADS - REACH]
    assert (inside.sel(bound="lower") <= inside.sel(bound="upper")).all()


def test_zonal_spectra_of_the_rows_without_land(scores, sst):
    assert scores["latitude_band"].values.tolist() == ["60S-30S", "30S-0", "0-30N", "30N-60N"]
    spectrum = scores["zonal_spectrum"].sel(variable="sst", source="truth")
    last = sst[STARTS + LEADS, 0].astype(np.float64)
    square = (last[:, 2] ** 2).mean()
    found = spectrum.sel(latitude_band="0-30N").isel(zonal_lead_time=-1).sum()
    np.testing.assert_allclose(found, square, rtol=1e-6)
    smooth = scores["zonal_ratio"].sel(forecast="half way").isel(zonal_lead_time=-1)
    assert smooth.sel(zonal_wavenumber=slice(1, 6)).mean() < 1
    assert scores.sizes["zonal_lead_time"] == 12


@pytest.mark.slow
def test_the_report_shows_both(forecast, truth, tmp_path):
    scores = evaluate(
        forecast.path,
        truth.path,
        out=tmp_path / "a",
        resamples=10,
        heat_waves="sst",
        region="-60:60,0:360",
    )
    page = (tmp_path / "a" / "report.html").read_text()
    assert "<h2>Heat waves</h2>" in page
    assert "<h2>Zonal spectra</h2>" in page
    assert "Anomaly correlation" in page
    assert scores.attrs["command"].endswith("--region=-60:60,0:360 --heat-waves sst --resamples 10")


@pytest.mark.slow
def test_region_and_weights(forecast, truth, sst, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "triton_earth.evaluation.aggregator.cell_weights",
        lambda grid, name: asked.append(name) or cell_weights(grid, name),
    )
    found = evaluate_forecast(
        forecast,
        truth,
        resamples=5,
        heat_waves="sst",
        region=Region.parse("0:60,0:360"),
        weights="cos_latitude",
    )
    assert set(asked) == {"cos_latitude"}
    exceeds = sst[:, 0] > heat_wave_climate(sst[:740, 0], DAYS[:740]).at(DAYS)[1]
    true = [event_days(exceeds[start - 29 : start + 30])[30:] for start in STARTS]
    inside = GRID.cell_area_weights[2:]
    expected = np.mean([(one[:, 2:] * inside).sum(axis=(1, 2)) / inside.sum() for one in true], 0)
    told = LEADS - REACH
    area = found["heat_wave_area"].sel(source="truth")
    np.testing.assert_allclose(area[:told], expected[:told])


@pytest.mark.slow
def test_a_named_baseline_period(forecast, truth, sst):
    asked = "sst:2001-02-01..2002-12-31"
    found = evaluate_forecast(forecast, truth, resamples=5, heat_waves=asked)
    said = (
        "Heat-wave thresholds are those of 2001-02-01 to 2002-12-31 (699 days; 30 years are usual)."
    )
    assert said in found.attrs["remarks"].splitlines()
    assert said in found["heat_wave_area"].attrs["definition"]
    days = heat_wave_baseline(asked, forecast, truth, align(forecast, truth))
    own = heat_wave_climate(sst[31:730, 0], DAYS[31:730])
    np.testing.assert_allclose(days.climate().threshold, own.threshold)
    late = heat_wave_baseline("sst:2002-06-01..2003-12-31", forecast, truth, align(forecast, truth))
    assert late.remark.endswith("which overlap with the scored times.")


def test_a_period_is_read_without_being_held(forecast, truth, monkeypatch):
    """Row by row, and of each read only the rows that are worked on are kept."""
    days = heat_wave_baseline("sst", forecast, truth, align(forecast, truth))
    whole = days.climate()
    monkeypatch.setattr(heat_wave_baseline_module, "VALUES_IN_MEMORY", 1)
    read, held = truth.read, []

    def watched(*what):
        assert sum(fields() is not None for fields in held) <= 1
        fields = read(*what).copy()
        held.append(weakref.ref(fields))
        return fields

    monkeypatch.setattr(truth, "read", watched)
    np.testing.assert_array_equal(days.climate().threshold, whole.threshold)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("sst:2001", "expected VARIABLE or VARIABLE:START..END, for example"),
        ("sst:a..b", "expected VARIABLE or VARIABLE:START..END, for example"),
        (
            "sst:1999-01-01..2001-03-31",
            "the store has 90 of those days, from 2001-01-01 to 2003-12-31",
        ),
    ],
)
def test_periods_that_are_none(forecast, truth, asked, message):
    with pytest.raises(UserError, match=message):
        heat_wave_baseline(asked, forecast, truth, align(forecast, truth))


@pytest.mark.parametrize("leads", [[2, 3, 4, 5], [1, 2, 4], [5, 10]])
def test_leads_that_are_not_every_day(sst, truth, forecasts_of, leads):
    fields = np.stack([sst[STARTS + lead] for lead in leads], axis=1)
    some = forecasts_of(
        fields,
        variables=SST,
        grid=GRID,
        time_step=np.timedelta64(1, "D"),
        init_times=DAYS[STARTS],
        trajectories=np.zeros(len(STARTS), int),
        leads=leads,
    )
    with pytest.raises(
        UserError, match="events of five days need every day; the leads that can be"
    ):
        evaluate_forecast(some, truth, resamples=5, heat_waves="sst")


def test_forecasts_that_are_too_short_to_tell(sst, truth, forecasts_of):
    some = forecasts_of(
        np.stack([sst[STARTS + lead] for lead in range(1, 7)], axis=1),
        variables=SST,
        grid=GRID,
        time_step=np.timedelta64(1, "D"),
        init_times=DAYS[STARTS],
        trajectories=np.zeros(len(STARTS), int),
        leads=list(range(1, 7)),
    )
    with pytest.raises(
        UserError,
        match=r"forecasts need 7 daily leads at least; 6 can be scored\. Forecast further",
    ):
        evaluate_forecast(some, truth, resamples=5, heat_waves="sst")


def test_what_has_no_heat_waves(forecast, truth, weather, flow, forecasts_of, truth_of, tmp_path):
    with pytest.raises(UserError, match="no variable 'salinity'; it has"):
        evaluate_forecast(forecast, truth, resamples=10, heat_waves="salinity")
    with pytest.raises(UserError, match="heat waves are scored against a training store"):
        evaluate_forecast(
            forecasts_of(flow[:, 1:]), truth_of(flow), resamples=10, heat_waves="vorticity"
        )


def test_a_short_training_split_gives_no_thresholds(sst, forecast, tmp_path):
    split = np.full((1, len(DAYS)), "test", dtype=object)
    split[0, :300] = "train"
    path = tmp_path / "short.zarr"
    create_store(
        path, variables=SST, grid=GRID, times=DAYS, splits=split, provenance={}, valid_mask=MASK
    )
    finish_store(path, [write_trajectory(path, 0, sst)])
    with pytest.raises(UserError, match="a year or more, 30 years at best; found 300 days"):
        evaluate_forecast(forecast, TrainingStore.open(path), resamples=10, heat_waves="sst")
