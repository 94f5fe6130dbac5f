import csv
import os
import signal

import pytest
import torch

from tests.builders import ScaledSum, tiny_forecaster
from tests.crashes import Crash, dies_at_call
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training import loop
from triton_earth.training import step as training_step
from triton_earth.training.checkpoint import NAME, read_training_state
from triton_earth.training.config import TrainConfig
from triton_earth.training.interruption import INTERRUPTED, Interrupted, Request
from triton_earth.training.logs.log import COLUMNS, TrainingLog
from triton_earth.training.loop import fit
from triton_earth.training.losses.rollout_loss import rollout_loss
from triton_earth.training.optimization.curriculum import Stage
from triton_earth.training.optimization.optimizers import build_optimizers
from triton_earth.training.validation.validation import validate

CONFIG = TrainConfig(
    steps=12,
    batch_size=4,
    learning_rate=3e-3,
    warmup_steps=2,
    ema_decay=0.9,
    validate_every=4,
    validation_windows=5,
    memory_gb=1.0,
)


def dataset(store, split, history=1, horizon=1):
    windows = Windows(store.segments(split), history * (1 + horizon))
    return ForecastDataset(store, windows, history, memory_gb=1.0)


def run(store, folder, config=CONFIG, *, history=1, seed=0, forecaster=None, training=None, **more):
    """Train in a folder, by default a new tiny forecaster; return the forecaster and the weights saved as best."""
    forecaster = forecaster or tiny_forecaster(store, history=history, seed=seed)
    saved = []

    def save_best(trained, weights, scores):
        saved.append(
            ({name: tensor.clone() for name, tensor in weights.items()}, scores["validation_mse"])
        )

    folder.mkdir(exist_ok=True)
    training = training or dataset(store, "train", history, config.longest_horizon)
    validation = dataset(store, "valid", history)
    rollouts = dataset(store, "valid", history, 5) if config.validation_leads else None
    more = {"rollouts": rollouts, **more}
    fit(forecaster, training, validation, config, seed, folder, save_best, **more)
    return forecaster, saved


def log_rows(folder):
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert all(float(row.pop("samples_per_second")) > 0 for row in rows)
    return rows


# --- the loss


def test_the_loss_of_a_known_network(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.25)
    history, truth = dataset(waves, "train").batch([0, 5])
    (mean,), (std,) = forecaster.normalizer.mean, forecaster.normalizer.std
    (increment,) = forecaster.normalizer.increment_std
    forecast = history.data + increment * 0.25 * (history.data - mean) / std
    expected = ((forecast - truth.data) / increment).square().mean()
    torch.testing.assert_close(rollout_loss(forecaster, history, truth), expected)


def test_the_loss_of_persistence_is_one(waves):
    # In units of the increments' size, no change is wrong by one.
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.0)
    training = dataset(waves, "train")
    loss = rollout_loss(forecaster, *training.batch(range(len(training))))
    assert loss.item() == pytest.approx(1.0, rel=1e-4)


def test_the_loss_of_several_steps_is_the_mean_over_leads(waves):
    forecaster = tiny_forecaster(waves)
    history, truth = dataset(waves, "train", horizon=3).batch([0, 5])
    (increment,) = forecaster.normalizer.increment_std
    state, expected = history, []
    for lead in range(3):
        state = forecaster(state)
        error = (state.data - truth.at(slice(lead, lead + 1)).data) / increment
        expected.append(error.square().mean())
    torch.testing.assert_close(
        rollout_loss(forecaster, history, truth), torch.stack(expected).mean()
    )


def test_gradients_flow_through_all_steps(waves):
    forecaster = tiny_forecaster(waves)
    forecaster.network = ScaledSum(0.1)
    history, truth = dataset(waves, "train", horizon=3).batch([0])
    factor = forecaster.network.factor

    def loss_at(value):
        with torch.no_grad():
            factor.fill_(value)
        return rollout_loss(forecaster, history, truth)

    loss_at(0.1).backward()
    numeric = (loss_at(0.11) - loss_at(0.09)).item() / 0.02
    assert factor.grad.item() == pytest.approx(numeric, rel=1e-2)


def test_forcings_are_the_truth_at_each_target_time(weather):
    forecaster = tiny_forecaster(weather)
    forecaster.network = ScaledSum(0.01)
    history, truth = dataset(weather, "train", horizon=3).batch([0, 7])
    loss = rollout_loss(forecaster, history, truth)
    assert torch.isfinite(loss)
    mean, std = forecaster.normalizer.mean[1], forecaster.normalizer.std[1]
    for lead, inputs in enumerate(forecaster.network.inputs):
        torch.testing.assert_close(inputs[:, 0, 1], (truth.data[:, lead, 1] - mean) / std)


def test_a_masked_store_gives_finite_gradients(weather):
    forecaster = tiny_forecaster(weather)
    loss = rollout_loss(forecaster, *dataset(weather, "train", horizon=2).batch([0, 7]))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in forecaster.network.parameters())


# --- validation


def test_validation_scores_the_first_step_in_units_of_the_variance(waves):
    forecaster = tiny_forecaster(waves)
    validation = dataset(waves, "valid")
    count = len(validation)
    scores = validate(forecaster, validation, TrainConfig(validation_windows=count, batch_size=4))
    history, truth = validation.batch(range(count))
    (std,) = forecaster.normalizer.std
    with torch.no_grad():
        error = ((forecaster(history).data - truth.data) / std).square().mean()
    change = ((history.data - truth.data) / std).square().mean()
    assert scores["validation_mse"] == pytest.approx(error.item(), rel=1e-5)
    assert scores["persistence_mse"] == pytest.approx(change.item(), rel=1e-5)


def test_validation_looks_at_evenly_spread_windows(waves, monkeypatch):
    validation = dataset(waves, "valid")
    seen = []
    original = validation.batches
    monkeypatch.setattr(
        validation, "batches", lambda order: seen.extend(order) or original(iter(seen))
    )
    config = TrainConfig(validation_windows=3, batch_size=2)
    validate(tiny_forecaster(waves), validation, config)
    assert [indices.tolist() for indices in seen] == [[0, 5], [10]]


# --- the loop


def test_it_learns(waves, tmp_path):
    config = CONFIG.model_copy(update={"steps": 120, "validate_every": 60, "learning_rate": 1e-2})
    _, saved = run(waves, tmp_path / "run", config)
    rows = log_rows(tmp_path / "run")
    assert saved
    # Waves that are advected without change: a fifth of persistence's error after 120 steps.
    assert saved[-1][1] < 0.2 * float(rows[-1]["persistence_mse"])


@pytest.mark.parametrize("kind", ["waves", "weather"])
def test_it_trains_on_rollouts_of_several_steps(kind, request, tmp_path):
    store = request.getfixturevalue(kind)
    config = CONFIG.model_copy(update={"horizon": 2, "steps": 6, "validate_every": 3})
    _, saved = run(store, tmp_path / "run", config, history=2)
    assert saved
    assert all(torch.isfinite(tensor).all() for tensor in saved[-1][0].values())


def test_the_log_tells_the_course(waves, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 3)
    run(waves, tmp_path / "run")
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[0].split(",") == list(COLUMNS)
    rows = log_rows(tmp_path / "run")
    assert [row["step"] for row in rows] == ["3", "4", "6", "8", "9", "12"]
    # 33 windows in batches of 4: 8 steps are an epoch.
    assert [row["epoch"] for row in rows] == ["0", "0", "0", "0", "1", "1"]
    validated = [row["step"] for row in rows if row["validation_mse"]]
    assert validated == ["4", "8", "12"]
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates[0] == 3e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-4
    assert all(float(row["gradient_norm"]) > 0 for row in rows)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(waves, tmp_path):
    one, _ = run(waves, tmp_path / "one")
    two, _ = run(waves, tmp_path / "two")
    other, _ = run(waves, tmp_path / "other", seed=1)
    assert equal(one, two)
    assert not equal(one, other)


def equal(one, other):
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("step", [2, 7, 9])
def test_a_resumed_run_has_the_same_bits(waves, tmp_path, monkeypatch, step):
    monkeypatch.setattr(loop, "LOG_EVERY", 3)
    whole, saved = run(waves, tmp_path / "whole")
    with dies_at_call(step, training_step, "mean_over_leads"):
        run(waves, tmp_path / "cut")
    torch.rand(7)  # another state of the random numbers
    resumed, saved_after = run(waves, tmp_path / "cut")
    assert equal(whole, resumed)
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")
    weights, loss = saved[-1]
    weights_after, loss_after = saved_after[-1]
    assert loss == loss_after
    assert all(torch.equal(weights[name], weights_after[name]) for name in weights)
    states = [
        torch.load(tmp_path / name / "training_state.pt", weights_only=True)
        for name in ("whole", "cut")
    ]
    assert_same(*states)


def assert_same(one, other):
    """Compare nested dictionaries, lists, tensors and numbers exactly."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_resuming_a_finished_run_changes_nothing(waves, tmp_path):
    run(waves, tmp_path / "run")
    state = (tmp_path / "run" / "training_state.pt").read_bytes()
    log = (tmp_path / "run" / "log.csv").read_bytes()
    _, saved = run(waves, tmp_path / "run")
    assert saved == []
    assert (tmp_path / "run" / "training_state.pt").read_bytes() == state
    assert (tmp_path / "run" / "log.csv").read_bytes() == log


def test_only_weights_that_did_better_are_saved(waves, tmp_path, monkeypatch):
    losses = iter([0.5, 0.7, 0.3])
    monkeypatch.setattr(
        loop, "validate", lambda *_: {"validation_mse": next(losses), "persistence_mse": 1.0}
    )
    _, saved = run(waves, tmp_path / "run")
    assert [loss for _, loss in saved] == [0.5, 0.3]


def test_it_goes_back_to_the_best_weights_also_after_a_crash(waves, tmp_path, monkeypatch):
    config = CONFIG.model_copy(update={"back_to_best": True})
    scores = {4: 0.5, 8: 0.7, 12: 0.3}

    def scored(*_):
        return {"validation_mse": scores[next(steps)], "persistence_mse": 1.0}

    monkeypatch.setattr(loop, "validate", scored)
    steps = iter(scores)
    _, saved = run(waves, tmp_path / "whole", config)
    assert [loss for _, loss in saved] == [0.5, 0.3]
    back = [row["went_back"] for row in log_rows(tmp_path / "whole") if row["went_back"]]
    assert [float(value) for value in back] == [0, 1, 0]
    state = torch.load(tmp_path / "whole" / "training_state.previous.pt", weights_only=True)
    assert state["step"] == 8
    for part in ("network", "average", "best_weights"):
        assert_same(state[part], dict(saved[0][0]))
    # Cut off after the first validation.
    steps = iter(scores)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", lambda *_: scored() if next(cut) else _raise())
        cut = iter([True, False])
        with pytest.raises(Crash):
            run(waves, tmp_path / "cut", config)
    steps = iter([8, 12])
    run(waves, tmp_path / "cut", config)
    states = [
        torch.load(tmp_path / name / "training_state.pt", weights_only=True)
        for name in ("whole", "cut")
    ]
    assert_same(*states)


def _raise():
    raise Crash


def test_the_gradient_is_clipped(waves, tmp_path, monkeypatch):
    norms = []
    original = torch.optim.AdamW.step

    def watching(self, *arguments, **options):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.stack([g.norm() for g in gradients if g is not None]).norm().item())
        return original(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", watching)
    run(waves, tmp_path / "run", CONFIG.model_copy(update={"steps": 4, "clip_norm": 1e-3}))
    assert norms == pytest.approx([1e-3] * 4, rel=1e-2)


def test_weight_decay_spares_biases_and_norms(waves):
    (optimizer,) = build_optimizers(tiny_forecaster(waves).network, CONFIG)
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0.0
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in spared["params"])
    assert spared["params"]


def test_a_loss_that_is_not_finite_stops_the_run(waves, tmp_path, monkeypatch):
    original, calls = training_step.mean_over_leads, []

    def exploding(*arguments):
        calls.append(1)
        return original(*arguments) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(training_step, "mean_over_leads", exploding)
    with pytest.raises(UserError) as caught:
        run(waves, tmp_path / "run")
    assert str(caught.value) == (
        "the training loss is nan at step 6, largest in 'vorticity' at lead 1. The weights that did best until step 4 "
        f"are kept: start a new run from them in another folder, with train.init_from={tmp_path / 'run'}, with a lower "
        "train.learning_rate or train.clip_norm, and look for outliers in the data."
    )
    # What was learned until then is kept.
    state = torch.load(tmp_path / "run" / "training_state.pt", weights_only=True)
    assert state["step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in state["network"].values())


def test_fewer_windows_than_a_batch_are_refused(waves, tmp_path):
    with pytest.raises(UserError, match="a batch of 400 needs at least as many training windows"):
        run(waves, tmp_path / "run", CONFIG.model_copy(update={"batch_size": 400}))


# --- stages, parts, optimisers


RICH = {
    "curriculum": [{"from_step": 0, "horizon": 1}, {"from_step": 5, "horizon": 3}],
    "accumulate": 2,
    "noise": 0.1,
    "recompute_steps": True,
    "optimizer": "muon",
    "schedule": "trapezoid",
    "loss": {"mse": 1.0, "spectral": 0.01},
    "validation_leads": [1, 4],
    "validation_forecasts": 3,
    "select_by": "rollout_rmse_lead_4",
}


def rich_config(**changes):
    return TrainConfig.parse({**CONFIG.model_dump(), **RICH, **changes}, "test")


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_horizon_grows_during_the_run(waves, tmp_path, monkeypatch):
    horizons = []
    original = training_step.mean_over_leads

    def watching(forecaster, leads, truth, config):
        horizons.append((len(leads), truth.data.shape[1]))
        return original(forecaster, leads, truth, config)

    monkeypatch.setattr(training_step, "mean_over_leads", watching)
    run(waves, tmp_path / "run", rich_config(accumulate=1))
    assert horizons == [(1, 1)] * 5 + [(3, 3)] * 7
    rows = table(tmp_path / "run" / "losses.csv")
    assert [(row["step"], row["lead"]) for row in rows] == [
        ("4", "1"), ("8", "1"), ("8", "2"), ("8", "3"), ("12", "1"), ("12", "2"), ("12", "3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "step", [13, pytest.param(4, marks=pytest.mark.slow), pytest.param(21, marks=pytest.mark.slow)]
)
def test_a_resumed_run_of_everything_has_the_same_bits(waves, tmp_path, monkeypatch, step):
    whole, _ = run(waves, tmp_path / "whole", rich_config())
    with monkeypatch.context() as patch:
        original, calls = training_step.mean_over_leads, []

        def dying(*arguments):
            calls.append(1)
            if len(calls) == step:
                raise Crash
            return original(*arguments)

        patch.setattr(training_step, "mean_over_leads", dying)
        with pytest.raises(Crash):
            run(waves, tmp_path / "cut", rich_config())
    resumed, _ = run(waves, tmp_path / "cut", rich_config())
    assert equal(whole, resumed)
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")
    for name in ("losses.csv", "validation.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert_same(*(read_training_state(tmp_path / name / NAME) for name in ("whole", "cut")))


def test_parts_of_a_batch_give_the_gradient_of_the_whole(waves, tmp_path):
    # Without anything random: only the order of summation differs.
    states = []
    for accumulate in (1, 4):
        forecaster = tiny_forecaster(waves)
        for module in forecaster.network.modules():
            if hasattr(module, "probability"):
                module.probability = 0.0
        config = CONFIG.model_copy(update={"accumulate": accumulate, "steps": 5})
        folder = tmp_path / str(accumulate)
        run(waves, folder, config, forecaster=forecaster)
        states.append(
            (forecaster.network.state_dict(), [float(r["loss"]) for r in log_rows(folder)])
        )
    assert states[0][1] == pytest.approx(states[1][1], rel=1e-5)
    for name, tensor in states[0][0].items():
        torch.testing.assert_close(tensor, states[1][0][name], rtol=1e-3, atol=1e-5)


def test_the_checkpoint_is_chosen_by_the_named_score(waves, tmp_path, monkeypatch):
    scores = iter([0.5, 0.7, 0.3])
    monkeypatch.setattr(
        loop, "validate", lambda *_: {"validation_mse": 1 / next(scores), "persistence_mse": 1.0}
    )
    rmse = iter([0.9, 0.2, 0.4])
    monkeypatch.setattr(
        loop,
        "validate_rollouts",
        lambda *_: (
            {"rollout_rmse": 0.0, "rollout_rmse_lead_1": 0.0, "rollout_rmse_lead_4": next(rmse)},
            [],
        ),
    )
    _, saved = run(waves, tmp_path / "run", rich_config())
    assert [score for _, score in saved] == [1 / 0.5, 1 / 0.7]
    rows = log_rows(tmp_path / "run")
    assert [row["rollout_rmse_lead_4"] for row in rows] == ["0.9", "0.2", "0.4"]


def test_a_first_forecast_that_blows_up_is_replaced(waves, tmp_path, monkeypatch):
    scores = iter([float("inf"), float("nan"), 0.3])
    monkeypatch.setattr(
        loop, "validate", lambda *_: {"validation_mse": next(scores), "persistence_mse": 1.0}
    )
    _, saved = run(waves, tmp_path / "run")
    assert len(saved) == 3
    assert saved[-1][1] == 0.3


def test_a_signal_stops_the_run_after_its_step_and_nothing_is_lost(waves, tmp_path, monkeypatch):
    whole, _ = run(waves, tmp_path / "whole")
    with monkeypatch.context() as patch:
        original, calls = training_step.mean_over_leads, []

        def signalling(*arguments):
            calls.append(1)
            if len(calls) == 7:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(*arguments)

        patch.setattr(training_step, "mean_over_leads", signalling)
        with pytest.raises(Interrupted, match="stopped by SIGTERM after step 7; the same command"):
            run(waves, tmp_path / "cut")
        assert len(calls) == 7
    resumed, _ = run(waves, tmp_path / "cut")
    assert equal(whole, resumed)
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")
    assert_same(*(read_training_state(tmp_path / name / NAME) for name in ("whole", "cut")))


def test_a_signal_before_the_first_step_stops_the_run_at_once(waves, tmp_path):
    request = Request()
    request(signal.SIGUSR1, None)
    with pytest.raises(Interrupted, match="stopped by SIGUSR1 after step 0; the same command"):
        run(waves, tmp_path / "run", request=request)
    assert (tmp_path / "run" / INTERRUPTED).read_text() == "SIGUSR1, step 0\n"
    run(waves, tmp_path / "run")
    assert not (tmp_path / "run" / INTERRUPTED).exists()
    assert read_training_state(tmp_path / "run" / NAME)["step"] == 12


def test_an_exploding_loss_names_variable_and_lead(waves, tmp_path):
    config = CONFIG.model_copy(update={"horizon": 3})
    training = dataset(waves, "train", 1, 3)
    original = training.batch

    def broken(indices, horizon=None):
        history, truth = original(indices, horizon)
        truth.data[:, 1] = torch.inf
        return history, truth

    training.batch = broken
    with pytest.raises(UserError) as caught:
        run(waves, tmp_path / "run", config, training=training)
    assert str(caught.value).startswith(
        "the training loss is inf at step 1, first in 'vorticity' at lead 2. No step was validated yet: start a new "
        "run with a lower train.learning_rate"
    )


@pytest.mark.parametrize("broken_part", [0, 1])
def test_the_part_that_is_not_finite_is_the_one_that_is_named(waves, tmp_path, broken_part):
    config = CONFIG.model_copy(update={"horizon": 2, "accumulate": 2})
    training = dataset(waves, "train", 1, 2)
    original, calls = training.batch, []

    def broken(indices, horizon=None):
        history, truth = original(indices, horizon)
        if len(calls) == broken_part:
            truth.data[:, 1] = torch.inf
        calls.append(1)
        return history, truth

    training.batch = broken
    config = config.model_copy(update={"loader_workers": 1})
    with pytest.raises(UserError, match="loss is inf at step 1, first in 'vorticity' at lead 2"):
        run(waves, tmp_path / "run", config, training=training)


def test_logged_losses_are_means_over_the_parts(waves, tmp_path):
    config = CONFIG.model_copy(update={"steps": 4, "accumulate": 2, "horizon": 2})
    run(waves, tmp_path / "run", config)
    (row,) = log_rows(tmp_path / "run")
    by_lead = [float(one["loss"]) for one in table(tmp_path / "run" / "losses.csv")]
    assert sum(by_lead) / 2 == pytest.approx(float(row["loss"]), rel=1e-6)


@pytest.mark.parametrize("name", ["log.csv", "losses.csv", "training_state.pt", NAME + ".renamed"])
def test_killed_while_a_step_is_saved_no_row_is_lost(waves, tmp_path, monkeypatch, name):
    """Before the row of a log, between the logs, before the state is written, and after it is renamed."""
    whole, _ = run(waves, tmp_path / "whole")

    def dying_row(self, **values):
        if self.path.name == name and values["step"] == 8:
            raise Crash
        return write_row(self, **values)

    def dying_save(folder, *, step, **state):
        if step == 8 and name == NAME:
            raise Crash
        save(folder, step=step, **state)
        if step == 8 and name == NAME + ".renamed":
            raise Crash

    write_row, save = TrainingLog.write, loop.save_training_state
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLog, "write", dying_row)
        patch.setattr(loop, "save_training_state", dying_save)
        with pytest.raises(Crash):
            run(waves, tmp_path / "cut")
    resumed, _ = run(waves, tmp_path / "cut")
    assert equal(whole, resumed)
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")
    files = [(tmp_path / folder / "losses.csv").read_bytes() for folder in ("whole", "cut")]
    assert files[0] == files[1]


def test_a_loss_that_grows_out_of_proportion_stops_the_run(waves, tmp_path, monkeypatch):
    """The first step of each stage is what counts, also in a run that was resumed."""
    original, calls = training_step.mean_over_leads, []

    def growing(*arguments):
        calls.append(1)
        return original(*arguments) * 15.0 ** len(calls)

    stages = [Stage(from_step=0, horizon=1), Stage(from_step=4, horizon=2)]
    config = CONFIG.model_copy(update={"curriculum": tuple(stages), "validate_every": 2})
    monkeypatch.setattr(training_step, "mean_over_leads", growing)
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"train.explosion\), at step 9, largest in 'vorticity'"
        ):
            run(waves, tmp_path / "run", config)
        del calls[8:]  # the state after step 8 was saved
    assert read_training_state(tmp_path / "run" / NAME)["step"] == 8


@pytest.mark.parametrize("wanted", [True, False])
def test_compiling_is_a_switch(waves, tmp_path, monkeypatch, wanted):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiled.append(self))
    config = CONFIG.model_copy(update={"compile": wanted, "steps": 1})
    forecaster, _ = run(waves, tmp_path / "run", config)
    assert compiled == ([forecaster.network] if wanted else [])
