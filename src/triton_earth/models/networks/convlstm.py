"""Convolutional long short-term memory: frames one after the other, then forecasts fed back."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from triton_earth.layers.convolution import Convolution
from triton_earth.layers.padding import Padding
from triton_earth.models.networks.frames import FrameNetwork
from triton_earth.models.registry import NetworkConfig, register

REMEMBERED = 1.0
"""Added to the forget gate, so that a new network remembers."""


@register("convlstm")
class ConvLstmConfig(NetworkConfig):
    """Hyper-parameters of `ConvLstm`; the defaults are OpenSTL's for WeatherBench's temperature.

    Attributes:
        width: Channels of the hidden state of each layer.
        layers: Number of layers.
        kernel: Cells of the kernels along each axis, odd.
        patch: Cells along each axis that become channels of one.
    """

    name: Literal["convlstm"] = "convlstm"
    width: int = Field(default=128, ge=1)
    layers: int = Field(default=4, ge=1)
    kernel: Literal[1, 3, 5, 7] = 5
    patch: int = Field(default=2, ge=1)

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "ConvLstm":
        """Return the network with random weights."""
        return ConvLstm(frames, input_channels, output_channels, padding, self)


class ConvLstm(FrameNetwork):
    """(i, f, g, o) = W_x ∗ x_t + W_h ∗ h_(t−1);  c_t = s(f + 1) ⊙ c_(t−1) + s(i) ⊙ tanh g;  h_t = s(o) ⊙ tanh c_t.

    Layers are stacked, the hidden state of each is the input of the next, and a 1×1 convolution of the last gives a
    frame. T frames are taken in; the output after the last of them is the first forecast, which is fed back for the
    next, through a 1×1 convolution where input and output have different channels. s is the logistic function.

    Source: Shi et al. (2015), arXiv:1506.04214, Eq. 3 without peepholes; sizes of OpenSTL, arXiv:2306.11249, whose
    cells hold two more convolutions that they never use.

    Args:
        frames: T.
        input_channels: C_in.
        output_channels: C_out.
        padding: What lies beyond the border along height and width.
        config: Hyper-parameters.
    """

    def __init__(
        self,
        frames: int,
        input_channels: int,
        output_channels: int,
        padding: Padding,
        config: ConvLstmConfig,
    ) -> None:
        super().__init__(frames, input_channels, output_channels, padding, config.patch)
        self.patch, self.width = config.patch, config.width
        cells = config.patch**2
        widths = [input_channels * cells, *[config.width] * (config.layers - 1)]
        self.cells = nn.ModuleList(
            _Cell(channels, config.width, config.kernel, padding) for channels in widths
        )
        self.readout = nn.Conv2d(config.width, output_channels * cells, 1, bias=False)
        self.feedback: nn.Module = nn.Identity()
        if frames > 1 and input_channels != output_channels:
            self.feedback = nn.Conv2d(output_channels * cells, input_channels * cells, 1)

    def sequence(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames."""
        patches = functional.pixel_unshuffle(x.flatten(0, 1), self.patch).unflatten(0, x.shape[:2])
        batch, _, _, height, width = patches.shape
        zeros = x.new_zeros(batch, self.width, height, width)
        states = [(zeros, zeros) for _ in self.cells]
        outputs: list[Tensor] = []
        for step in range(2 * self.frames - 1):
            frame = patches[:, step] if step < self.frames else self.feedback(outputs[-1])
            for number, cell in enumerate(self.cells):
                states[number] = cell(frame, *states[number])
                frame = states[number][0]
            if step >= self.frames - 1:
                outputs.append(self.readout(frame))
        maps = torch.stack(outputs, dim=1).flatten(0, 1)
        return functional.pixel_shuffle(maps, self.patch).unflatten(0, x.shape[:2])


class _Cell(nn.Module):
    def __init__(self, channels: int, width: int, kernel: int, padding: Padding) -> None:
        super().__init__()
        self.of_input, self.of_hidden = (
            Convolution(wide, 4 * width, kernel, padding_rule=padding, bias=False)
            for wide in (channels, width)
        )

    def forward(self, x: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        enter, forget, value, output = (self.of_input(x) + self.of_hidden(hidden)).chunk(4, dim=1)
        kept = torch.sigmoid(forget + REMEMBERED) * memory
        memory = kept + torch.sigmoid(enter) * torch.tanh(value)
        return torch.sigmoid(output) * torch.tanh(memory), memory
