"""3×3-type convolutions whose border follows a padding rule per axis, and their transpose."""

from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.padding import ZERO, Padding, wrap, zero_width


class Convolution(nn.Conv2d):
    """Odd-sized convolution that keeps the map size (divided by the stride).

    y[o, j] = b[o] + Σ_{c,k} w[o, c, k] x[c, stride·j + dilation·(k − (size − 1)/2)], where x outside
    the map is zero or, on a periodic axis, the cell on the other side.

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        size: Cells of the kernel along each axis, odd.
        stride: 1, or 2 to halve the map.
        groups: As in `torch.nn.Conv2d`; the number of channels makes it depthwise.
        padding_rule: The rule of the height axis and of the width axis.
        dilation: Distance between neighbouring cells that the kernel looks at.
        bias: Whether b is learned; it is 0 otherwise.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        size: int = 3,
        stride: int = 1,
        groups: int = 1,
        padding_rule: Padding = ZERO,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        self.reach = dilation * (size - 1) // 2
        self.padding_rule = padding_rule
        super().__init__(
            input_channels,
            output_channels,
            size,
            stride=stride,
            padding=zero_width(padding_rule, self.reach),
            dilation=dilation,
            groups=groups,
            bias=bias,
        )

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height_out width_out"]:
        """Return the convolved maps."""
        return super().forward(wrap(x, self.padding_rule, self.reach, self.reach))


class TransposedConvolution(nn.ConvTranspose2d):
    """3×3 transposed convolution of stride 2: it doubles the map.

    y[o, i] = b[o] + Σ_{c,j} w[c, o, i − 2j + 1] x[c, j], taken over the cells j where the kernel
    index lies in 0…2. Only the last output cell of an axis looks past the border, one cell far:
    a periodic axis is lengthened by its first cell there, and the result is cropped.

    Args:
        input_channels: Channels of the input.
        output_channels: Channels of the output.
        padding_rule: The rule of the height axis and of the width axis.
    """

    def __init__(
        self, input_channels: int, output_channels: int, padding_rule: Padding = ZERO
    ) -> None:
        self.padding_rule = padding_rule
        super().__init__(
            input_channels,
            output_channels,
            kernel_size=3,
            stride=2,
            padding=1,
            output_padding=zero_width(padding_rule, 1),
        )

    def forward(
        self, x: Float[Tensor, "batch channel height width"], output_size: list[int] | None = None
    ) -> Float[Tensor, "batch output height_out width_out"]:
        """Return maps of twice the height and width (`output_size` is torch's, before cropping)."""
        y = super().forward(wrap(x, self.padding_rule, before=0, after=1), output_size)
        return y[:, :, : 2 * x.shape[2], : 2 * x.shape[3]]
