import torch

from triton_earth.layers.drop_path import DropPath


def test_evaluation_changes_nothing():
    x = torch.randn(3, 4)
    assert DropPath(0.5).eval()(x) is x


def test_training_drops_whole_samples_and_keeps_the_mean():
    y = DropPath(0.25)(torch.ones(4000, 2, 3))
    values = y.flatten(1)
    assert (values == values[:, :1]).all()
    assert set(values[:, 0].tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(values.mean().item() - 1.0) < 0.03
