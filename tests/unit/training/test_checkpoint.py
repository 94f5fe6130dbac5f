import pickle

import pytest
import torch
from torch import nn

from triton_earth.core.errors import UserError
from triton_earth.training.checkpoint import NAME, load_training_state, save_training_state
from triton_earth.training.moving_average import MovingAverage


def parts(width=3, seed=0):
    torch.manual_seed(seed)
    network = nn.Linear(2, width)
    return {
        "network": network,
        "average": MovingAverage(network, 0.9),
        "optimizer": torch.optim.AdamW(network.parameters(), lr=0.1),
    }


def trained(steps=3):
    state = parts()
    for _ in range(steps):
        state["optimizer"].zero_grad()
        state["network"](torch.ones(1, 2)).square().sum().backward()
        state["optimizer"].step()
        state["average"].update(state["network"])
    return state


def flat(state):
    optimizer = state["optimizer"].state_dict()["state"]
    return [
        *state["network"].state_dict().values(),
        *state["average"].weights.values(),
        torch.tensor(state["average"].updates),
        *(value for moments in optimizer.values() for value in moments.values()),
    ]


def test_everything_comes_back_bit_by_bit(tmp_path):
    state = trained()
    save_training_state(tmp_path, step=7, best_loss=0.5, **state)
    other = parts(seed=1)
    assert load_training_state(tmp_path, **other) == (7, 0.5)
    for one, two in zip(flat(state), flat(other), strict=True):
        assert torch.equal(one, two)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_without_a_file_training_starts_at_the_beginning(tmp_path):
    assert load_training_state(tmp_path, **parts()) == (0, float("inf"))


def refusal(folder, **state):
    with pytest.raises(UserError) as caught:
        load_training_state(folder, **(state or parts()))
    text = str(caught.value)
    assert text.startswith(f"{folder / NAME} cannot be used (")
    assert text.endswith("start again with --overwrite.")
    assert "\n" not in text


@pytest.mark.parametrize("kept", [0, 100, -30])
def test_a_truncated_file_is_refused(tmp_path, kept):
    save_training_state(tmp_path, step=1, best_loss=0.5, **trained())
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:kept])
    refusal(tmp_path)


def test_the_state_of_another_network_is_refused(tmp_path):
    save_training_state(tmp_path, step=1, best_loss=0.5, **trained())
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
