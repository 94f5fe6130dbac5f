import csv

import pytest
import torch

from tests.builders import ScaledSum, tiny_forecaster
from triton_earth.core.errors import UserError
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.windows import Windows
from triton_earth.training import loop
from triton_earth.training.config import TrainConfig
from triton_earth.training.log import COLUMNS
from triton_earth.training.loop import fit, rollout_loss, validate

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
    trajectories = tuple(store.trajectories_in(split).tolist())
    windows = Windows(trajectories, len(store.times), history * (1 + horizon))
    return ForecastDataset(store, windows, history, memory_gb=1.0)


def run(store, folder, config=CONFIG, *, history=1, seed=0):
    """Train in a folder and return the forecaster and what was saved as best."""
    forecaster = tiny_forecaster(store, history=history, seed=seed)
    saved = []

    def save_best(trained, weights, scores):
        saved.append(
            ({name: tensor.clone() for name, tensor in weights.items()}, scores["validation_mse"])
        )

    folder.mkdir(exist_ok=True)
    training = dataset(store, "train", history, config.horizon)
    validation = dataset(store, "valid", history, config.horizon)
    fit(forecaster, training, validation, config, seed, folder, save_best)
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
    pairs = zip(
        one.network.state_dict().values(), other.network.state_dict().values(), strict=True
    )
    return all(torch.equal(first, second) for first, second in pairs)


class Crash(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("step", [2, 7, 9])
def test_a_resumed_run_has_the_same_bits(waves, tmp_path, monkeypatch, step):
    monkeypatch.setattr(loop, "LOG_EVERY", 3)
    whole, saved = run(waves, tmp_path / "whole")
    with monkeypatch.context() as patch:
        original, calls = loop.rollout_loss, []

        def dying(*arguments):
            calls.append(1)
            if len(calls) == step:
                raise Crash
            return original(*arguments)

        patch.setattr(loop, "rollout_loss", dying)
        with pytest.raises(Crash):
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
    decayed, spared = loop._adamw(tiny_forecaster(waves).network, CONFIG).param_groups
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0.0
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in spared["params"])
    assert spared["params"]


def test_a_loss_that_is_not_finite_stops_the_run(waves, tmp_path, monkeypatch):
    original, calls = loop.rollout_loss, []

    def exploding(*arguments):
        calls.append(1)
        return original(*arguments) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(loop, "rollout_loss", exploding)
    with pytest.raises(UserError) as caught:
        run(waves, tmp_path / "run")
    assert str(caught.value) == (
        "the training loss is nan at step 6. Lower train.learning_rate or train.clip_norm, and look for outliers in "
        "the data."
    )
    # What was learned until then is kept.
    state = torch.load(tmp_path / "run" / "training_state.pt", weights_only=True)
    assert state["step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in state["network"].values())


def test_fewer_windows_than_a_batch_are_refused(waves, tmp_path):
    with pytest.raises(UserError, match="a batch of 400 needs at least as many training windows"):
        run(waves, tmp_path / "run", CONFIG.model_copy(update={"batch_size": 400}))
