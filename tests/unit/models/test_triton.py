import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.core.errors import UserError
from triton_earth.models.triton import Triton, TritonConfig

PERIODIC = ("periodic", "periodic")
GLOBAL = ("zero", "periodic")


def small(shape_in=(2, 3), **options):
    """A network whose dynamics matter: the layer scales are of order one."""
    arguments = {
        "spatial_hidden_dim": 8,
        "output_channels": 2,
        "temporal_hidden_dim": 24,
        "num_temporal_layers": 3,
    }
    network = Triton(shape_in, **(arguments | {"drop_path": 0.0} | options))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("_scale"):
                parameter.normal_()
    return network


@pytest.mark.parametrize(
    ("shape_in", "spatial", "outputs", "temporal", "options", "count"),
    [
        ((1, 69, 180, 360), 256, 69, 512, {}, 28_066_885),
        ((1, 97, 120, 240), 256, 93, 512, {}, 28_137_565),
        ((10, 2, 256, 256), 256, 2, 512, {"blocks": "uniformer"}, 94_607_362),
        ((10, 2, 256, 256), 256, 2, 512, {"blocks": "attention"}, 108_171_266),
        ((1, 1, 128, 128), 128, 1, 256, {}, 6_999_553),
        ((1, 1, 128, 128), 128, 1, 256, {"blocks": "uniformer"}, 6_844_161),
        ((1, 1, 128, 128), 256, 1, 512, {}, 27_892_737),
        ((1, 1, 128, 128), 256, 1, 512, {"blocks": "uniformer"}, 27_254_273),
        ((1, 70, 180, 360), 512, 69, 1024, {}, 111_712_837),
        ((1, 69, 180, 360), 1536, 69, 3072, {}, 1_002_018_885),
        ((10, 2, 256, 256), 32, 1, 64, {}, 1_503_969),
        ((1, 69, 180, 360), 64, 69, 128, {}, 1_806_661),
    ],
)
def test_parameter_counts_of_the_published_networks(
    shape_in, spatial, outputs, temporal, options, count
):
    with torch.device("meta"):
        network = Triton(shape_in, spatial, outputs, temporal, 4, 8, **options)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(
    "blocks", ["attention", "uniformer", ("convolution", "attention", "attention")]
)
@pytest.mark.parametrize("skip", ["full_resolution", "every_level"])
def test_every_weight_takes_part(blocks, skip):
    network = small(blocks=blocks, skip=skip)
    y = network(torch.randn(2, 2, 3, 16, 24))
    assert y.shape == (2, 2, 2, 16, 24)
    y.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("size", [64, pytest.param(256, marks=pytest.mark.slow)])
def test_the_call_of_the_published_example(size):
    network = Triton(
        shape_in=(10, 2, size, size),
        spatial_hidden_dim=32,
        output_channels=1,
        temporal_hidden_dim=64,
        num_spatial_layers=4,
        num_temporal_layers=8,
    )
    y = network(torch.randn(1, 10, 2, size, size))
    assert y.shape == (1, 10, 1, size, size)
    y.square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@given(
    rows=st.integers(-3, 3),
    columns=st.integers(-3, 3),
    blocks=st.sampled_from(["attention", "uniformer"]),
)
@settings(deadline=None, max_examples=12)
def test_shifts_by_the_total_stride_commute_on_a_periodic_grid(rows, columns, blocks):
    network = small(padding=PERIODIC, blocks=blocks).eval()
    x = torch.randn(1, 2, 3, 16, 24)
    shift = (4 * rows, 4 * columns)
    with torch.no_grad():
        shifted_after, shifted_before = (
            network(x).roll(shift, (3, 4)),
            network(x.roll(shift, (3, 4))),
        )
    torch.testing.assert_close(shifted_before, shifted_after, rtol=1e-4, atol=1e-5)


def test_a_global_grid_commutes_with_shifts_in_longitude_alone():
    network = small(padding=GLOBAL).eval()
    x = torch.randn(1, 2, 3, 16, 24)
    with torch.no_grad():
        y = network(x)
        torch.testing.assert_close(network(x.roll(8, 4)), y.roll(8, 4), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(network(x.roll(8, 3)), y.roll(8, 3), atol=1e-3)


@pytest.mark.parametrize("size", [(33, 50), (4, 4), (181, 360), (17, 361)])
@pytest.mark.parametrize("padding", [GLOBAL, PERIODIC])
def test_any_height_and_width(size, padding):
    network = small((1, 2), padding=padding).eval()
    with torch.no_grad():
        y = network(torch.randn(1, 1, 2, *size))
    assert y.shape == (1, 1, 2, *size)
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 6])
def test_number_of_spatial_layers(layers):
    network = small((1, 2), num_spatial_layers=layers, skip="every_level")
    assert network(torch.randn(1, 1, 2, 18, 20)).shape == (1, 1, 2, 18, 20)


def test_equal_widths_need_no_change_of_width():
    network = small((3, 2), temporal_hidden_dim=24, blocks="uniformer")
    assert [len(layer) for layer in network.dynamics.layers] == [1, 1, 1]
    assert not any("1.weight" in name for name in network.dynamics.layers[0].state_dict())
    kinds = [type(layer[0]).__name__ for layer in network.dynamics.layers]
    assert kinds == ["ConvolutionBlock", "AttentionBlock", "AttentionBlock"]


def test_drop_path_grows_linearly():
    network = Triton((1, 2), 8, 2, 16, num_temporal_layers=8)
    found = [layer[0].drop_path.probability for layer in network.dynamics.layers]
    torch.testing.assert_close(found, torch.linspace(0.01, 0.1, 8).tolist())


@pytest.mark.parametrize("blocks", ["attention", "uniformer"])
def test_recomputed_activations_give_the_same_gradients_and_statistics(blocks):
    x = torch.randn(2, 2, 3, 16, 16)
    networks = [
        small(blocks=blocks, drop_path=0.5, checkpoint_activations=c) for c in (False, True)
    ]
    networks[1].load_state_dict(networks[0].state_dict())
    for network in networks:
        torch.manual_seed(5)
        network(x).square().mean().backward()
    plain, recomputed = networks
    for (name, one), other in zip(plain.named_parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)
    for one, other in zip(plain.buffers(), recomputed.buffers(), strict=True):
        assert torch.equal(one, other)


def test_without_gradients_maps_go_through_in_chunks_with_the_same_result(monkeypatch):
    network, x = small().eval(), torch.randn(3, 2, 3, 16, 24)
    together = network(x)
    monkeypatch.setattr("triton_earth.models.triton.CACHE_BYTES", 1)
    with torch.no_grad():
        one_by_one = network(x)
    torch.testing.assert_close(one_by_one, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("blocks", ["attention", "uniformer"])
def test_bfloat16_stays_within_two_and_a_half_percent(blocks):
    network = small(blocks=blocks).eval()
    x = torch.randn(2, 2, 3, 32, 40)
    exact = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        kept_for_gradient = network(x).float()
        with torch.no_grad():
            inference = network(x).float()
    for found in (kept_for_gradient, inference):
        assert (found - exact).norm() / exact.norm() < 0.025


def test_zero_readout_starts_from_zero():
    network = small(zero_readout=True)
    y = network(torch.randn(1, 2, 3, 8, 8))
    assert not y.any()
    (y - 1).square().mean().backward()
    assert network.decoder.readout.weight.grad.any()


def test_config_builds_what_the_grid_and_the_recipe_say():
    config = TritonConfig(spatial_hidden_dim=8, temporal_hidden_dim=16, num_temporal_layers=2)
    network = config.build(frames=2, input_channels=3, output_channels=1, padding=GLOBAL)
    assert network.padding == GLOBAL
    assert network(torch.randn(1, 2, 3, 8, 8)).shape == (1, 2, 1, 8, 8)
    original = config.model_copy(update={"padding": "zero"}).build(2, 3, 1, GLOBAL)
    assert original.padding == ("zero", "zero")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"spatial_hidden_dim": 7},
            r"spatial_hidden_dim: expected an even number, found 7; take 8\.",
        ),
        (
            {"spatial_hidden_dim": 6},
            r"spatial_hidden_dim: .*= 2 × 6 = 12 channels, which they do not divide; take 8\.",
        ),
        (
            {"temporal_hidden_dim": 20},
            r"temporal_hidden_dim: .* 8 attention heads, found 20; take 24\.",
        ),
        ({"num_temporal_layers": 1}, r"num_temporal_layers: expected at least 2 .*found 1\."),
        ({"num_spatial_layers": 0}, r"num_spatial_layers: expected at least 1, found 0\."),
        ({"blocks": "atention"}, r"unknown arrangement 'atention'; did you mean 'attention'\?"),
        (
            {"blocks": ["attention"]},
            r"blocks: expected 3 kinds, each 'attention' or 'convolution', found",
        ),
        (
            {"shape_in": (2, 3, 16)},
            r"shape_in: expected \(frames, channels\) or .*found \(2, 3, 16\)\.",
        ),
        ({"shape_in": (0, 3)}, r"all positive, found \(0, 3\)\."),
    ],
)
def test_refusals(arguments, text):
    with pytest.raises(UserError, match=text):
        small(**({"blocks": "attention"} | arguments))


def test_an_input_of_another_shape_is_refused():
    text = r"expected shape \[batch, 2, 3, height, width\], found \[1, 2, 4, 8, 8\]; build the network with"
    with pytest.raises(UserError, match=text):
        small()(torch.randn(1, 2, 4, 8, 8))
