"""Triton with residual stages, its switches for ablation, and the rule for the number of its levels."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.core.errors import UserError
from triton_earth.layers.resampling import UPSAMPLINGS
from triton_earth.layers.residual_block import NORMS
from triton_earth.models.registry import create
from triton_earth.models.triton import LATENT_CELLS, Triton, TritonConfig

PERIODIC = ("periodic", "periodic")
GLOBAL = ("zero", "periodic")


def small(shape_in=(2, 3), **options):
    """A network whose dynamics matter: the layer scales are of order one."""
    arguments = {
        "output_channels": 2,
        "temporal_hidden_dim": 24,
        "num_temporal_layers": 3,
        "stages": "residual",
        "widths": (8, 16),
        "blocks": "attention",
        "drop_path": 0.0,
    }
    network = Triton(shape_in, **(arguments | options))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("_scale"):
                parameter.normal_()
    return network


def parameters(**options):
    return sum(parameter.numel() for parameter in small((1, 2), **options).parameters())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize(
    ("input_to_readout", "joining"),
    [(False, "concatenate"), (True, "concatenate"), (False, "product")],
)
def test_every_weight_takes_part(norm, upsampling, input_to_readout, joining):
    network = small(
        norm=norm, upsampling=upsampling, input_to_readout=input_to_readout, joining=joining
    )
    y = network(torch.randn(2, 2, 3, 16, 24))
    assert y.shape == (2, 2, 2, 16, 24)
    y.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("size", [(8, 8), (16, 31), (17, 18), (5, 3)])
@pytest.mark.parametrize("padding", [GLOBAL, PERIODIC])
def test_any_height_and_width(size, padding):
    network = small((1, 2), padding=padding).eval()
    with torch.no_grad():
        y = network(torch.randn(1, 1, 2, *size))
    assert y.shape == (1, 1, 2, *size)
    assert torch.isfinite(y).all()


@given(rows=st.integers(-3, 3), columns=st.integers(-3, 3), upsampling=st.sampled_from(UPSAMPLINGS))
@settings(deadline=None, max_examples=12)
def test_shifts_by_the_total_stride_commute_on_a_periodic_grid(rows, columns, upsampling):
    network = small(padding=PERIODIC, upsampling=upsampling).eval()
    x = torch.randn(1, 2, 3, 16, 24)
    shift = (4 * rows, 4 * columns)
    with torch.no_grad():
        after, before = network(x).roll(shift, (3, 4)), network(x.roll(shift, (3, 4)))
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)


def test_recomputed_activations_give_the_same_gradients():
    x = torch.randn(2, 2, 3, 16, 16)
    networks = [small(drop_path=0.5, checkpoint_activations=c) for c in (False, True)]
    networks[1].load_state_dict(networks[0].state_dict())
    for network in networks:
        torch.manual_seed(5)
        network(x).square().mean().backward()
    plain, recomputed = networks
    for (name, one), other in zip(plain.named_parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_bfloat16_stays_within_three_percent():
    network, x = small().eval(), torch.randn(2, 2, 3, 32, 40)
    exact = network(x)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = network(x).float()
    assert (found - exact).norm() / exact.norm() < 0.03


def test_zero_readout_starts_from_zero():
    assert not small(zero_readout=True, input_to_readout=True)(torch.randn(1, 2, 3, 8, 8)).any()


def test_the_raw_input_reaches_the_output_past_all_norms():
    """Ten times the input: all else equal, the readout's part of the raw input grows ten times."""
    network, x = small((1, 2), input_to_readout=True).eval(), torch.randn(1, 1, 2, 8, 8)
    weight = network.decoder.readout.weight
    with torch.no_grad():
        weight[:, :8] = 0.0
        y = network(x)
        torch.testing.assert_close(
            network(10 * x) - y, 9 * torch.einsum("oc,btchw->btohw", weight[:, 8:, 0, 0], x)
        )


@pytest.mark.parametrize("skip", ["every_level", "full_resolution", "none"])
def test_without_the_weights_of_products_they_are_as_if_concatenated(skip):
    network, plain = small(joining="product", skip=skip), small(skip=skip)
    weights = {}
    for name, weight in network.state_dict().items():
        there = plain.state_dict()[name]
        if weight.shape != there.shape:
            with torch.no_grad():
                weight[:, there.shape[1] :] = 0.0
        weights[name] = weight[:, : there.shape[1]] if weight.ndim > 1 else weight
    plain.load_state_dict(weights)
    x = torch.randn(2, 2, 3, 16, 24)
    torch.testing.assert_close(network.eval()(x), plain.eval()(x))


def test_a_product_is_the_product_while_it_is_small_and_never_larger_than_nine():
    decoder = small(joining="product").decoder
    u, z = torch.randn(2, 1, 8, 4, 4), 1e6 * torch.randn(2, 1, 8, 4, 4)
    for one, other in zip(0.01 * u, 0.01 * u.flip(0), strict=True):
        torch.testing.assert_close(
            decoder._joined(one, other),
            torch.cat([one, other, one * other], dim=1),
            rtol=1e-3,
            atol=1e-7,
        )
    joined = decoder._joined(z[0], z[1])
    assert joined[:, 16:].abs().max() <= 9.0
    torch.testing.assert_close(joined[:, :16], torch.cat([z[0], z[1]], dim=1))


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_depth_of_the_v_cycle(levels):
    network = small((1, 2), levels=levels)
    assert network.total_stride == 2**levels
    assert network(torch.randn(1, 1, 2, 18, 20)).shape == (1, 1, 2, 18, 20)
    widths = [block.first.out_channels for block in network.encoder.layers]
    assert widths == [[8], [8], [8, 16], [8, 16, 16]][levels]


def test_a_flat_network_has_no_coarser_map():
    seen = []
    network = small((1, 2), levels=0, widths=(8,))
    network.dynamics.register_forward_hook(lambda _module, _inputs, y: seen.append(y.shape))
    network(torch.randn(1, 1, 2, 6, 10))
    assert seen == [(1, 8, 6, 10)]


def test_what_each_switch_is_worth_in_weights():
    """A skip of w channels into a block of w channels: a kernel of 3 x 3 and, with it, a shortcut of 1 x 1."""
    every, first, none = (
        parameters(skip=skip) for skip in ("every_level", "full_resolution", "none")
    )
    assert every - first == 9 * 16 * 16 + 32 * 16 + 16
    assert first - none == 9 * 8 * 8 + 16 * 8 + 8
    core = small((1, 2)).dynamics
    weights = sum(parameter.numel() for parameter in core.parameters())
    assert parameters(num_temporal_layers=0) == parameters() - weights
    assert parameters(num_temporal_layers=4) > parameters()
    assert parameters(temporal_hidden_dim=32) > parameters()
    assert parameters(blocks="convolution") != parameters()
    assert parameters(levels=3) > parameters() > parameters(levels=1)
    assert parameters(padding=PERIODIC) == parameters()


@pytest.mark.parametrize("options", [{"skip": "none"}, {"blocks": "convolution"}])
@pytest.mark.parametrize("stages", ["residual", "plain"])
def test_ablations_of_both_kinds_of_stages(options, stages):
    network = small((1, 2), stages=stages, spatial_hidden_dim=8, **options)
    network(torch.randn(2, 1, 2, 12, 16)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("stages", ["residual", "plain"])
def test_axial_attention_changes_the_result_but_no_weight(stages):
    networks = [
        small((1, 2), stages=stages, spatial_hidden_dim=8, attention=a).eval()
        for a in ("global", "axial")
    ]
    networks[1].load_state_dict(networks[0].state_dict())
    x = torch.randn(1, 1, 2, 24, 40)
    assert not torch.allclose(networks[0](x), networks[1](x), atol=1e-3)


@pytest.mark.parametrize("stages", ["residual", "plain"])
def test_no_latent_core(stages):
    network = small((1, 2), stages=stages, num_temporal_layers=0)
    assert not list(network.dynamics.parameters())
    assert network(torch.randn(1, 1, 2, 8, 8)).shape == (1, 1, 2, 8, 8)


def test_padding_by_zeros_differs_at_the_border_alone():
    networks = [
        small((1, 2), padding=p, levels=0, norm="none", num_temporal_layers=0)
        for p in (PERIODIC, ("zero", "zero"))
    ]
    networks[1].load_state_dict(networks[0].state_dict())
    x = torch.randn(1, 1, 2, 20, 20)
    difference = (networks[0](x) - networks[1](x))[0, 0].abs().sum(0)
    assert difference[0].any()
    torch.testing.assert_close(difference[4:-4, 4:-4], torch.zeros(12, 12), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "widths", "levels"),
    [
        ((64, 64), (16, 32, 64), 3),
        ((32, 64), (32, 64), 2),
        ((64, 64), (32, 64), 3),
        ((128, 128), (64, 128), 4),
        ((180, 360), (64, 128), 5),
        ((721, 1440), (64, 128), 7),
        ((721, 1440), (8,), 7),
        ((4, 4), (8,), 1),
    ],
)
def test_levels_by_the_rule(shape, widths, levels):
    config = TritonConfig(stages="residual", widths=widths, levels="auto").for_shape(shape)
    assert config.levels == levels
    assert config.for_shape((4096, 4096)) is config, "what is decided stays"


@given(height=st.integers(1, 2000), width=st.integers(1, 2000))
def test_levels_leave_few_latent_cells_and_no_fewer_than_needed(height, width):
    def cells(levels):
        return -(-height // 2**levels) * -(-width // 2**levels)

    levels = TritonConfig(stages="residual", widths=(8,)).for_shape((height, width)).levels
    assert cells(levels) <= LATENT_CELLS
    assert levels == 1 or cells(levels - 1) > LATENT_CELLS


def test_config_builds_residual_stages():
    config = TritonConfig(
        stages="residual", widths=[8, 16], temporal_hidden_dim=16, num_temporal_layers=2
    )
    network = config.build(2, 3, 1, GLOBAL)
    assert network.total_stride == 4
    assert network(torch.randn(1, 2, 3, 8, 8)).shape == (1, 2, 1, 8, 8)
    network = config.for_shape((256, 256)).build(2, 3, 1, GLOBAL)
    assert network.total_stride == 32


@pytest.mark.parametrize("stages", ["residual", "plain"])
def test_a_config_survives_being_written(stages):
    config = TritonConfig(stages=stages)
    assert create(config.model_dump(mode="json")) == config


def test_keys_of_plain_stages_say_that_they_are_plain():
    """So recipes and models from before there were residual stages stay what they are."""
    old = {
        "name": "triton",
        "spatial_hidden_dim": 32,
        "temporal_hidden_dim": 64,
        "num_spatial_layers": 6,
        "num_temporal_layers": 4,
        "blocks": "attention",
        "skip": "every_level",
        "padding": "grid",
        "drop_path": 0.1,
        "zero_readout": False,
        "checkpoint_activations": False,
    }
    config = create(old)
    assert config.stages == "plain"
    assert {key: value for key, value in config.model_dump().items() if key in old} == old


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"stages": "residual", "spatial_hidden_dim": 32},
            r"'spatial_hidden_dim' belongs to stages 'plain', found stages 'residual'; leave it out, or say "
            r"'stages: plain' and leave out what belongs to 'residual' \(widths, levels, norm,",
        ),
        ({"stages": "plain", "widths": [8]}, r"'widths' belongs to stages 'residual', found"),
        (
            {"stages": "plane"},
            r"key 'stages': Input should be 'residual' or 'plain', found 'plane'",
        ),
        ({"stages": "residual", "widths": []}, r"key 'widths': .*at least 1 item"),
        ({"stages": "residual", "widths": [8, 0]}, r"key 'widths.*greater than or equal to 1"),
        ({"stages": "residual", "levels": -1}, r"key 'levels.*greater than or equal to 0"),
        ({"stages": "residual", "norm": "batch"}, r"key 'norm': .*'batch'"),
        ({"stages": "residual", "upsampling": "cubic"}, r"key 'upsampling': .*'cubic'"),
        ({"attention": "local"}, r"key 'attention': .*'local'"),
        ({"skip": "all"}, r"key 'skip': .*'all'"),
    ],
)
def test_a_config_that_cannot_be(values, text):
    with pytest.raises(UserError, match=text):
        create({"name": "triton"} | values)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"widths": (8, 6)},
            r"widths: the first block attends with 8 heads over frames × width = 2 × 6 = 12 channels, .*take 8\.",
        ),
        ({"num_temporal_layers": 1}, r"num_temporal_layers: expected at least 2 .*, found 1\."),
        ({"num_temporal_layers": 0}, r"only the dynamics mix the 2 frames of the history; take"),
    ],
)
def test_refusals(arguments, text):
    with pytest.raises(UserError, match=text):
        small(**arguments)


def test_kernels_and_all_maps_within_lie_with_the_channel_innermost_also_for_one_input_channel():
    network = Triton((1, 1), widths=(8, 16), temporal_hidden_dim=16, stages="residual")
    orders = []

    def note(module, _, output):
        orders.append(output.is_contiguous(memory_format=torch.channels_last))

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.weight.is_contiguous(memory_format=torch.channels_last)
            module.register_forward_hook(note)
    network(torch.randn(2, 1, 1, 16, 16))
    assert orders
    assert all(orders)
