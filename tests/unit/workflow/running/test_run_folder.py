"""Going on with a run: what may change, what is refused, and a start that was cut short."""

import shutil

import pytest
import safetensors.torch
import torch
import yaml

from tests.builders import TINY_RECIPE
from tests.crashes import Crash, dies_at_call
from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.checkpoint import load_forecaster, save_forecaster
from triton_earth.training import step as training_step
from triton_earth.training.checkpoint import NAME, read_training_state
from triton_earth.workflow.recipes.recipe import load_recipe
from triton_earth.workflow.running import run_folder, start
from triton_earth.workflow.running.run_folder import claim_run, goes_on
from triton_earth.workflow.train import train


def weights(run):
    return safetensors.torch.load_file(run / "forecaster" / "weights.safetensors")


def assert_same_weights(one, other):
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


def train_until(step, store, out, recipe):
    with dies_at_call(step, training_step, "mean_over_leads"):
        train("turbulence_small", store, out, recipe)


def going_on(out, store, *changes):
    recipe = load_recipe("turbulence_small", [*TINY_RECIPE, *changes])
    return goes_on(out, recipe, TrainingStore.open(store), resume=True, overwrite=False)


@pytest.mark.parametrize(
    "function", ["remove_leftovers", "write_json", "write_bytes", "write_text"]
)
def test_a_start_that_was_killed_starts_afresh(tiny_store, tmp_path, monkeypatch, function):
    """After the folder is made, and before and after the files that come before the recipe."""
    recipe, store = load_recipe("turbulence_small", TINY_RECIPE), TrainingStore.open(tiny_store)
    out = tmp_path / "run"

    def dying(*_, **__):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, function, dying)
        with pytest.raises(Crash):
            claim_run(out, recipe, store, b"start", overwrite=False)
    assert out.exists()
    assert not going_on(out, tiny_store)
    claim_run(out, recipe, store, b"start", overwrite=False)
    assert going_on(out, tiny_store)


def test_resume_starts_where_there_is_nothing(tiny_store, tiny_run, tmp_path):
    (tmp_path / "run").mkdir()
    train("turbulence_small", tiny_store, tmp_path / "run", TINY_RECIPE, resume=True)
    assert_same_weights(tiny_run, tmp_path / "run")


def test_all_keys_that_differ_are_listed(tiny_store, tiny_run):
    with pytest.raises(UserError) as caught:
        going_on(tiny_run, tiny_store, "seed=3", "train.noise=0.5", "train.steps=9")
    assert str(caught.value) == (
        f"{tiny_run}: the run there was started with another recipe or other overrides than this command's: seed is 0, "
        "here 3, train.steps is 6, here 9, train.noise is 0.25, here 0.5 (steps can change while "
        "train.schedule=trapezoid is before its fall only; later, start a new run with train.init_from="
        f"{tiny_run}). Repeat its own command with --resume, or choose another folder."
    )


def test_what_changes_no_bit_may_change(tiny_store, tiny_run):
    assert going_on(
        tiny_run, tiny_store, "title=Other", "train.loader_workers=3", "train.memory_gb=0",
        "train.report=true", "train.device=auto", "train.accumulate=2", "forecast.steps=3",
    )  # fmt: skip
    with pytest.raises(UserError, match=r"train\.threads is 1, here 2"):
        going_on(tiny_run, tiny_store, "train.threads=2")


def test_stabilizers_may_change_unless_training_runs_with_them(tiny_store, tiny_run, tmp_path):
    change = "forecast.stabilizers.range_clamp={}"
    assert going_on(tiny_run, tiny_store, change)
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    values = yaml.safe_load((out / "config.yaml").read_text())
    values["train"]["stabilized"] = True
    values["forecast"]["stabilizers"] = {"spectral_filter": {}}
    (out / "config.yaml").write_text(yaml.safe_dump(values))
    same = ["train.stabilized=true", "forecast.stabilizers={spectral_filter: {}}"]
    assert going_on(out, tiny_store, *same)
    with pytest.raises(UserError, match=r"forecast\.stabilizers\.range_clamp.* is "):
        going_on(out, tiny_store, *same, change)


def test_keys_that_a_newer_version_added_count_as_their_defaults(tiny_store, tiny_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    values = yaml.safe_load((out / "config.yaml").read_text())
    del values["train"]["huber_delta"], values["model"]["normalization"]
    (out / "config.yaml").write_text(yaml.safe_dump(values))
    assert going_on(out, tiny_store)
    with pytest.raises(UserError, match=r"train\.huber_delta is 1\.0, here 2\.0"):
        going_on(out, tiny_store, "train.huber_delta=2.0")


def test_another_number_of_loading_threads_gives_the_same_bits(tiny_store, tiny_run, tmp_path):
    train_until(5, tiny_store, tmp_path / "run", [*TINY_RECIPE, "train.loader_workers=1"])
    recipe = [*TINY_RECIPE, "train.loader_workers=3"]
    train("turbulence_small", tiny_store, tmp_path / "run", recipe, resume=True)
    assert_same_weights(tiny_run, tmp_path / "run")
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["train"][
        "loader_workers"
    ] == 3  # fmt: skip


def test_a_run_is_prolonged_on_its_plateau(tiny_store, tmp_path):
    recipe = [*TINY_RECIPE, "train.schedule=trapezoid", "train.decay_steps=2"]
    train_until(5, tiny_store, tmp_path / "run", recipe)  # saved is step 3 of 6
    longer = [*recipe, "train.steps=9"]
    train("turbulence_small", tiny_store, tmp_path / "run", longer, resume=True)
    train("turbulence_small", tiny_store, tmp_path / "whole", longer)
    assert_same_weights(tmp_path / "whole", tmp_path / "run")
    with pytest.raises(UserError, match=r"train.steps is 9, here 12 \(steps can change while"):
        train(
            "turbulence_small",
            tiny_store,
            tmp_path / "run",
            [*recipe, "train.steps=12"],
            resume=True,
        )


def test_statistics_are_kept_with_the_run(tiny_store, tiny_run, tmp_path, monkeypatch):
    train_until(5, tiny_store, tmp_path / "run", TINY_RECIPE)

    def never(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(start, "training_statistics", never)
    train("turbulence_small", tiny_store, tmp_path / "run", TINY_RECIPE, resume=True)
    assert_same_weights(tiny_run, tmp_path / "run")


@pytest.fixture
def tuning(tiny_run, tmp_path):
    """A recipe that starts from a run which may be moved away."""
    source = tmp_path / "source"
    shutil.copytree(tiny_run, source)
    return source, [
        *TINY_RECIPE, f"train.init_from={source}", "train.horizon=2", "train.init_optimizer=continued",
    ]  # fmt: skip


def test_a_fine_tuned_run_goes_on_without_its_source(tiny_store, tuning, tmp_path):
    source, recipe = tuning
    train("turbulence_small", tiny_store, tmp_path / "whole", recipe)
    train_until(5, tiny_store, tmp_path / "run", recipe)
    shutil.rmtree(source)
    train("turbulence_small", tiny_store, tmp_path / "run", recipe, resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_a_source_that_has_changed_before_anything_was_saved(tiny_store, tuning, tmp_path):
    source, recipe = tuning
    train_until(1, tiny_store, tmp_path / "run", recipe)
    changed = load_forecaster(source)
    with torch.no_grad():
        for parameter in changed.network.parameters():
            parameter.add_(1)
    save_forecaster(changed, source / "forecaster", {})
    with pytest.raises(
        UserError, match=r"the run was started from weights \w{12}, there are \w{12} now"
    ):
        train("turbulence_small", tiny_store, tmp_path / "run", recipe, resume=True)


def test_moments_go_on_with_the_weights_they_belong_to(tiny_store, tuning, tmp_path):
    source, recipe = tuning
    still = [
        "train.steps=1",
        "train.learning_rate=1.0e-12",
        "train.horizon=1",
        "train.weight_decay=0",
    ]
    train("turbulence_small", tiny_store, tmp_path / "run", [*recipe, *still])
    before, after = (
        read_training_state(run / NAME)["network"] for run in (source, tmp_path / "run")
    )
    for name, tensor in before.items():
        if tensor.is_floating_point() and "running" not in name:
            torch.testing.assert_close(after[name], tensor, rtol=1e-5, atol=1e-7)
