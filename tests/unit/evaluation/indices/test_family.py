"""Scores of indices by lead and start, the series behind them, and every reason why there are none."""

import pickle

import numpy as np
import pytest
import xarray as xr
from tests.cases import case_of
from tests.el_nino import GRID, SST, WINDS, world, world_store

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.processes.tasks import InThisProcess
from triton_earth.core.variables import Variable
from triton_earth.evaluation.aggregator import Case, Finished
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.baselines import Baselines, fit_baselines
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.evaluate import _coordinates as coordinates
from triton_earth.evaluation.indices.family import Indices
from triton_earth.evaluation.scores_file import scores_as_json
from triton_earth.evaluation.streaming import stream
from triton_earth.plots.sections.indices import index_plume, index_sections

STARTS = np.arange(49, 65)
LEADS = 7


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return world_store(tmp_path_factory.mktemp("world") / "world.zarr")


class HalfWay:
    """Forecasts between truth and persistence; NaN at the last lead of the last start."""

    def __init__(self, store, *, broken=True, starts=STARTS):
        self.variables, self.grid = store.variables, store.grid
        self.time_step, self.init_times = store.time_step, store.times[starts]
        self.lead_times = np.arange(1, LEADS + 1) * store.time_step
        self.trajectories = np.zeros(len(starts), int)
        self.chunk_inits, self.provenance = 4, {"model": "half way"}
        fields = store.read(0, slice(None))
        rows = starts[:, None] + np.arange(1, LEADS + 1)
        self.fields = 0.5 * (fields[rows] + fields[starts][:, None])
        if broken:
            self.fields[-1, -1] = np.nan

    def read(self, inits, lead):
        return self.fields[inits, lead]


def case_beside(forecast, truth, names=None):
    """The case of one forecast with the baselines of some names."""
    alignment = align(forecast, truth)
    baselines = fit_baselines(forecast, truth, alignment, None, names)
    called = ("half way", *baselines.names)
    return Case((forecast,), truth, alignment, baselines, called)


@pytest.fixture(scope="module")
def scores(store):
    beside = ("persistence", "damped_persistence", "linear_inverse")
    case = case_beside(HalfWay(store), store, beside)
    (series,) = Indices(("all",)).fit(case, InThisProcess()).start(case)
    stream(case, [series])
    bootstrap = Bootstrap.draw(
        np.arange(len(STARTS)),  # as if none overlapped, so that there are intervals
        case.forecast.init_times,
        case.lead_times,
        case.alignment.available,
        resamples=100,
        seed=0,
    )
    found = series.scores(Finished(case, bootstrap, (series,)))
    return xr.Dataset(coords=coordinates(case)).assign(found.variables)


def test_every_index_is_scored_beside_every_baseline(scores):
    names = ["nino34", "nino3", "nino4", "nino12", "amo", "amo_minus_global", "pdo", "jet_latitude"]
    assert scores["index"].values.tolist() == names
    assert scores["index_correlation"].dims == ("forecast", "lead_time", "index")
    assert scores["forecast"].values.tolist() == [
        "half way",
        "persistence",
        "damped persistence",
        "linear inverse model",
    ]
    assert scores["index_units"].values.tolist() == [*["K"] * 6, "1", "degrees_north"]
    bounds = scores["index_rmse_interval"].sel(index="nino34", forecast="persistence")
    value = scores["index_rmse"].sel(index="nino34", forecast="persistence")
    assert (bounds.sel(bound="lower") <= value).all()
    assert (value <= bounds.sel(bound="upper")).all()
    assert "Trenberth (1997)" in str(scores["index_definition"].sel(index="nino34").values)


def test_scores_follow_from_the_series(scores):
    series = scores["index_value"].sel(index="nino34")
    truth = series.sel(source="truth")
    for name in ("persistence", "linear inverse model"):
        own = series.sel(source=name)
        rmse = np.sqrt(((own - truth) ** 2).mean("init"))
        where = {"index": "nino34", "forecast": name}
        np.testing.assert_allclose(scores["index_rmse"].sel(where), rmse, rtol=1e-9)
        expected = xr.corr(own, truth, "init")
        np.testing.assert_allclose(scores["index_correlation"].sel(where), expected, rtol=1e-9)
    # Persistence is the true value at the start.
    initial = scores["index_initial"].sel(index="amo")
    held = scores["index_rmse"].sel(index="amo", forecast="persistence")
    assert np.isfinite(initial).all()
    assert (held > 0).all()


def test_persistence_of_an_anomaly_is_that_of_the_field_less_the_new_season(scores):
    """The field is held, not its anomaly: of a field with a season that makes a difference."""
    first = scores["index_value"].sel(index="amo", source="persistence").isel(lead_time=0)
    initial = scores["index_initial"].sel(index="amo")
    assert np.abs(first - initial).max() > 0.05


def test_what_is_not_finite_is_a_result(scores):
    last = scores.sel(index="nino34", forecast="half way").isel(lead_time=-1)
    assert np.isposinf(last["index_rmse"])
    assert np.isnan(last["index_correlation"])
    first = scores.sel(index="nino34", forecast="half way").isel(lead_time=0)
    assert first["index_correlation"] > 0.9


def test_by_start(scores):
    months = scores["init_time"].values.astype("datetime64[M]").astype(int) % 12 + 1
    counts = scores["index_starts_by_season"]
    expected = [
        np.isin(months, own).sum() for own in ([12, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11])
    ]
    assert counts.values.tolist() == expected
    assert scores["index_starts_by_month"].sum() == len(STARTS)
    series = scores["index_value"].sel(index="pdo").isel(init=np.isin(months, [3, 4, 5]))
    own, truth = series.sel(source="damped persistence"), series.sel(source="truth")
    where = {"index": "pdo", "forecast": "damped persistence"}
    found = scores["index_correlation_by_season"].sel(where, drop=True).sel(start_season="MAM")
    np.testing.assert_allclose(found, xr.corr(own, truth, "init"), rtol=1e-9)
    by_month = scores["index_rmse_by_month"].sel(where, drop=True)
    assert np.isnan(scores["index_correlation_by_month"].sel(where)).all()  # two starts at most
    april = scores["index_value"].sel(index="pdo").isel(init=months == 4)
    error = april.sel(source="damped persistence") - april.sel(source="truth")
    expected = np.sqrt((error**2).mean("init"))
    np.testing.assert_allclose(by_month.sel(start_month="Apr"), expected, rtol=1e-9)


def test_useful_leads_are_counted_from_the_first(scores):
    correlation = scores["index_correlation"].sel(index="nino34")
    for name in scores["forecast"].values:
        own = correlation.sel(forecast=name).values >= 0.5
        expected = LEADS if own.all() else int(np.argmin(own))
        assert scores["index_useful_leads"].sel(index="nino34", forecast=name) == expected


def test_pieces_of_the_starts_merge_to_the_whole(store):
    case = case_of([HalfWay(store)], store)
    family = Indices(("nino34", "jet_latitude")).fit(case, InThisProcess())
    parts = []
    for rows in (np.arange(16), np.arange(5), np.arange(5, 16)):
        part = case.select(rows)
        (series,) = family.start(part)
        stream(part, [series])
        parts.append(pickle.loads(pickle.dumps(series)))
    whole, first, second = parts
    merged = first.merge(second)
    np.testing.assert_array_equal(merged.values, whole.values)
    np.testing.assert_array_equal(merged.initial, whole.initial)


def test_score_files_and_report_have_them(scores):
    whole = scores.assign(initial_conditions=("lead_time", [16] * LEADS)).assign_attrs(title="t")
    described = scores_as_json(whole)
    of_index = described["indices"]["nino34"]
    assert of_index["units"] == "K"
    assert len(of_index["forecasts"]["persistence"]["index_correlation"]["value"]) == LEADS
    assert "index_correlation" in described["definitions"]
    (section,) = index_sections(scores.sel(index=["nino34"]), {})
    assert "Nino 3.4" in section.body
    assert "MAM (" in section.body
    assert "damped persistence" in section.body
    assert not index_sections(scores.drop_vars("index_correlation"), {})


def test_the_plume_begins_at_the_truth(scores):
    axes = index_plume(scores, "nino34").axes[0]
    truth, *forecasts = axes.lines
    years = truth.get_xdata()
    assert (np.diff(years) > np.timedelta64(0)).all()
    first = forecasts[0]
    assert first.get_ydata()[0] == scores["index_initial"].sel(index="nino34")[0]
    assert len(first.get_xdata()) == LEADS + 1


# --- refusals


def case_without(store):
    """The case as families see it when they refuse what cannot be scored."""
    forecast = HalfWay(store, broken=False)
    return Case((forecast,), store, align(forecast, store), Baselines((), None, ""), ())


def refused(store, names):
    with pytest.raises(UserError) as error:
        Indices(tuple(names)).check(case_without(store))
    return str(error.value)


def test_unknown_names(store):
    assert "'nino_34' is no index; did you mean 'nino34'?" in refused(store, ["nino_34"])


def test_variables_that_are_absent(tmp_path):
    store = world_store(tmp_path / "w.zarr", variables=(SST,))
    line = refused(store, ["jet_latitude"])
    assert "expected an eastward wind between 700 and 925 hPa among the variables, found" in line
    (remark,) = Indices(("all",)).check(case_without(store))
    assert remark.startswith("Indices that are not scored: jet_latitude: expected an eastward")
    assert Indices(("nino34",)).check(case_without(store)) == []


def test_no_index_fits(tmp_path):
    store = world_store(tmp_path / "w.zarr", variables=(Variable("salinity", "1"),))
    line = refused(store, ["all"])
    assert "no index fits this forecast. nino34: expected a sea surface temperature" in line


def test_regions_that_are_absent(tmp_path):
    atlantic = LatLonGrid(tuple(GRID.y[(GRID.y > 0) & (GRID.y < 70)]), tuple(GRID.x[28:34]))
    store = world_store(tmp_path / "w.zarr", grid=atlantic)
    line = refused(store, ["nino34"])
    assert "expected a grid that reaches over the region -5:5,190:240, found latitude" in line
    assert "reaches over the region North Pacific (20:70,110:260)" in refused(store, ["pdo"])


def test_the_global_mean_needs_the_globe(tmp_path):
    north = LatLonGrid(tuple(GRID.y[GRID.y > -30]), tuple(GRID.x))
    store = world_store(tmp_path / "w.zarr", grid=north)
    line = refused(store, ["amo", "amo_minus_global"])
    assert "amo_minus_global: expected a grid that reaches over the region 60S to 60N" in line


def test_regions_that_are_land(tmp_path, store):
    mask = store.valid_mask.copy()
    mask[0, :, (GRID.x > 150) & (GRID.x < 300)] = False
    own = world_store(tmp_path / "w.zarr")
    own.valid_mask = mask
    assert "to be defined in the region -5:5,190:240, found no such cell" in refused(
        own, ["nino34"]
    )


def test_too_few_rows_for_a_jet(tmp_path):
    rows = GRID.y[[0, 6, 12, 16, 23]]
    store = world_store(tmp_path / "w.zarr", grid=LatLonGrid(tuple(rows), tuple(GRID.x)))
    assert "at least 3 rows of the grid in the region" in refused(store, ["jet_latitude"])


def test_without_a_climatology(tmp_path):
    store = world_store(tmp_path / "w.zarr", train="valid")
    assert "expected a training split, from which the climatology" in refused(store, ["amo"])


def test_less_than_a_year(tmp_path):
    store = world_store(tmp_path / "w.zarr", months=11)
    assert "expected a year of training data or more" in refused(store, ["amo"])


def test_too_few_states_for_a_pattern(tmp_path):
    store = world_store(tmp_path / "w.zarr", months=20)
    case = case_of([HalfWay(store)], store)
    with pytest.raises(UserError, match="a pattern needs at least 24 training states, found 20"):
        Indices(("pdo",)).fit(case, InThisProcess())


def test_times_without_a_calendar(waves, tmp_path):
    class Waves(HalfWay):
        def __init__(self, store):
            super().__init__(store, broken=False, starts=np.array([0, 1]))
            self.trajectories = np.array([4, 5])

    forecast = Waves(waves)
    case = Case((forecast,), waves, align(forecast, waves), Baselines((), None, ""), ())
    with pytest.raises(UserError, match="needs a calendar; found times without dates"):
        Indices(("nino34",)).check(case)


def test_a_box_without_latitudes(tmp_path, store):
    from triton_earth.core.grid import PeriodicGrid
    from triton_earth.evaluation.indices.catalogue import DEFINITIONS
    from triton_earth.evaluation.indices.places import find_index

    with pytest.raises(UserError, match="an index needs latitudes and longitudes; found periodic"):
        find_index(DEFINITIONS["amo"], store.variables, PeriodicGrid(4, 4), None)


def test_the_world_is_what_it_says():
    assert world().shape[1] == 1 + len(WINDS)
