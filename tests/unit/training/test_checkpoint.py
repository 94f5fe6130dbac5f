import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from triton_earth.core.errors import UserError
from triton_earth.training.checkpoint import (
    FRESH,
    NAME,
    PREVIOUS,
    continue_training,
    finish_saving,
    load_training_state,
    save_training_state,
    saved_step,
)
from triton_earth.training.optimization.moving_average import MovingAverage


def parts(width=3, seed=0):
    torch.manual_seed(seed)
    network = nn.Linear(2, width)
    return {
        "network": network,
        "average": MovingAverage(network, 0.9),
        "optimizers": [torch.optim.AdamW(network.parameters(), lr=0.1)],
    }


def trained(steps=3):
    state = parts()
    for _ in range(steps):
        (optimizer,) = state["optimizers"]
        optimizer.zero_grad()
        state["network"](torch.ones(1, 2)).square().sum().backward()
        optimizer.step()
        state["average"].update(state["network"])
    return state


def flat(state):
    optimizer = state["optimizers"][0].state_dict()["state"]
    return [
        *state["network"].state_dict().values(),
        *state["average"].weights.values(),
        torch.tensor(state["average"].updates),
        *(value for moments in optimizer.values() for value in moments.values()),
    ]


def test_everything_comes_back_bit_by_bit(tmp_path):
    state = trained()
    save_training_state(tmp_path, step=7, best_loss=0.5, first_loss=2.0, **state)
    other = parts(seed=1)
    assert load_training_state(tmp_path, **other) == (7, 0.5, 2.0, None)
    for one, two in zip(flat(state), flat(other), strict=True):
        assert torch.equal(one, two)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_without_a_file_training_starts_at_the_beginning(tmp_path):
    assert load_training_state(tmp_path, **parts()) == (0, float("inf"), float("inf"), None)


def refusal(folder, **state):
    with pytest.raises(UserError) as caught:
        load_training_state(folder, **(state or parts()))
    text = str(caught.value)
    assert text.startswith(f"{folder / NAME} cannot be used (")
    assert text.endswith("start again with --overwrite.")
    assert "\n" not in text


@pytest.mark.parametrize("kept", [0, 100, -30])
def test_a_truncated_file_is_refused(tmp_path, kept):
    save_training_state(tmp_path, step=1, best_loss=0.5, first_loss=2.0, **trained())
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:kept])
    refusal(tmp_path)


def test_the_state_of_another_network_is_refused(tmp_path):
    save_training_state(tmp_path, step=1, best_loss=0.5, first_loss=2.0, **trained())
    refusal(tmp_path, **parts(width=4))


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_the_file_is_refused_and_never_run(tmp_path, writer):
    state = {"step": 1, "network": Attack(tmp_path / "harm")}
    if writer == "torch":
        torch.save(state, tmp_path / NAME)
    else:
        (tmp_path / NAME).write_bytes(pickle.dumps(state, protocol=2))
    refusal(tmp_path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [[1, 2], {"step": 1}, 3.5])
def test_another_torch_file_is_refused(tmp_path, content):
    torch.save(content, tmp_path / NAME)
    refusal(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_of_a_damaged_state_the_one_before_is_used_with_a_message(tmp_path, caplog, damage):
    before, after = trained(2), trained(3)
    save_training_state(tmp_path, step=2, best_loss=0.5, first_loss=2.0, **before)
    save_training_state(tmp_path, step=3, best_loss=0.4, first_loss=2.0, **after)
    assert sorted(path.name for path in tmp_path.iterdir()) == [PREVIOUS, NAME]
    path = tmp_path / NAME
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-100], "flipped": content, "empty": b""}[damage])
    other = parts(seed=1)
    with caplog.at_level("WARNING", logger="triton_earth"):
        assert load_training_state(tmp_path, **other) == (2, 0.5, 2.0, None)
    for one, two in zip(flat(before), flat(other), strict=True):
        assert torch.equal(one, two)
    assert caplog.messages == [
        f"{path} cannot be used (its checksum is wrong: the file is cut off or damaged): "
        "going on from step 2, saved before."
    ]


@pytest.mark.parametrize("renames", [0, 1])
def test_killed_between_the_renames_nothing_is_lost(tmp_path, monkeypatch, renames):
    save_training_state(tmp_path, step=2, best_loss=0.5, first_loss=2.0, **trained(2))
    save_training_state(tmp_path, step=3, best_loss=0.4, first_loss=2.0, **trained(3))
    original, calls = Path.replace, []

    class Killed(Exception):
        pass

    def replace(self, target):
        if self.name in (NAME, FRESH):
            calls.append(1)
            if len(calls) > renames:
                raise Killed
        return original(self, target)

    state = trained(4)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            save_training_state(tmp_path, step=4, best_loss=0.3, first_loss=2.0, **state)
    assert load_training_state(tmp_path, **parts()) == (4, 0.3, 2.0, None)
    # A run that has no step left saves no more: what was begun is finished where it goes on.
    finish_saving(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [PREVIOUS, NAME]
    assert load_training_state(tmp_path, **parts()) == (4, 0.3, 2.0, None)
    (tmp_path / NAME).unlink()
    assert load_training_state(tmp_path, **parts()) == (3, 0.4, 2.0, None)
    save_training_state(tmp_path, step=5, best_loss=0.2, first_loss=2.0, **trained(5))
    assert load_training_state(tmp_path, **parts()) == (5, 0.2, 2.0, None)


def test_a_damaged_state_that_has_no_name_yet_is_dropped(tmp_path):
    save_training_state(tmp_path, step=2, best_loss=0.5, first_loss=2.0, **trained(2))
    (tmp_path / FRESH).write_bytes((tmp_path / NAME).read_bytes()[:-1])
    finish_saving(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_full_disk_leaves_the_last_state_as_it_was(tmp_path, monkeypatch):
    save_training_state(tmp_path, step=2, best_loss=0.5, first_loss=2.0, **trained(2))
    before = (tmp_path / NAME).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as caught:
        save_training_state(tmp_path, step=3, best_loss=0.4, first_loss=2.0, **trained(3))
    text = str(caught.value)
    assert "cannot be written (No space left on device)" in text
    assert text.endswith("is whole: make room, then repeat the command with --resume.")
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_moments_go_on_with_the_new_run_s_own_rates(tmp_path):
    old = trained(3)
    save_training_state(tmp_path, step=3, best_loss=0.5, first_loss=2.0, **old)
    network = parts(seed=1)["network"]
    fresh = torch.optim.AdamW(network.parameters(), lr=0.7, weight_decay=0.3)
    continue_training(tmp_path, network, [fresh])
    # Not the averages: moments belong to the weights of the last step.
    assert torch.equal(network.weight, old["network"].weight)
    assert (fresh.param_groups[0]["lr"], fresh.param_groups[0]["weight_decay"]) == (0.7, 0.3)
    theirs = old["optimizers"][0].state_dict()["state"]
    for number, moments in fresh.state_dict()["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, theirs[number][name])


def test_moments_that_are_missing_or_another_s_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"training_state\.pt is missing: the optimizer cannot be"):
        continue_training(tmp_path, parts()["network"], parts()["optimizers"])
    save_training_state(tmp_path, step=3, best_loss=0.5, first_loss=2.0, **trained(3))
    alone = torch.optim.AdamW([torch.zeros(2, requires_grad=True)], lr=0.1)
    with pytest.raises(
        UserError, match=r"it belongs to another optimizer or network\)\. Give the run"
    ):
        continue_training(tmp_path, parts()["network"], [alone])


def test_how_far_a_run_is_saved_can_be_asked_alone(tmp_path):
    assert saved_step(tmp_path) == 0
    for step in (2, 3):
        save_training_state(tmp_path, step=step, best_loss=0.5, first_loss=2.0, **trained(step))
    assert saved_step(tmp_path) == 3
    (tmp_path / NAME).write_bytes(b"cut")
    assert saved_step(tmp_path) == 2


def test_another_number_of_parts_is_refused(tmp_path):
    save_training_state(tmp_path, step=3, best_loss=0.5, first_loss=2.0, parts=4, **trained(3))
    assert load_training_state(tmp_path, **parts(), parts=4).step == 3
    with pytest.raises(UserError) as caught:
        load_training_state(tmp_path, **parts(), parts=2)
    assert str(caught.value) == (
        f"{tmp_path / NAME}: the run was started with batches of 4 parts (processes times train.accumulate), here are "
        "2. Start it with as many, on any number of processes."
    )
