"""`train.mean_correction` through the command line: what is said, what is stored, and that it is done once."""

import numpy as np
import pytest
import torch

from tests.builders import files_below
from tests.gridded import dataset, write, write_recipe
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance, save_forecaster
from triton_earth.training.interruption import Interrupted, Request
from triton_earth.workflow.recipes.recipe import load_recipe
from triton_earth.workflow.running.mean_correction import correct_mean
from triton_earth.workflow.running.run_folder import FORECASTER, LAST

SPLITS = {
    "train": ["2001-01-01", "2001-02-28"],
    "valid": ["2001-03-05", "2001-03-15"],
    "test": ["2001-03-20", "2001-03-30"],
}
NAMES = ["2m_temperature", "sst"]
ASKED = [
    "model.normalization.subtract=climatology",
    "train.steps=2",
    "train.mean_correction={steps: 30, starts: 2, skip: 10}",
]


def test_the_mean_of_the_runs_is_corrected_once(command, tmp_path):
    files = write(tmp_path / "a.nc", dataset(90))
    recipe = write_recipe(tmp_path / "recipe.yaml", files, variables=NAMES, splits=SPLITS)
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    assert command("prepare", recipe, "--out", store).code == 0
    # An untrained network adds a little of the same at each step, for ever.
    trained = command("train", recipe, store, *ASKED, "--out", tmp_path / "drifting")
    assert trained.code == 0, trained.err
    assert "runs of 30 steps leave the climate of the training data" in trained.err
    assert load_provenance(tmp_path / "drifting")["training"]["mean_correction"] is None

    asked = [*ASKED, "model.prediction=damped", "model.network.zero_readout=true"]
    trained = command("train", recipe, store, *asked, "--out", run)
    assert trained.code == 0, trained.err
    assert "mean of the model's runs corrected by, in standard deviations:" in trained.err
    sizes = load_provenance(run)["training"]["mean_correction"]
    assert list(sizes) == NAMES
    assert all(0 < size < 1 for size in sizes.values())

    corrected, plain = load_forecaster(run), load_forecaster(run / LAST)
    cycles = [one.normalizer.seasons.climatology for one in (corrected, plain)]
    moved = cycles[1].coefficients - cycles[0].coefficients
    std = np.array(corrected.normalizer.std[:2])
    found = np.sqrt((moved[0] ** 2).mean((-2, -1))) / std
    np.testing.assert_allclose(found, list(sizes.values()), atol=1e-4)
    assert np.abs(moved[0, 1, 2:5, 3:6]).max() == 0  # land

    weights = (run / "forecaster" / "weights.safetensors").read_bytes()
    again = command("train", recipe, store, *asked, "--out", run, "--resume")
    assert again.code == 0, again.err
    assert (run / "forecaster" / "weights.safetensors").read_bytes() == weights

    # A signal in the middle of the runs leaves the forecaster as training left it, for --resume to go on from.
    folder, facts = run / FORECASTER, load_provenance(run)["training"]
    untouched = {key: value for key, value in facts.items() if key != "mean_correction"}
    save_forecaster(plain, folder, untouched)
    stored = files_below(folder)
    stopped = Request()
    stopped.name = "SIGTERM"
    data, settings = TrainingStore.open(store), load_recipe(recipe, asked)
    with pytest.raises(Interrupted, match="stopped by SIGTERM after step 2"):
        correct_mean(run, data, settings, torch.device("cpu"), stopped)
    assert files_below(folder) == stored
    correct_mean(run, data, settings, torch.device("cpu"), Request())
    assert load_provenance(run)["training"]["mean_correction"] is not None
