"""Normalisation: per-variable statistics of the training data, and the exact way there and back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role, Variables


@dataclass(frozen=True)
class Normalizer:
    """Statistics per variable: x is normalised as (x − mean) / std, an increment as Δx / increment_std.

    Attributes:
        variables: Names, in order.
        mean: Mean over the training data, in the variable's units.
        std: Standard deviation.
        increment_std: Root mean square of x(t + Δt) − x(t), Δt the model's time step; `std` for static variables, which
            have no increments.
    """

    variables: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    increment_std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, std, increment in zip(self.variables, self.std, self.increment_std, strict=True):
            if not (std > 0 and increment > 0 and np.isfinite(std) and np.isfinite(increment)):
                raise UserError(
                    f"variable '{name}' has standard deviation {std:g} and increments of {increment:g} over the "
                    "training data; both must be positive and finite. Drop a variable that never changes."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            name: {"mean": mean, "std": std, "increment_std": increment_std}
            for name, mean, std, increment_std in zip(
                self.variables, self.mean, self.std, self.increment_std, strict=True
            )
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Normalizer":
        """Read back what `to_dict` gave."""
        return cls(
            variables=tuple(values),
            mean=tuple(value["mean"] for value in values.values()),
            std=tuple(value["std"] for value in values.values()),
            increment_std=tuple(value["increment_std"] for value in values.values()),
        )


Fields = Float32[np.ndarray, "_ channel y x"]


def compute_normalizer(
    trajectories: Iterable[Fields | Iterator[Fields]],
    variables: Variables,
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Normalizer:
    """Compute the statistics in one pass over trajectories, in float64.

    Means and squared deviations of each trajectory are merged exactly (Chan, Golub and LeVeque 1983, Eq. 2.1), so that
    large offsets (pressure, geopotential) cost no digits.

    Args:
        trajectories: Fields of the training period, one stretch of consecutive times after the other, each whole or as
            an iterator over blocks of it, so that it need not fit into memory.
        variables: What each channel is.
        valid_mask: True where a channel is defined; other cells do not count.

    Returns:
        The statistics.

    Raises:
        UserError: if a field is not finite in a valid cell, a variable is constant, or has no valid cell.
    """
    channels = len(variables)
    if valid_mask is not None:
        _require_valid_cells(variables, valid_mask)
    moments = _Moments(np.zeros(channels), np.zeros(channels), np.zeros(channels))
    increment_squares = np.zeros(channels)
    increment_count = np.zeros(channels)
    for fields, before in _blocks(trajectories):
        for channel in range(channels):
            cells = _valid_cells(fields[:, channel], valid_mask, channel).astype(np.float64)
            if not np.isfinite(cells).all():
                raise UserError(
                    f"variable '{variables.names[channel]}' has {np.sum(~np.isfinite(cells))} values that are not "
                    "finite in the training data. Repair them, or mark the cells in the valid mask."
                )
            moments.add(channel, cells)
            if before is not None:
                last = _valid_cells(before[:, channel], valid_mask, channel).astype(np.float64)
                cells = np.concatenate([last, cells])
            increments = np.diff(cells, axis=0)
            increment_squares[channel] += np.sum(increments**2)
            increment_count[channel] += increments.size
    std = np.sqrt(moments.squares / np.maximum(moments.count, 1))
    increment_std = np.sqrt(increment_squares / np.maximum(increment_count, 1))
    static = np.array([variable.role is Role.STATIC for variable in variables])
    return Normalizer(
        variables=tuple(variables.names),
        mean=tuple(moments.mean.tolist()),
        std=tuple(std.tolist()),
        increment_std=tuple(np.where(static, std, increment_std).tolist()),
    )


def _blocks(
    trajectories: Iterable[Fields | Iterator[Fields]],
) -> Iterator[tuple[Fields, Fields | None]]:
    """Yield each block with the last time of the block that it follows, None for the first of a stretch."""
    for trajectory in trajectories:
        before = None
        for fields in iter([trajectory]) if isinstance(trajectory, np.ndarray) else trajectory:
            yield fields, before
            before = fields[-1:].copy()


def _require_valid_cells(variables: Variables, valid_mask: Bool[np.ndarray, "channel y x"]) -> None:
    for variable, valid in zip(variables, valid_mask, strict=True):
        if not valid.any():
            raise UserError(
                f"variable '{variable.name}' has no valid cell. Correct the valid mask, or drop the variable."
            )


@dataclass
class _Moments:
    """Count, mean and sum of squared deviations per channel, merged block by block."""

    count: Float64[np.ndarray, " channel"]
    mean: Float64[np.ndarray, " channel"]
    squares: Float64[np.ndarray, " channel"]

    def add(self, channel: int, cells: Float64[np.ndarray, "time cell"]) -> None:
        mean = cells.mean()
        squares = np.sum((cells - mean) ** 2)
        total = self.count[channel] + cells.size
        shift = mean - self.mean[channel]
        self.squares[channel] += squares + shift**2 * self.count[channel] * cells.size / total
        self.mean[channel] += shift * cells.size / total
        self.count[channel] = total


def _valid_cells(
    field: Float32[np.ndarray, "time y x"],
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
    channel: int,
) -> Float32[np.ndarray, "time cell"]:
    flat = field.reshape(field.shape[0], -1)
    return flat if valid_mask is None else flat[:, valid_mask[channel].ravel()]
