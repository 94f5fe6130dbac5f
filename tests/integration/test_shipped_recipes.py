"""The recipes on shipped data run without a network; here with a model that is not trained for long."""

import numpy as np
import pytest

from triton_earth.data.sources.shipped import shipped_data
from triton_earth.data.store.training_store import TrainingStore

QUICK = ["train.steps=2", "train.batch_size=2", "train.warmup_steps=1", "train.validate_every=2",
         "train.validation_windows=2", "model.network.temporal_hidden_dim=8", "train.curriculum=[]",
         "model.network.num_temporal_layers=2", "forecast.steps=2", "forecast.init_every=40"]  # fmt: skip
PLAIN, RESIDUAL = ["model.network.spatial_hidden_dim=8"], ["model.network.widths=[8]"]

SHORT = ["data.splits.train=[2001-03-02, 2001-03-20]", "data.splits.valid=[2001-04-01, 2001-04-10]",
         "data.splits.test=[2001-05-01, 2001-05-10]"]  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "shape", "times", "step"),
    [
        ("weather_small", (1, 1095, 10, 32, 64), {"train": 729, "valid": 113, "test": 235}, "1 d"),
        ("ocean_small", (1, 360, 4, 48, 96), {"train": 240, "valid": 30, "test": 78}, "month"),
        (
            "ocean_decades_small",
            (1, 360, 4, 48, 96),
            {"train": 240, "valid": 30, "test": 78},
            "month",
        ),
        (
            "ocean_forced_small",
            (1, 730, 11, 40, 90),
            {"train": 486, "valid": 63, "test": 163},
            "1 d",
        ),
    ],
)
def test_shipped_recipes_prepare(command, tmp_path, recipe, shape, times, step):
    store = tmp_path / "a.zarr"
    made = command("prepare", recipe, *QUICK, "--out", store)
    assert made.code == 0, made.err
    opened = TrainingStore.open(store)
    assert (1, len(opened.times), len(opened.variables), *opened.grid.shape) == shape
    assert {name: int((opened.split == name).sum()) for name in times} == times
    assert opened.grid.padding == ("zero", "periodic")
    if step == "month":
        assert opened.find_time(np.datetime64("1997-11")) == 226
        el_nino = opened.read(0, slice(226, 227))[0, 0]
        east_pacific = (np.abs(opened.grid.y) < 6)[:, None] & (abs(opened.grid.x - 240) < 30)
        assert np.nanmean(el_nino[east_pacific]) > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("weather_small", RESIDUAL),
        ("weather_small_quick", RESIDUAL),
        ("ocean_small", PLAIN),
        ("ocean_decades_small", RESIDUAL),
        ("ocean_forced_small", PLAIN),
        ("kuroshio_small", [*RESIDUAL, "data.source.snapshots=34", "data.splits.train=1"]),
        (
            "kolmogorov_small",
            [*RESIDUAL, "data.source.snapshots=34", "data.source.warm_up=0", "data.splits.train=1"],
        ),
    ],
)
def test_shipped_recipes_go_all_the_way(command, tmp_path, recipe, changes):
    store, run, forecast = tmp_path / "a.zarr", tmp_path / "run", tmp_path / "forecast.zarr"
    assert command("prepare", recipe, *QUICK, *changes, "--out", store).code == 0
    assert command("inspect", store).code == 0
    assert command("train", recipe, store, *QUICK, "--out", run).code == 0
    assert command("-q", "forecast", run, store, "--out", forecast, "--guard", "record").code == 0
    judged = command("evaluate", forecast, store, "--out", tmp_path / "r", "--resamples", 10)
    assert judged.code == 0, judged.err


def test_shipped_data_are_small_and_say_where_they_come_from(command):
    shipped = shipped_data()
    assert list(shipped) == [
        "speedy_64x32_geography",
        "speedy_64x32_mass",
        "speedy_64x32_wind",
        "sst_anomaly_1979_2008_monthly",
        "veros_4deg_currents",
        "veros_4deg_forcing",
        "veros_4deg_surface",
    ]
    assert all(path.stat().st_size < 5e6 for path in shipped.values())
    assert sum(path.stat().st_size for path in shipped.values()) < 17e6
    outcome = command("inspect", "shipped:sst_anomaly_1979_2008_monthly")
    assert outcome.code == 0
    # Its times are the first moments of months, and the file has no bounds: that is to be said.
    assert "month-ambiguous" in outcome.out
    assert outcome.out.endswith("findings: 0 fatal, 1 warning, 0 note\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["veros_4deg_surface", "veros_4deg_currents", "veros_4deg_forcing"]
)
def test_nothing_is_wrong_with_the_shipped_ocean(command, name):
    outcome = command("inspect", f"shipped:{name}")
    assert outcome.code == 0
    assert outcome.out.endswith("findings: 0 fatal, 0 warning, 0 note\n")


def test_the_forced_ocean_has_forcings_and_land(command, tmp_path):
    assert command("prepare", "ocean_forced_small", *SHORT, "--out", tmp_path / "a.zarr").code == 0
    store = TrainingStore.open(tmp_path / "a.zarr")
    roles = {variable.name: str(variable.role) for variable in store.variables}
    assert roles["heat_flux_anomaly"] == roles["wind_stress_x_anomaly"] == "forcing"
    assert roles["land_sea_mask"] == "static"
    land = store.read(0, slice(0, 1))[0, store.variables.names.index("land_sea_mask")]
    sst = store.valid_mask[0]
    assert 0.3 < land.mean() < 0.4
    np.testing.assert_array_equal(sst, land == 0)
    for current in (3, 4):
        assert np.all(store.valid_mask[current] <= sst)
