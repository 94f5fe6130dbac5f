import pytest
import torch

from triton_earth.layers.stage import Stage


@pytest.mark.parametrize(("resampling", "size"), [("keep", 8), ("halve", 4), ("double", 16)])
def test_map_size(resampling, size):
    assert Stage(3, 4, resampling)(torch.randn(2, 3, 8, 8)).shape == (2, 4, size, size)


def test_equals_its_equation():
    stage, x = Stage(3, 4), torch.randn(2, 3, 8, 8)
    y = stage.convolution(x).unflatten(1, (2, 2))
    y = (y - y.mean((2, 3, 4), keepdim=True)) / (
        y.var((2, 3, 4), keepdim=True, unbiased=False) + 1e-5
    ).sqrt()
    y = y.flatten(1, 2)
    torch.testing.assert_close(stage(x), torch.where(y > 0, y, 0.2 * y), rtol=1e-4, atol=1e-5)
