"""Triton: convolutional encoder, attention between the cells of a coarse latent map, convolutional decoder."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from triton_earth.core.errors import UserError, nearest
from triton_earth.layers.attention_block import Attention
from triton_earth.layers.dynamics import HEADS, Dynamics, fold_time, unfold_time
from triton_earth.layers.encoder_decoder import Decoder, Encoder
from triton_earth.layers.padding import ZERO, Padding, pad_to_multiple
from triton_earth.layers.resampling import Upsampling
from triton_earth.layers.residual_block import Norm
from triton_earth.layers.stage import NORM_GROUPS
from triton_earth.layers.v_cycle import Ascent, Descent, Joining
from triton_earth.models.registry import NetworkConfig, register

CACHE_BYTES = 8 * 2**20

Stages = Literal["residual", "plain"]
Arrangement = Literal["published", "attention", "uniformer", "convolution"]
ARRANGEMENTS: tuple[Arrangement, ...] = get_args(Arrangement)
Skip = Literal["none", "full_resolution", "every_level"]
Levels = Annotated[int, Field(ge=0)] | Literal["auto"]
Width = Annotated[int, Field(ge=1)]

LATENT_CELLS = 128
OF_STAGES: dict[Stages, dict[str, Any]] = {
    "plain": {"spatial_hidden_dim": 64, "num_spatial_layers": 6},
    "residual": {
        "widths": (32, 64),
        "levels": "auto",
        "norm": "group",
        "upsampling": "bilinear",
        "input_to_readout": False,
        "joining": "concatenate",
    },
}
"""The keys that stages of one kind alone have, with the values that they start from."""


@register("triton")
class TritonConfig(NetworkConfig):
    """Hyper-parameters of `Triton`; channels, frames and the grid come from the recipe.

    The defaults are for new models, those that measured best (docs/measurements.md), where the defaults of `Triton`
    itself are the original's. A key that stages of the other kind have is None. Where `stages` is not said, a key of
    plain stages says that they are plain, as all were before there were residual ones.

    Attributes:
        stages: Units of encoder and decoder: ``residual`` stages of two convolutions beside a shortcut, or the
            ``plain`` ones of a single convolution that the published system has.
        widths: Residual stages: channels of each level from the finest one on; further levels have the last.
        levels: Residual stages: how often the map is halved. ``auto`` halves it for each of the widths, and on until
            the latent map has at most 128 cells.
        norm: Residual stages: ``group`` (over the whole map), ``channel`` (over the channels of a cell) or ``none``.
        upsampling: Residual stages: how the map is doubled, as in `layers.resampling.Doubling`.
        input_to_readout: Residual stages: whether the last convolution sees the raw input too.
        joining: Residual stages: ``concatenate`` what comes from below and from the skip, or give the decoder their
            ``product`` too, as a flow that carries its fields along suggests.
        spatial_hidden_dim: Plain stages: channels.
        num_spatial_layers: Plain stages: how many; each second one halves the map.
        temporal_hidden_dim: Width of the latent dynamical core.
        num_temporal_layers: Its blocks; 0 leaves the core out.
        blocks: Their kinds, as in `Triton`.
        attention: Whether a block of attention mixes all cells (``global``) or those of a row and of a column
            (``axial``), for latent maps of many cells.
        skip: Which maps of the encoder the decoder sees: ``none``, those of full resolution, those of every level.
        padding: Whether borders follow the grid, or see zeros beyond them as in the original.
        drop_path: Probability of leaving out branches of the last block of the core in training.
        zero_readout: Start from an output of 0.
        checkpoint_activations: Compute activations again in the backward pass instead of keeping them.
    """

    name: Literal["triton"] = "triton"
    stages: Stages = "residual"
    widths: Annotated[tuple[Width, ...], Field(min_length=1)] | None = None
    levels: Levels | None = None
    norm: Norm | None = None
    upsampling: Upsampling | None = None
    input_to_readout: bool | None = None
    joining: Joining | None = None
    spatial_hidden_dim: int | None = Field(default=None, ge=2, multiple_of=2)
    num_spatial_layers: int | None = Field(default=None, ge=1)
    temporal_hidden_dim: int = Field(default=128, ge=1)
    num_temporal_layers: int = Field(default=8, ge=0)
    blocks: Arrangement = "attention"
    attention: Attention = "global"
    skip: Skip = "every_level"
    padding: Literal["grid", "zero"] = "grid"
    drop_path: float = Field(default=0.1, ge=0.0, lt=1.0)
    zero_readout: bool = False
    checkpoint_activations: bool = False

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Give the keys that belong to the kind of stages their values, and refuse those of the other kind."""
        if not isinstance(values, Mapping):
            return values
        given = {key: value for key, value in values.items() if value is not None}
        if "stages" not in given and any(key in given for key in OF_STAGES["plain"]):
            given["stages"] = "plain"
        stages = given.get("stages", cls.model_fields["stages"].default)
        for kind, keys in OF_STAGES.items():
            foreign = [key for key in keys if key in given] if kind != stages else []
            if foreign and stages in OF_STAGES:
                raise UserError(
                    f"'{foreign[0]}' belongs to stages '{kind}', found stages '{stages}'; leave it out, or say "
                    f"'stages: {kind}' and leave out what belongs to '{stages}' ({', '.join(OF_STAGES[stages])})."
                )
        return OF_STAGES.get(stages, {}) | given

    def for_shape(self, shape: tuple[int, int]) -> "TritonConfig":
        """Return the configuration with the number of levels that suits maps of this height and width.

        The fewest levels, but at least one for each of the widths, that leave at most 128 latent cells: on grids of
        32 x 64 to 128 x 128 cells, latent maps of 16 to 64 cells learned more in the same time than larger ones, and
        cost grows as the number of cells.
        """
        if self.levels != "auto" or self.widths is None:
            return self
        levels = len(self.widths)
        while math.prod(-(-size // 2**levels) for size in shape) > LATENT_CELLS:
            levels += 1
        return self.model_copy(update={"levels": levels})

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
        options = self.model_dump(exclude={"name", "padding"}, exclude_none=True)
        if options.get("levels") == "auto":
            del options["levels"]
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

    With residual stages, encoder and decoder are a V-cycle of levels with a width each (`layers.v_cycle`).

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
        num_temporal_layers: N, at least 2; or 0 for no core.
        stages: "plain" for those above, "residual" for `widths` and `levels` in place of S and `num_spatial_layers`.
        widths: Channels of each level from the finest one on; further levels have the last.
        levels: How often the map is halved, 0 for never; None for the number of widths.
        norm: Of residual stages: "group", "channel" or "none".
        upsampling: How residual stages double the map: "bilinear", "nearest", "shuffle" or "transposed".
        input_to_readout: Whether the last convolution of residual stages sees the raw input too.
        joining: Of residual stages: "concatenate", or "product" to join the product of both maps too.
        blocks: "attention" or "convolution" for one kind throughout; "uniformer" for convolution blocks
            first and last (attention last where T·S = H_t); "published" for what the original
            experiments take, attention for one frame and uniformer for several; or the kind of every
            block.
        attention: "global" between all cells, or "axial" along rows and columns.
        skip: "none" joins nothing to the decoder, "full_resolution" z₀ alone, "every_level" every
            stage of stride 1.
        padding: What lies beyond the border along height and width.
        drop_path: Probability of leaving out the last block's branches in training; it grows
            linearly from 0.01 at the first.
        zero_readout: Start from y = 0, so that a forecast of the change begins as persistence.
        checkpoint_activations: Compute activations again in the backward pass instead of keeping
            them: less memory, about a third more time.

    Raises:
        UserError: if a size is impossible; the message names it and one that is possible.

    Example:
        import torch

        network = triton_earth.Triton(
            shape_in=(10, 2, 64, 64),
            spatial_hidden_dim=32,
            output_channels=1,
            temporal_hidden_dim=64,
            num_spatial_layers=4,
            num_temporal_layers=8,
        )
        network(torch.randn(1, 10, 2, 64, 64)).shape  # [1, 10, 1, 64, 64]
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
        stages: Stages = "plain",
        widths: Sequence[int] = (32, 64),
        levels: int | None = None,
        norm: Norm = "group",
        upsampling: Upsampling = "bilinear",
        input_to_readout: bool = False,
        joining: Joining = "concatenate",
        blocks: str | Sequence[str] = "published",
        attention: Attention = "global",
        skip: Skip = "full_resolution",
        padding: Padding = ZERO,
        drop_path: float = 0.1,
        zero_readout: bool = False,
        checkpoint_activations: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.input_channels = _frames_and_channels(shape_in)
        self.padding = padding
        if blocks == "published":
            blocks = "attention" if self.frames == 1 else "uniformer"
        self.encoder: Encoder | Descent
        self.decoder: Decoder | Ascent
        if stages == "plain":
            name, latent_width = "spatial_hidden_dim", spatial_hidden_dim
            if spatial_hidden_dim % NORM_GROUPS:
                raise UserError(
                    f"{name}: expected an even number, found {latent_width}; take {latent_width + 1}."
                )
            if num_spatial_layers < 1:
                raise UserError(
                    f"num_spatial_layers: expected at least 1, found {num_spatial_layers}."
                )
            strides = [1 + layer % 2 for layer in range(num_spatial_layers)]
            self.total_stride = 2 ** (num_spatial_layers // 2)
            joins = [
                skip != "none" and (layer == 0 or (skip == "every_level" and stride == 1))
                for layer, stride in enumerate(strides)
            ]
            self.encoder = Encoder(self.input_channels, spatial_hidden_dim, strides, joins, padding)
            self.decoder = Decoder(
                spatial_hidden_dim, output_channels, strides[::-1], joins[::-1], padding
            )
        else:
            halvings = len(widths) if levels is None else levels
            widths = [widths[min(level, len(widths) - 1)] for level in range(max(1, halvings))]
            name, latent_width = "widths", widths[-1]
            self.total_stride = 2**halvings
            joins = [
                skip == "every_level" or (skip == "full_resolution" and level == 0)
                for level in range(len(widths))
            ]
            self.encoder = Descent(self.input_channels, widths, halvings, norm, padding)
            self.decoder = Ascent(
                output_channels,
                widths,
                halvings,
                joins,
                self.input_channels if input_to_readout else 0,
                upsampling,
                norm,
                padding,
                joining,
            )
        width_in = self.frames * latent_width
        kinds = _block_kinds(blocks, num_temporal_layers, width_in == temporal_hidden_dim)
        _check_core(self.frames, name, latent_width, temporal_hidden_dim, kinds)
        self.dynamics = Dynamics(
            width_in, temporal_hidden_dim, kinds, drop_path, padding, attention
        )
        if zero_readout:
            nn.init.zeros_(self.decoder.readout.weight)
            nn.init.zeros_(self.decoder.readout.get_parameter("bias"))
        for part in (self.encoder, self.dynamics, self.decoder):
            part.checkpoint_activations = checkpoint_activations
        # Kernels lie in memory as the maps do, so that no convolution has to copy them.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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
        # Unlike `contiguous`, `to` sees that maps of a single channel have to say where further channels would be.
        maps = maps.to(memory_format=torch.channels_last)
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
    if layers < 0 or layers == 1:
        raise UserError(
            f"num_temporal_layers: expected at least 2 (one to enter and one to leave the "
            f"dynamics), or 0 for no dynamics, found {layers}."
        )
    if layers == 0:
        return []
    if blocks in ("attention", "convolution"):
        return [blocks] * layers
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


def _check_core(frames: int, name: str, width: int, temporal: int, kinds: Sequence[str]) -> None:
    """Refuse a core that cannot be: `width` is that of the latent map, which the key `name` says."""
    if not kinds and frames > 1:
        raise UserError(
            f"num_temporal_layers: only the dynamics mix the {frames} frames of the history; take at least 2, or a "
            "history of 1."
        )
    if "attention" in kinds[:1] and frames * width % HEADS:
        raise UserError(
            f"{name}: the first block attends with {HEADS} heads over frames × width = {frames} × {width} = "
            f"{frames * width} channels, which they do not divide; take {width + -width % HEADS}."
        )
    if "attention" in kinds[1:] and temporal % HEADS:
        raise UserError(
            f"temporal_hidden_dim: expected a multiple of the {HEADS} attention heads, found "
            f"{temporal}; take {temporal + -temporal % HEADS}."
        )
