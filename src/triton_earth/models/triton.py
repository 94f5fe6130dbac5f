"""Triton: convolutional encoder, attention at a quarter of the resolution, convolutional decoder."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from triton_earth.core.errors import UserError, nearest
from triton_earth.layers.dynamics import HEADS, Dynamics, fold_time, unfold_time
from triton_earth.layers.encoder_decoder import Decoder, Encoder
from triton_earth.layers.padding import ZERO, Padding, pad_to_multiple
from triton_earth.layers.stage import NORM_GROUPS
from triton_earth.models.registry import NetworkConfig, register

CACHE_BYTES = 8 * 2**20

Arrangement = Literal["published", "attention", "uniformer"]
ARRANGEMENTS: tuple[Arrangement, ...] = get_args(Arrangement)
Skip = Literal["full_resolution", "every_level"]


@register("triton")
class TritonConfig(NetworkConfig):
    """Hyper-parameters of `Triton`; channels, frames and the grid come from the recipe.

    The defaults are for new models, those that measured best (docs/measurements.md), where the defaults of `Triton`
    itself are the original's.
    """

    name: Literal["triton"] = "triton"
    spatial_hidden_dim: int = Field(default=64, ge=2, multiple_of=2)
    temporal_hidden_dim: int = Field(default=128, ge=1)
    num_spatial_layers: int = Field(default=6, ge=1)
    num_temporal_layers: int = Field(default=8, ge=2)
    blocks: Arrangement = "attention"
    skip: Skip = "every_level"
    padding: Literal["grid", "zero"] = "grid"
    drop_path: float = Field(default=0.1, ge=0.0, lt=1.0)
    zero_readout: bool = False
    checkpoint_activations: bool = False

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> "Triton":
        """Return the network with random weights.

        Args:
            frames: Input frames; as many come out.
            input_channels: Channels per input frame.
            output_channels: Channels per output frame.
            padding: The grid's border rule along height and width; used if `padding` is "grid".

        Raises:
            UserError: if the widths do not suit the attention heads.
        """
        options = self.model_dump(exclude={"name", "padding"})
        return Triton(
            shape_in=(frames, input_channels),
            output_channels=output_channels,
            padding=padding if self.padding == "grid" else ZERO,
            **options,
        )


class Triton(nn.Module):
    """Map T frames of C_in channels to T frames of C_out channels on the same grid.

    z₀ … z_{n−1} = the encoder's stages, of S channels, strides 1, 2, 1, 2, …;
    D(z_{n−1}) = N blocks that see all T frames of a cell as T·S channels (H_t in between);
    y = the decoder's stages, strides reversed, the last one on (D, z₀), then a 1×1 convolution.

    Frames are folded into channels for the dynamics, so T belongs to the weights; height and width
    do not: any size is legal. Where a size is no multiple of the total stride, the map is
    lengthened by the padding rule and the result cropped.

    Source: arXiv:2505.19432, section on the model architecture. The defaults are the original's;
    the options after `num_temporal_layers` name where one may leave it.

    Args:
        shape_in: (T, C_in), or (T, C_in, height, width); the sizes are free and not kept.
        spatial_hidden_dim: S, even.
        output_channels: C_out.
        temporal_hidden_dim: H_t, width of the dynamics.
        num_spatial_layers: Stages of the encoder, and of the decoder.
        num_temporal_layers: N, at least 2.
        blocks: "attention" for attention throughout; "uniformer" for convolution blocks first and
            last (attention last where T·S = H_t); "published" for what the original experiments
            take, attention for one frame and uniformer for several; or the kind of every block.
        skip: "full_resolution" joins z₀ alone to the decoder, "every_level" every stage of
            stride 1.
        padding: What lies beyond the border along height and width.
        drop_path: Probability of leaving out the last block's branches in training; it grows
            linearly from 0.01 at the first.
        zero_readout: Start from y = 0, so that a forecast of the change begins as persistence.
        checkpoint_activations: Compute activations again in the backward pass instead of keeping
            them: less memory, about a third more time.

    Raises:
        UserError: if a size is impossible; the message names it and one that is possible.
    """

    def __init__(
        self,
        shape_in: Sequence[int],
        spatial_hidden_dim: int = 64,
        output_channels: int = 1,
        temporal_hidden_dim: int = 128,
        num_spatial_layers: int = 4,
        num_temporal_layers: int = 8,
        *,
        blocks: str | Sequence[str] = "published",
        skip: Skip = "full_resolution",
        padding: Padding = ZERO,
        drop_path: float = 0.1,
        zero_readout: bool = False,
        checkpoint_activations: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.input_channels = _frames_and_channels(shape_in)
        self.padding = padding
        width_in = self.frames * spatial_hidden_dim
        if blocks == "published":
            blocks = "attention" if self.frames == 1 else "uniformer"
        kinds = _block_kinds(blocks, num_temporal_layers, width_in == temporal_hidden_dim)
        _check_widths(self.frames, spatial_hidden_dim, temporal_hidden_dim, kinds)
        if num_spatial_layers < 1:
            raise UserError(f"num_spatial_layers: expected at least 1, found {num_spatial_layers}.")
        strides = [1 + layer % 2 for layer in range(num_spatial_layers)]
        self.total_stride = 2 ** (num_spatial_layers // 2)
        joins = [
            layer == 0 or (skip == "every_level" and stride == 1)
            for layer, stride in enumerate(strides)
        ]
        self.encoder = Encoder(self.input_channels, spatial_hidden_dim, strides, joins, padding)
        self.dynamics = Dynamics(width_in, temporal_hidden_dim, kinds, drop_path, padding)
        self.decoder = Decoder(
            spatial_hidden_dim, output_channels, strides[::-1], joins[::-1], padding
        )
        if zero_readout:
            nn.init.zeros_(self.decoder.readout.weight)
            nn.init.zeros_(self.decoder.readout.get_parameter("bias"))
        for part in (self.encoder, self.dynamics, self.decoder):
            part.checkpoint_activations = checkpoint_activations

    def forward(
        self, x: Float[Tensor, "batch time channel height width"]
    ) -> Float[Tensor, "batch time output height width"]:
        """Return the output frames.

        Raises:
            UserError: if `x` is not [batch, T, C_in, height, width].
        """
        if x.shape[1:3] != (self.frames, self.input_channels):
            raise UserError(
                f"network input: expected shape [batch, {self.frames}, {self.input_channels}, "
                f"height, width], found {list(x.shape)}; build the network with "
                "shape_in=(frames, channels) of the data."
            )
        height, width = x.shape[3:]
        maps = pad_to_multiple(x.flatten(0, 1), self.padding, self.total_stride)
        maps = maps.contiguous(memory_format=torch.channels_last)
        chunks = maps.split(self._maps_at_once(maps))
        latents, skips = zip(*(self.encoder(chunk) for chunk in chunks), strict=True)
        latent = self.dynamics(fold_time(torch.cat(latents), self.frames))
        latents = unfold_time(latent, self.frames).split([len(chunk) for chunk in chunks])
        y = torch.cat([self.decoder(*parts) for parts in zip(latents, skips, strict=True)])
        return y[:, :, :height, :width].unflatten(0, (len(x), self.frames))

    def _maps_at_once(self, maps: Tensor) -> int:
        """Encoder and decoder see each map alone: on a CPU a few at a time stay in its cache."""
        if torch.is_grad_enabled() or maps.device.type != "cpu":
            return len(maps)
        bytes_per_map = 4 * self.decoder.readout.in_channels * maps[0, 0].numel()
        return max(1, CACHE_BYTES // bytes_per_map)


def _frames_and_channels(shape_in: Sequence[int]) -> tuple[int, int]:
    if len(shape_in) not in (2, 4) or min(shape_in) < 1:
        raise UserError(
            "shape_in: expected (frames, channels) or (frames, channels, height, width), all "
            f"positive, found {tuple(shape_in)}."
        )
    return shape_in[0], shape_in[1]


def _block_kinds(blocks: str | Sequence[str], layers: int, one_width: bool) -> Sequence[str]:
    if layers < 2:
        raise UserError(
            f"num_temporal_layers: expected at least 2 (one to enter and one to leave the "
            f"dynamics), found {layers}."
        )
    if blocks == "attention":
        return ["attention"] * layers
    if blocks == "uniformer":
        last = "attention" if one_width else "convolution"
        return ["convolution", *["attention"] * (layers - 2), last]
    if isinstance(blocks, str):
        raise UserError(f"blocks: unknown arrangement '{blocks}'; {nearest(blocks, ARRANGEMENTS)}")
    if len(blocks) != layers or not set(blocks) <= {"attention", "convolution"}:
        raise UserError(
            f"blocks: expected {layers} kinds, each 'attention' or 'convolution', found "
            f"{list(blocks)}."
        )
    return blocks


def _check_widths(frames: int, spatial: int, temporal: int, kinds: Sequence[str]) -> None:
    if spatial % NORM_GROUPS:
        raise UserError(
            f"spatial_hidden_dim: expected an even number, found {spatial}; take {spatial + 1}."
        )
    if kinds[0] == "attention" and frames * spatial % HEADS:
        raise UserError(
            f"spatial_hidden_dim: the first block attends with {HEADS} heads over frames × "
            f"spatial_hidden_dim = {frames} × {spatial} = {frames * spatial} channels, which they "
            f"do not divide; take spatial_hidden_dim={spatial + -spatial % HEADS}."
        )
    if "attention" in kinds[1:] and temporal % HEADS:
        raise UserError(
            f"temporal_hidden_dim: expected a multiple of the {HEADS} attention heads, found "
            f"{temporal}; take {temporal + -temporal % HEADS}."
        )
