"""How networks of single maps and of sequences of maps take frames: checked, lengthened where needed, cropped."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.core.errors import UserError
from triton_earth.layers.padding import Padding, pad_to_multiple


class FrameNetwork(nn.Module):
    """Map T frames of C_in channels to T frames of C_out channels, for any height and width.

    Where a size is no multiple of the network's total stride, the maps are lengthened by the padding rule and the
    result is cropped.

    Args:
        frames: T.
        input_channels: C_in.
        output_channels: C_out.
        padding: What lies beyond the border along height and width.
        multiple: The total stride.
    """

    def __init__(
        self,
        frames: int,
        input_channels: int,
        output_channels: int,
        padding: Padding,
        multiple: int = 1,
    ) -> None:
        super().__init__()
        self.frames, self.padding, self.multiple = frames, padding, multiple
        self.input_channels, self.output_channels = input_channels, output_channels

    def forward(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames.

        Raises:
            UserError: if `x` is not [batch, T, C_in, height, width].
        """
        if x.shape[1:3] != (self.frames, self.input_channels):
            raise UserError(
                f"network input: expected shape [batch, {self.frames}, {self.input_channels}, height, width], found "
                f"{list(x.shape)}; build the network with the frames and channels of the data."
            )
        height, width = x.shape[3:]
        maps = pad_to_multiple(x.flatten(0, 1), self.padding, self.multiple)
        return self.sequence(maps.unflatten(0, x.shape[:2]))[..., :height, :width]

    @abstractmethod
    def sequence(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames of maps whose sizes are multiples of the total stride."""


class FoldedNetwork(FrameNetwork):
    """A network of maps: the T frames enter as T·C_in channels and leave as T·C_out channels.

    Args:
        frames: T.
        input_channels: C_in.
        output_channels: C_out.
        padding: What lies beyond the border along height and width.
        multiple: The total stride.
    """

    def __init__(
        self,
        frames: int,
        input_channels: int,
        output_channels: int,
        padding: Padding,
        multiple: int = 1,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding, multiple)
        self.channels_in, self.channels_out = frames * input_channels, frames * output_channels

    def sequence(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames of maps whose sizes are multiples of the total stride."""
        maps = x.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        return self.maps(maps).unflatten(1, (self.frames, self.output_channels))

    @abstractmethod
    def maps(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch output height width"]:
        """Return the T·C_out output maps of T·C_in input maps."""


def coordinates(
    x: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch 2 height width"]:
    """Return the position of each cell in units of the box, row and column, from 0 on."""
    height, width = x.shape[2:]
    row = torch.arange(height, device=x.device, dtype=x.dtype) / height
    column = torch.arange(width, device=x.device, dtype=x.dtype) / width
    both = torch.stack([row[:, None].expand(height, width), column[None, :].expand(height, width)])
    return both.expand(len(x), -1, -1, -1)


def lengthened(
    x: Float[Tensor, "batch channel height width"], padding: Padding, border: int
) -> Float[Tensor, "batch channel longer_height longer_width"]:
    """Return maps with zeros beyond the end of each axis that is not periodic, for transforms that take all as such."""
    below, right = (border * (rule == "zero") for rule in padding)
    return functional.pad(x, [0, right, 0, below]) if below or right else x
