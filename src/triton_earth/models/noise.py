"""Noise channels: random fields of several scales that a network sees beside its inputs, new at every application."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Padding
from triton_earth.core.state import ValidTimes

INTERPOLATED = 1.5
"""What interpolated noise is multiplied by: a bilinear mean of independent numbers has 2/3 of their spread."""

Seeds = Sequence[Sequence[int]]
"""Seeds of each row."""


class NoiseConfig(StrictConfig):
    """Channels of normally distributed noise with mean 0 and standard deviation 1.

    Attributes:
        channels: Channels of each scale.
        scales: Cells between independent numbers; between them noise is interpolated.
    """

    channels: int = Field(default=2, ge=1)
    scales: tuple[int, ...] = Field(default=(1, 4, 16), min_length=1)

    @field_validator("scales")
    @classmethod
    def _ascending(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        if scales != tuple(sorted(set(scales))) or scales[0] < 1:
            raise UserError(f"expected ascending numbers of cells from 1 on, found {list(scales)}.")
        return scales

    @property
    def total(self) -> int:
        """Channels of all scales."""
        return self.channels * len(self.scales)


def free_noise(
    config: NoiseConfig,
    like: Float[Tensor, "batch time channel y x"],
    padding: tuple[Padding, Padding],
) -> Float[Tensor, "batch time noise y x"]:
    """Return noise from torch's own generator on the device, as training takes it.

    Args:
        config: Which channels.
        like: Inputs that it stands beside.
        padding: The grid's rule of each axis.
    """

    def draw(*shape: int) -> Tensor:
        return torch.randn(*like.shape[:2], *shape, device=like.device)

    return _fields(config, draw, like, padding)


def seeded_noise(
    config: NoiseConfig,
    like: Float[Tensor, "batch time channel y x"],
    padding: tuple[Padding, Padding],
    seeds: Seeds,
) -> Float[Tensor, "batch time noise y x"]:
    """Return noise whose numbers depend on the seeds of each row alone, on any device and beside any rows.

    Args:
        config: Which channels.
        like: Inputs that it stands beside.
        padding: The grid's rule of each axis.
        seeds: Seeds of each row, for example of the command, initial state, member and step.
    """
    generators = [np.random.default_rng(list(seed)) for seed in seeds]
    times = like.shape[1]

    def draw(*shape: int) -> Tensor:
        rows = [one.standard_normal((times, *shape), dtype=np.float32) for one in generators]
        return torch.from_numpy(np.stack(rows)).to(like.device)

    return _fields(config, draw, like, padding)


def seeds_of_times(valid_times: ValidTimes) -> list[list[int]]:
    """Return seeds that follow from the newest time of each row: what noise depends on where nobody gives seeds."""
    newest = np.ascontiguousarray(valid_times[:, -1])
    return newest.view(np.uint32).reshape(len(newest), 2).tolist()


def _fields(
    config: NoiseConfig,
    draw: Callable[..., Tensor],
    like: Float[Tensor, "batch time channel y x"],
    padding: tuple[Padding, Padding],
) -> Float[Tensor, "batch time noise y x"]:
    ny, nx = like.shape[-2:]
    fields = []
    for scale in config.scales:
        noise = draw(config.channels, -(-ny // scale), -(-nx // scale))
        fields.append(noise if scale == 1 else _interpolated(noise, scale, (ny, nx), padding))
    return torch.cat(fields, dim=2)


def _interpolated(
    noise: Float[Tensor, "batch time channel row column"],
    scale: int,
    shape: tuple[int, int],
    padding: tuple[Padding, Padding],
) -> Float[Tensor, "batch time channel y x"]:
    """Return the noise on a finer map, going round on periodic axes."""
    maps = noise.flatten(0, 1)
    for axis, rule in ((-2, padding[0]), (-1, padding[1])):
        width = (0, 0, 1, 1) if axis == -2 else (1, 1, 0, 0)
        maps = functional.pad(maps, width, mode="circular" if rule == "periodic" else "replicate")
    fine = functional.interpolate(maps, scale_factor=scale, mode="bilinear", align_corners=False)
    cropped = fine[..., scale : scale + shape[0], scale : scale + shape[1]]
    return INTERPOLATED * cropped.unflatten(0, noise.shape[:2])
