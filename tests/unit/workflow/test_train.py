"""What `train` can be told, through the verb: where it starts from, what it selects by, and what it never reads."""

import csv
import shutil

import numpy as np
import pytest
import torch

from tests.builders import (
    SUNSHINE,
    TEMPERATURE,
    TINY_RECIPE,
    WEATHER_DATA,
    land_mask,
    wave_store,
    weather_fields,
    weather_grid,
    weather_times,
)
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Variables
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.training.checkpoint import NAME, read_training_state
from triton_earth.training.logs.log import read_logs
from triton_earth.workflow.train import train


def weights(run):
    return (run / "forecaster" / "weights.safetensors").read_bytes()


def test_the_test_split_is_never_touched(tiny_store, tiny_run, tmp_path):
    """Every field of the test split is made unreadable: training goes on and gives the same bits."""
    store = tmp_path / "truth.zarr"
    shutil.copytree(tiny_store, store)
    opened = TrainingStore.open(store)
    tested = opened.trajectories_in("test").tolist()
    broken = [
        path
        for number in tested
        for path in (store / "state" / "c" / str(number)).rglob("*")
        if path.is_file()
    ]
    assert len(broken) >= len(tested)
    for path in broken:
        path.write_bytes(b"no field")
    with pytest.raises(UserError, match="cannot be read"):
        opened.read(tested[0], slice(0, 1))
    overrides = [*TINY_RECIPE, "train.validation_leads=[1, 3]"]
    train("turbulence_small", store, tmp_path / "run", overrides)
    assert weights(tmp_path / "run") == weights(tiny_run)


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_the_test_period_is_never_touched(tmp_path, value):
    """One trajectory that is split in time: what stands in the test period changes no bit."""
    runs = []
    for name, tested in (("plain", None), ("replaced", value)):
        store = period_store(tmp_path / f"{name}.zarr", tested)
        overrides = [*TINY_RECIPE, "train.validation_leads=[1, 3]", "train.memory_gb=1"]
        overrides.append(WEATHER_DATA)
        train("turbulence_small", store.path, tmp_path / name, overrides)
        runs.append(load_forecaster(tmp_path / name))
    assert runs[0].normalizer == runs[1].normalizer
    for one, other in zip(*(run.network.state_dict().values() for run in runs), strict=True):
        assert torch.equal(one, other)


def period_store(path, tested):
    """A calendar store of one trajectory: 20 times for training, 8 for validation, 8 for the test, gaps between."""
    split = ["train"] * 20 + [""] * 2 + ["valid"] * 8 + [""] * 2 + ["test"] * 8
    grid, times = weather_grid(), weather_times(len(split))
    create_store(
        path,
        variables=Variables((TEMPERATURE, SUNSHINE)),
        grid=grid,
        times=times,
        splits=np.array([split]),
        provenance={"source": "random weather"},
        valid_mask=land_mask(grid),
    )
    fields = weather_fields(grid, len(split), 0)
    if tested is not None:
        fields[32:] = tested
    finish_store(path, [write_trajectory(path, 0, fields)])
    return TrainingStore.open(path)


def test_scores_of_forecasts_are_logged_and_select(tiny_store, tmp_path):
    overrides = [
        *TINY_RECIPE,
        "train.validation_leads=[1, 4]",
        "train.select_by=rollout_rmse_lead_4",
    ]
    train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    with (tmp_path / "run" / "log.csv").open() as stream:
        logged = [row for row in csv.DictReader(stream) if row["rollout_rmse_lead_4"]]
    scores = load_provenance(tmp_path / "run")["training"]["validation"]
    assert scores["rollout_rmse_lead_4"] == min(float(row["rollout_rmse_lead_4"]) for row in logged)
    with (tmp_path / "run" / "validation.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["step"], row["lead"], row["variable"]) for row in rows] == [
        (step, lead, "vorticity") for step in ("3", "6") for lead in ("1", "4")
    ]


def test_a_horizon_beyond_the_data_is_refused(tiny_store, tmp_path):
    stages = "train.curriculum=[{from_step: 0, horizon: 1}, {from_step: 2, horizon: 60}]"
    with pytest.raises(UserError) as caught:
        train("turbulence_small", tiny_store, tmp_path / "run", [*TINY_RECIPE, stages])
    assert str(caught.value).startswith(
        "a window of 61 times (history × (1 + horizon)) does not fit into 8 consecutive times"
    )
    with pytest.raises(UserError, match="a window of 31 times"):
        train(
            "turbulence_small",
            tiny_store,
            tmp_path / "run",
            [*TINY_RECIPE, "train.validation_leads=[30]"],
        )
    assert list(tmp_path.iterdir()) == []


def test_fine_tuning_starts_from_the_given_weights(tiny_store, tiny_run, tmp_path):
    # A first step at a learning rate of almost nothing: what comes out is what went in.
    overrides = [
        *TINY_RECIPE, f"train.init_from={tiny_run}", "train.horizon=2", "train.steps=1",
        "train.learning_rate=1.0e-12", "train.ema_decay=0.0",
    ]  # fmt: skip
    tuned = train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    before = load_forecaster(tiny_run).network.state_dict()
    for name, tensor in tuned.network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=1e-6, atol=1e-8)
    origin = load_provenance(tmp_path / "run")["training"]["init_from"]
    assert origin["model_hash"] == load_provenance(tiny_run)["model_hash"]


def test_the_optimizer_may_be_continued(tiny_store, tiny_run, tmp_path):
    moments = {}
    for how in ("fresh", "continued"):
        out = tmp_path / how
        overrides = [
            *TINY_RECIPE, f"train.init_from={tiny_run}", f"train.init_optimizer={how}",
            "train.steps=1", "train.validate_every=1",
        ]  # fmt: skip
        train("turbulence_small", tiny_store, out, overrides)
        moments[how] = read_training_state(out / NAME)["optimizers"][0]["state"][0]["step"]
    assert (moments["fresh"].item(), moments["continued"].item()) == (1, 7)


def test_another_network_cannot_be_fine_tuned(tiny_store, tiny_run, tmp_path):
    overrides = [*TINY_RECIPE, f"train.init_from={tiny_run}", "model.prediction=state"]
    with pytest.raises(UserError) as caught:
        train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    assert str(caught.value) == (
        f"train.init_from={tiny_run}: the recipe's model.prediction is state, there it is tendency. "
        "Fine-tune with the same model."
    )


def test_other_data_cannot_be_fine_tuned_on(weather, tiny_run, tmp_path):
    overrides = [*TINY_RECIPE, f"train.init_from={tiny_run}", WEATHER_DATA]
    with pytest.raises(UserError, match=r"needs variables \['vorticity'\], which are not there"):
        train("turbulence_small", weather.path, tmp_path / "run", overrides)


def test_a_fine_tuned_model_keeps_its_statistics(tiny_store, tiny_run, tmp_path):
    overrides = [*TINY_RECIPE, f"train.init_from={tiny_run}", "train.steps=1"]
    tuned = train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    assert tuned.normalizer == load_forecaster(tiny_run).normalizer


def test_a_model_that_blows_up_is_still_saved(tiny_store, tmp_path):
    overrides = [
        *TINY_RECIPE, "train.steps=2", "train.learning_rate=3.0", "train.warmup_steps=0",
        "train.validation_leads=[6]", "train.select_by=rollout_rmse", "train.explosion=1e30",
    ]  # fmt: skip
    train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    score = load_provenance(tmp_path / "run")["training"]["validation"]["rollout_rmse"]
    assert score is None or np.isfinite(score)


def test_weights_of_unknown_variables_are_refused_before_anything_is_written(tiny_store, tmp_path):
    overrides = [*TINY_RECIPE, "train.variable_weights={vortecity: 2.0}"]
    with pytest.raises(UserError, match="'vortecity' is not predicted; did you mean 'vorticity'"):
        train("turbulence_small", tiny_store, tmp_path / "run", overrides)
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_says_how_many_threads(tiny_store, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "triton_earth.workflow.train.fit", lambda *_, **__: seen.append(torch.get_num_threads())
    )
    with pytest.raises(UserError, match="forecaster"):  # nothing was trained
        train("turbulence_small", tiny_store, tmp_path / "run", [*TINY_RECIPE, "train.threads=3"])
    assert seen == [3]
    assert torch.get_num_threads() == 1


def test_the_last_weights_are_kept_beside_the_best(tiny_run):
    last = load_forecaster(tiny_run / "forecaster_last")
    trained = read_training_state(tiny_run / NAME)["network"]
    for name, tensor in last.network.state_dict().items():
        assert torch.equal(tensor, trained[name]), name
    said = [
        load_provenance(tiny_run / name)["training"] for name in ("forecaster", "forecaster_last")
    ]
    assert [facts.pop("weights") for facts in said] == ["moving average", "last step"]
    said[0].pop("validation")
    assert said[0] == said[1]
    assert {"recipe", "seed", "store_hash", "command", "versions", "machine"} <= set(said[1])


def test_a_run_ends_with_a_report_of_its_logs(tiny_store, tmp_path):
    changes = ["train.report=true", "train.validation_leads=[1, 3]", "train.horizon=2"]
    train("turbulence_small", tiny_store, tmp_path / "run", [*TINY_RECIPE, *changes])
    text = (tmp_path / "run" / "report.html").read_text()
    assert "<h1>Training of Decaying turbulence, Re 1000, 64 x 64</h1>" in text
    assert "Validation forecasts to leads 1, 3 are better than persistence" in text
    logs = read_logs(tmp_path / "run")
    assert logs["step"].values.tolist() == [3, 6]
    assert logs["lead_loss"].dims == ("step", "lead", "variable")
    assert logs["lead_loss"].shape == (2, 2, 1)
    assert logs["rmse"].sel(validated_step=6, validation_lead=3, variable="vorticity") > 0
    assert float(logs["loss"][0]) == pytest.approx(float(logs["lead_loss"][0].mean()), rel=1e-5)


def test_an_empty_split_is_refused_before_anything_is_written(tmp_path):
    wave_store(tmp_path / "waves.zarr", splits=("train", "train", "test"))
    with pytest.raises(UserError) as caught:
        train("turbulence_small", tmp_path / "waves.zarr", tmp_path / "run", TINY_RECIPE)
    assert str(caught.value) == (
        f"{tmp_path / 'waves.zarr'}: no trajectory is in split 'valid'; it has ['test', 'train']."
    )
    assert not (tmp_path / "run").exists()


def test_the_run_says_what_precision_it_took_and_keeps_it(tiny_store, tmp_path, monkeypatch):
    module = "triton_earth.workflow.train.resolve_precision"
    overrides = [*TINY_RECIPE, "train.precision=auto", "train.steps=2", "train.validate_every=2"]
    taken = {"auto": "bfloat16"}
    monkeypatch.setattr(module, lambda precision, device: taken.get(precision, precision))
    run = tmp_path / "run"
    assert train("turbulence_small", tiny_store, run, overrides).precision == "bfloat16"
    assert "precision: bfloat16\n" in (run / "config.yaml").read_text()
    assert load_provenance(run)["training"]["recipe"]["train"]["precision"] == "bfloat16"
    taken["auto"] = "float32"  # another machine
    resumed = train("turbulence_small", tiny_store, run, overrides, resume=True)
    assert resumed.precision == "bfloat16"
