"""Normalisation: per-variable statistics of the training data, and the exact way there and back."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from pydantic import Field, model_validator
from torch import Tensor

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest
from triton_earth.core.state import State
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.statistics.climatology import HARMONICS
from triton_earth.data.statistics.damping import Damping
from triton_earth.data.statistics.seasons import SeasonalCycle


class NormalizationConfig(StrictConfig):
    """How fields are brought to mean 0 and spread 1.

    Attributes:
        subtract: What is taken out of the predicted variables: ``mean``, one number for each, or their ``climatology``
            in each cell at each time of the year and of the day, so that the network works in anomalies.
        harmonics: Harmonics of the year of that climatology: three for weather of a few years; more tell shorter parts
            of a season, where years are many or differ little, as in the ocean.
        levels: ``separate`` gives each level of a variable its own mean and standard deviation, ``together`` all one.
        log_scale: Variables, with or without level, that are normalised by their logarithm, sign(x) ln(1 + |x|/ε), and
            ε in their units: what precipitation and humidity need, whose values span decades.
    """

    subtract: Literal["mean", "climatology"] = "mean"
    harmonics: int = Field(default=HARMONICS, ge=1, le=12)
    levels: Literal["separate", "together"] = "separate"
    log_scale: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> "NormalizationConfig":
        if self.subtract != "climatology" and self.harmonics != HARMONICS:
            raise UserError(
                f"normalization.harmonics is for subtract: climatology; found subtract: {self.subtract}. Leave it out, "
                "or change that."
            )
        return self


@dataclass(frozen=True)
class Normalizer:
    """Statistics per variable: x is normalised as (x − mean) / std, an increment as Δx / increment_std.

    For variables with a log scale ε, x stands for sign(x) ln(1 + |x|/ε) in all of this, and for those that `seasons`
    has, for that minus its climatology at the time of the field.

    Attributes:
        variables: Names, in order.
        mean: Mean over the training data, in the variable's units.
        std: Standard deviation.
        increment_std: Root mean square of x(t + Δt) − x(t), Δt the model's time step; `std` for variables that are
            given and do not change.
        log_scale: ε of the variables that have one, by name.
        seasons: Climatology of the variables that are normalised as anomalies; None where none is.
        damping: What is left of their anomalies after a time step; None where no forecast starts from that.
    """

    variables: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    increment_std: tuple[float, ...]
    log_scale: Mapping[str, float] = field(default_factory=dict)
    seasons: SeasonalCycle | None = None
    damping: Damping | None = None

    def __post_init__(self) -> None:
        for name, std, increment in zip(self.variables, self.std, self.increment_std, strict=True):
            if not (std > 0 and increment > 0 and np.isfinite(std) and np.isfinite(increment)):
                raise UserError(
                    f"variable '{name}' has standard deviation {std:g} and increments of {increment:g} over the "
                    "training data; both must be positive and finite. Drop a variable that never changes."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: all but the `tensors`."""
        statistics = {
            name: {
                "mean": mean,
                "std": std,
                "increment_std": increment_std,
                **({"log_scale": self.log_scale[name]} if name in self.log_scale else {}),
            }
            for name, mean, std, increment_std in zip(
                self.variables, self.mean, self.std, self.increment_std, strict=True
            )
        }
        return {
            "normalizer": statistics,
            "seasons": None if self.seasons is None else self.seasons.to_dict(),
            "damping": None if self.damping is None else self.damping.to_dict(),
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What is stored of it besides `to_dict`, by name."""
        found = {}
        if self.seasons is not None:
            found["climatology"] = self.seasons.coefficients.contiguous()
        if self.damping is not None:
            found |= self.damping.tensors
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> "Normalizer":
        """Read back what `to_dict` and `tensors` gave, and take these out of `tensors`."""
        statistics: dict[str, Any] = values["normalizer"]
        seasons, damping = values.get("seasons"), values.get("damping")
        return cls(
            variables=tuple(statistics),
            mean=tuple(value["mean"] for value in statistics.values()),
            std=tuple(value["std"] for value in statistics.values()),
            increment_std=tuple(value["increment_std"] for value in statistics.values()),
            log_scale={
                name: value["log_scale"]
                for name, value in statistics.items()
                if "log_scale" in value
            },
            seasons=None
            if seasons is None
            else SeasonalCycle.from_dict(seasons, tensors.pop("climatology")),
            damping=None if damping is None else Damping.from_dict(damping, tensors),
        )

    def transformed(self, state: State) -> State:
        """Return a state with what x stands for: logarithms of variables with a log scale, then anomalies."""
        changed = self._changed(state, signed_log)
        if self.seasons is None:
            return changed
        cycle = self.seasons.at(state.variables.names, state.valid_times, state.data)
        return replace(changed, data=changed.data - cycle)

    def restored(self, state: State) -> State:
        """Return the state that `transformed` took."""
        if self.seasons is not None:
            cycle = self.seasons.at(state.variables.names, state.valid_times, state.data)
            state = replace(state, data=state.data + cycle)
        return self._changed(state, signed_exp)

    def _changed(self, state: State, function: Callable[[Tensor, float], Tensor]) -> State:
        if not self.log_scale:
            return state
        channels = [
            _where_there(function, values, self.log_scale[name])
            if name in self.log_scale
            else values
            for name, values in zip(state.variables.names, state.data.unbind(dim=2), strict=True)
        ]
        return replace(state, data=torch.stack(channels, dim=2))


def _where_there(
    function: Callable[[Tensor, float], Tensor], values: Float[Tensor, "..."], scale: float
) -> Float[Tensor, "..."]:
    """Return NaN where there is no value, with a gradient of zero, where that of the function would be NaN too."""
    missing = values.isnan()
    return function(values.masked_fill(missing, 0.0), scale).masked_fill(missing, torch.nan)


def signed_log(values: Float[Tensor, "..."], scale: float) -> Float[Tensor, "..."]:
    """Return sign(x) ln(1 + |x|/ε), which is x/ε for |x| ≪ ε and a logarithm for |x| ≫ ε."""
    return torch.sign(values) * torch.log1p(values.abs() / scale)


def signed_exp(values: Float[Tensor, "..."], scale: float) -> Float[Tensor, "..."]:
    """Return sign(y) ε (exp |y| − 1), the inverse of `signed_log`."""
    return torch.sign(values) * (scale * torch.expm1(values.abs()))


Fields = Float32[np.ndarray, "_ channel y x"]


def compute_normalizer(
    trajectories: Iterable[Fields | Iterator[Fields]],
    variables: Variables,
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
    config: NormalizationConfig | None = None,
) -> Normalizer:
    """Compute the statistics in one pass over trajectories, in float64.

    Means and squared deviations of each trajectory are merged exactly (Chan, Golub and LeVeque 1983, Eq. 2.1), so that
    large offsets (pressure, geopotential) cost no digits.

    Args:
        trajectories: Fields of the training period, one stretch of consecutive times after the other, each whole or as
            an iterator over blocks of it, so that it need not fit into memory.
        variables: What each channel is.
        valid_mask: True where a channel is defined; other cells do not count.
        config: Levels together or separate, log scales; the defaults if not given.

    Returns:
        The statistics.

    Raises:
        UserError: if a field is not finite in a valid cell, a variable is constant, or has no valid cell, or a log
            scale is not positive, or that of no variable.
    """
    config = config or NormalizationConfig()
    log_scale = log_scales(config, variables)
    channels = len(variables)
    if valid_mask is not None:
        _require_valid_cells(variables, valid_mask)
    moments = _Moments(np.zeros(channels), np.zeros(channels), np.zeros(channels))
    increments = _Moments(np.zeros(channels), np.zeros(channels), np.zeros(channels))
    for fields, before, place in _blocks(trajectories):
        for channel, name in enumerate(variables.names):
            cells = _cells(fields, valid_mask, channel, log_scale.get(name))
            if not np.isfinite(cells).all():
                raise UserError(
                    f"variable '{name}' has {np.sum(~np.isfinite(cells))} values that are not "
                    f"finite in the training data, the first {_first_wrong(fields, valid_mask, channel, place)}. "
                    "Repair them, or mark the cells in the valid mask."
                )
            moments.add(channel, cells)
            if before is not None:
                last = _cells(before, valid_mask, channel, log_scale.get(name))
                cells = np.concatenate([last, cells])
            steps = np.diff(cells, axis=0)
            increments.squares[channel] += np.sum(steps**2)
            increments.count[channel] += steps.size
    if config.levels == "together":
        moments, increments = (each.pooled(_levels(variables)) for each in (moments, increments))
    std = np.sqrt(moments.squares / np.maximum(moments.count, 1))
    increment_std = np.sqrt(increments.squares / np.maximum(increments.count, 1))
    given = [variable.role in (Role.STATIC, Role.FORCING) for variable in variables]
    unchanging = np.array(given) & (increment_std == 0)
    return Normalizer(
        variables=tuple(variables.names),
        mean=tuple(moments.mean.tolist()),
        std=tuple(std.tolist()),
        increment_std=tuple(np.where(unchanging, std, increment_std).tolist()),
        log_scale=log_scale,
    )


def log_scales(config: NormalizationConfig, variables: Variables) -> dict[str, float]:
    """Return ε of each channel that has one.

    Raises:
        UserError: if a log scale is not positive, or that of no variable.
    """
    scales = {}
    for name, scale in config.log_scale.items():
        channels = [one.name for one in variables if name in (one.name, _without_level(one))]
        if not channels:
            known = {_without_level(one) for one in variables} | set(variables.names)
            raise UserError(
                f"model.normalization.log_scale: there is no variable '{name}'; {nearest(name, known)}"
            )
        if not scale > 0:
            raise UserError(
                f"model.normalization.log_scale: '{name}' needs a positive number in its units; found {scale:g}."
            )
        scales.update(dict.fromkeys(channels, scale))
    return scales


def _levels(variables: Variables) -> list[list[int]]:
    """Return the channels of each variable."""
    groups: dict[str, list[int]] = {}
    for channel, variable in enumerate(variables):
        groups.setdefault(_without_level(variable), []).append(channel)
    return list(groups.values())


def _without_level(variable: Variable) -> str:
    """Return ``temperature`` for ``temperature_850``."""
    return (
        variable.name
        if variable.level is None
        else variable.name.removesuffix(f"_{variable.level:g}")
    )


def _blocks(
    trajectories: Iterable[Fields | Iterator[Fields]],
) -> Iterator[tuple[Fields, Fields | None, tuple[int, int]]]:
    """Yield each block, the last time of the block it follows (None for the first of a stretch), and its place."""
    for stretch, trajectory in enumerate(trajectories):
        before, first = None, 0
        for fields in iter([trajectory]) if isinstance(trajectory, np.ndarray) else trajectory:
            yield fields, before, (stretch, first)
            before, first = fields[-1:].copy(), first + len(fields)


def _first_wrong(
    fields: Fields,
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
    channel: int,
    place: tuple[int, int],
) -> str:
    """Return where the first valid cell of a channel is that has no finite value, in words."""
    wrong = ~np.isfinite(fields[:, channel])
    if valid_mask is not None:
        wrong &= valid_mask[channel]
    time, row, column = (int(index) for index in np.argwhere(wrong)[0])
    stretch, first = place
    return (
        f"at time {first + time} of stretch {stretch} of consecutive times, cell ({row}, {column})"
    )


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

    def pooled(self, groups: list[list[int]]) -> "_Moments":
        """Return moments in which the channels of each group have those of all of them together."""
        pooled = _Moments(np.zeros_like(self.count), self.mean.copy(), self.squares.copy())
        for group in groups:
            count = self.count[group].sum()
            mean = np.sum(self.count[group] * self.mean[group]) / max(count, 1)
            apart = self.count[group] * (self.mean[group] - mean) ** 2
            pooled.count[group], pooled.mean[group] = count, mean
            pooled.squares[group] = np.sum(self.squares[group] + apart)
        return pooled


def _cells(
    fields: Fields,
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
    channel: int,
    log_scale: float | None,
) -> Float64[np.ndarray, "time cell"]:
    """Return the valid cells of a channel, by their logarithm if it has a log scale."""
    flat = fields[:, channel].reshape(len(fields), -1)
    cells = (flat if valid_mask is None else flat[:, valid_mask[channel].ravel()]).astype(
        np.float64
    )
    return cells if log_scale is None else signed_log(torch.from_numpy(cells), log_scale).numpy()
