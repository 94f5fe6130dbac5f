"""Networks have exactly as many parameters as those they stand for."""

import pytest
import torch

from triton_earth.models.registry import create

TAU = {"name": "simvp", "translator": "tau"}
INCEPTION = {"name": "simvp", "translator": "incepu"}
MOVING_MNIST = {"width": 64, "hidden_width": 512, "stages": 4}
PDEARENA_FNO = {"name": "fno", "layout": "pdearena"}
LAYER_UNET = {"name": "unet", "normalization": "layer"}


@pytest.mark.parametrize(
    ("values", "frames", "channels_in", "channels_out", "count"),
    [
        ({"name": "fno"}, 1, 16, 4, 19_079_044),
        ({"name": "fno"}, 1, 1, 1, 19_074_433),
        ({"name": "fno", "modes": 12, "width": 64}, 1, 1, 1, 2_803_393),
        ({"name": "fno", "modes": 32, "width": 64}, 1, 1, 1, 17_876_673),
        ({"name": "fno", "modes": 64, "width": 64, "projection_ratio": 4}, 1, 1, 1, 69_265_345),
        ({"name": "fno", "width": 24}, 1, 1, 1, 671_113),
        (PDEARENA_FNO, 1, 1, 1, 134_383_233),
        (PDEARENA_FNO, 1, 12, 3, 134_384_899),
        (PDEARENA_FNO | {"modes": 8}, 1, 12, 3, 33_721_603),
        ({"name": "resnet"}, 1, 1, 1, 1_216_129),
        ({"name": "resnet"}, 1, 12, 3, 1_217_795),
        ({"name": "resnet", "dilated": True}, 1, 1, 1, 4_172_929),
        ({"name": "resnet", "dilated": True}, 1, 12, 3, 4_174_595),
        ({"name": "unet"}, 1, 1, 1, 31_036_481),
        ({"name": "unet"}, 1, 12, 3, 31_042_947),
        ({"name": "unet", "width": 48, "activation": "tanh"}, 1, 1, 1, 17_460_529),
        ({"name": "unet", "width": 48, "activation": "tanh"}, 1, 16, 4, 17_467_156),
        (LAYER_UNET, 1, 1, 1, 31_042_881),
        (LAYER_UNET, 1, 12, 3, 31_050_371),
        ({"name": "modern_unet"}, 1, 1, 1, 144_256_193),
        ({"name": "modern_unet"}, 1, 12, 3, 144_263_683),
        ({"name": "modern_unet", "attention": True}, 1, 12, 3, 148_464_131),
        # less the biases of norms, which the original holds and never uses
        ({"name": "convnext_unet"}, 1, 16, 4, 18_575_344 - 42 * (1 + 2 + 4 + 8) * 3),
        ({"name": "convnext_unet"}, 1, 1, 1, 18_568_537 - 42 * (1 + 2 + 4 + 8) * 3),
        ({"name": "simvp"}, 12, 1, 1, 12_758_305),
        ({"name": "simvp"}, 4, 12, 12, 9_964_268),
        ({"name": "simvp"} | MOVING_MNIST, 10, 1, 1, 46_769_665),
        ({"name": "simvp"} | MOVING_MNIST, 1, 1, 1, 37_968_385),
        (INCEPTION, 12, 1, 1, 14_666_017),
        (INCEPTION | MOVING_MNIST, 10, 1, 1, 57_946_113),
        (TAU, 12, 1, 1, 12_219_553),
        (TAU | MOVING_MNIST, 10, 1, 1, 44_656_001),
        # without the learned position of each token
        ({"name": "afno"}, 1, 16, 4, 18_382_468 - 384 * 16 * 48),
        ({"name": "lsm"}, 1, 10, 1, 19_188_033),
        ({"name": "lsm"}, 1, 1, 1, 19_187_457),
        # without the two convolutions of each cell that the original holds and never uses
        ({"name": "convlstm"}, 12, 1, 1, 11_520_512),
    ],
)
def test_counts_of_the_published_networks(values, frames, channels_in, channels_out, count):
    with torch.device("meta"):
        network = create(values).build(frames, channels_in, channels_out, ("zero", "zero"))
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("window", [0, 8])
def test_count_of_the_transformer_from_its_equation(window):
    values = {"name": "transformer", "width": 192, "depth": 8, "window": window, "gates": True}
    with torch.device("meta"):
        network = create(values).build(2, 3, 2, ("zero", "zero"))
    block = 4 * 192 * 192 + 4 * 192 + 8 * 192 * 192 + 5 * 192 + 4 * 192 + 2 * 192
    block += 6 * (2 * window - 1) ** 2 if window else 0
    ends = (2 * 3 * 16 + 1) * 192 + 2 * 192 + (192 + 1) * 2 * 2 * 16
    assert sum(parameter.numel() for parameter in network.parameters()) == 8 * block + ends
