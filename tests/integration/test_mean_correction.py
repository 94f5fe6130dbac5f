"""`train.mean_correction` through the command line: what is said, what is stored, and that it is done once."""

import numpy as np
import pytest
import torch

from tests.builders import files_below
from tests.gridded import dataset, write, write_recipe
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, load_provenance, save_forecaster
from triton_earth.training.interruption import INTERRUPTED, Interrupted, Request
from triton_earth.workflow import train as training
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
    weights = np.where(plain.valid_mask, plain.grid.cell_area_weights, 0.0)
    found = np.sqrt((weights * moved[0] ** 2).sum((-2, -1)) / weights.sum((-2, -1))) / std
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


def test_runs_without_forcings_are_refused_before_the_training(command, tmp_path):
    """200 days of a given flux cannot be repeated for runs of 250 days."""
    files = write(tmp_path / "a.nc", dataset(200))
    splits = {
        "train": ["2001-01-01", "2001-06-20"],
        "valid": ["2001-06-25", "2001-07-05"],
        "test": ["2001-07-10", "2001-07-18"],
    }
    variables = [*NAMES, {"name": "flux", "role": "forcing"}]
    recipe = write_recipe(tmp_path / "recipe.yaml", files, variables=variables, splits=splits)
    store, run = tmp_path / "truth.zarr", tmp_path / "run"
    assert command("prepare", recipe, "--out", store).code == 0
    asked = [ASKED[0], "train.steps=2", "train.mean_correction={steps: 250}"]
    refused = command("train", recipe, store, *asked, "--out", run)
    assert refused.code == 2
    assert (
        "train.mean_correction: runs of 250 steps from the training split are not possible"
        in refused.err
    )
    assert "Lower train.mean_correction.steps, or leave it out." in refused.err
    assert not run.exists()

    def stop(out, store, recipe, device, request):
        raise Interrupted("SIGTERM", 2)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "correct_mean", stop)
        with pytest.raises(Interrupted):
            training.train(recipe, store, run, asked[:2])
    assert (run / INTERRUPTED).is_file()
    assert command("train", recipe, store, *asked[:2], "--out", run, "--resume").code == 0
    assert not (run / INTERRUPTED).exists()
