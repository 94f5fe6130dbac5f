import torch

from triton_earth.layers.convolution_block import ConvolutionBlock


def test_block_equals_its_equation_written_with_1x1_convolutions():
    block, x = ConvolutionBlock(6).eval(), torch.randn(2, 6, 7, 5)
    block.mixing_norm.running_mean.normal_()
    block.mlp_norm.running_var.uniform_(0.5, 2.0)

    def pointwise(linear, maps):
        return torch.nn.functional.conv2d(maps, linear.weight[:, :, None, None], linear.bias)

    y = x + block.position(x)
    y = y + pointwise(block.leave, block.mixing(pointwise(block.enter, block.mixing_norm(y))))
    hidden = torch.nn.functional.gelu(pointwise(block.mlp.expand, block.mlp_norm(y)))
    torch.testing.assert_close(block(x), y + pointwise(block.mlp.contract, hidden))


def test_weights_start_with_the_variance_of_their_fan_out():
    block = ConvolutionBlock(256)
    assert abs(block.enter.weight.std().item() / (2 / 256) ** 0.5 - 1) < 0.02
    assert abs(block.mixing.weight.std().item() / (2 / 25) ** 0.5 - 1) < 0.05
    assert not block.mlp.expand.bias.any()
