"""The turbulence experiments: the small one is good, the full one starts and makes progress. Minutes on two cores."""

import csv

import numpy as np
import pytest
import xarray as xr

from triton_earth.models.checkpoint import load_forecaster
from triton_earth.workflow.demo import demo


@pytest.mark.slow
def test_the_demonstration_is_clearly_good(tmp_path):
    demo("turbulence", tmp_path, train=True)
    with xr.open_dataset(tmp_path / "report" / "scores.nc") as scores:
        assert scores["lead_time"].size == 99
        mse = scores["mse"].sel(variable="vorticity")
        model, persistence = mse.sel(forecast="triton"), mse.sel(forecast="persistence")
        small = scores["small_scale_enstrophy"]
        ratio = small.sel(source="triton") / small.sel(source="truth")
        assert (scores["initial_conditions"] == 16).all()
        assert np.isfinite(model).all(), "no blow-up"
        assert float(model[0]) <= float(persistence[0]) / 10
        assert (model < persistence).all()
        assert 0.5 <= float(ratio[98]) <= 2


@pytest.mark.slow
def test_the_full_experiment_starts_and_makes_progress(command, tmp_path):
    data = [
        "data.splits={train: 2, valid: 1, test: 1}",
        "data.batch_size=4",
        "data.source.warm_up=1",
        "data.source.snapshots=6",
    ]
    steps = [
        "train.steps=12", "train.batch_size=2", "train.warmup_steps=2", "train.validate_every=6",
        "train.validation_windows=2", "train.noise=0", "train.ema_decay=0.5", "train.report=false",
    ]  # fmt: skip
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    assert command("prepare", "turbulence", *data, "--out", store).code == 0
    trained = command("train", "turbulence", store, *data, *steps, "--out", run)
    assert trained.code == 0, trained.err
    assert load_forecaster(run).parameter_count == 7_717_377
    with (run / "log.csv").open() as stream:
        scores = [float(row["validation_mse"]) for row in csv.DictReader(stream)]
    assert scores[-1] < scores[0]
