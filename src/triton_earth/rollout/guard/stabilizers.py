"""Stabilisers: corrections of each state before it is fed back, each with an account of how much it changed."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from pydantic import Field
from torch import Tensor

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.variables import Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.climatology import Climatology, fit_climatology
from triton_earth.rollout.guard.training_range import STATES, training_pairs

Fields = Float[Tensor, "row channel y x"]


class SpectralFilter(StrictConfig):
    """Damping of the smallest scales.

    Attributes:
        order: p of the response exp(−s (k/k_max)^p).
        strength: s, the damping of the smallest scale per step.
    """

    order: int = Field(default=8, ge=2, multiple_of=2)
    strength: float = Field(default=0.1, gt=0)


class Relaxation(StrictConfig):
    """Relaxation to the climatology of the training split.

    Attributes:
        steps: e-folding time in time steps.
    """

    steps: float = Field(default=100.0, gt=0)


class RangeClamp(StrictConfig):
    """Values held within the range of training states.

    Attributes:
        margin: How far beyond that range values may go, in its widths.
    """

    margin: float = Field(default=0.1, ge=0)


class MeanConservation(StrictConfig):
    """Area means held at those of the initial state.

    Attributes:
        variables: Which variables, for example those that measure mass.
    """

    variables: tuple[str, ...] = Field(min_length=1)


class MeanOfSeason(StrictConfig):
    """Means that follow the season: held at those of the climatology, or drawn to them.

    Attributes:
        variables: Which variables.
        over: ``area`` for the mean of the whole map, ``rows`` for that of each row (zonal means).
        steps: e-folding time in time steps; held at once if not given.
    """

    variables: tuple[str, ...] = Field(min_length=1)
    over: Literal["area", "rows"] = "area"
    steps: float | None = Field(default=None, gt=0)


class StabilizersConfig(StrictConfig):
    """Which stabilisers are switched on, in the order in which they act; none if not given.

    Attributes:
        spectral_filter: Damping of the smallest scales.
        relaxation: Relaxation to climatology.
        range_clamp: Values held within the range of training states.
        mean_conservation: Area means held at those of the initial state.
        mean_of_season: Area or zonal means that follow the climatology.
    """

    spectral_filter: SpectralFilter | None = None
    relaxation: Relaxation | None = None
    range_clamp: RangeClamp | None = None
    mean_conservation: MeanConservation | None = None
    mean_of_season: MeanOfSeason | None = None

    @property
    def names(self) -> list[str]:
        """Names of those that are switched on."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]

    def build(self, store: TrainingStore, variables: Variables) -> list["Stabilizer"]:
        """Measure the training data as far as the stabilisers need it.

        Args:
            store: Training store.
            variables: Prognostic variables of the model.

        Raises:
            UserError: if a variable is not there, or the store has no training split to relax to, or whose season it
                lacks.
        """
        names, built = variables.names, list[Stabilizer]()
        if self.spectral_filter is not None:
            built.append(_Filter(self.spectral_filter, store.grid))
        if self.relaxation is not None:
            built.append(_Relax(self.relaxation, fit_climatology(store, names)))
        if self.range_clamp is not None:
            built.append(_Clamp(*_ranges(store, names, self.range_clamp.margin)))
        if self.mean_conservation is not None:
            held = np.zeros(len(names), dtype=bool)
            held[variables.indices(self.mean_conservation.variables)] = True
            built.append(_Conserve(torch.from_numpy(held)))
        if self.mean_of_season is not None:
            followed = np.zeros(len(names), dtype=bool)
            followed[variables.indices(self.mean_of_season.variables)] = True
            climatology = fit_climatology(store, names)
            if store.times.dtype.kind == "M" and not climatology.yearly_harmonics:
                raise UserError(
                    f"stabilizer mean_of_season: {store.path} has less than a year of training data, so that its "
                    "season is not known. Leave it out, or prepare at least a year."
                )
            built.append(_Season(self.mean_of_season, climatology, torch.from_numpy(followed)))
        return built


@runtime_checkable
class Stabilizer(Protocol):
    """One correction of the prognostic variables."""

    def __call__(
        self,
        fields: Fields,
        times: np.ndarray,
        weights: Float[Tensor, "channel y x"],
        initial_means: Float[Tensor, "row channel"],
    ) -> Fields:
        """Return corrected fields.

        Args:
            fields: Prognostic variables; what is in cells that are not valid does not matter.
            times: Valid time of each row.
            weights: Cell areas; zero in cells that are not valid.
            initial_means: Area means of the initial states.
        """
        ...


class Correction:
    """The stabilisers of one batch, and how much each changed each state.

    Attributes:
        changes: Root mean square change of the states that have not been asked for yet, [row, variable, stabiliser] in
            the variables' units.
    """

    def __init__(
        self,
        stabilizers: list[Stabilizer],
        initial: State,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
    ) -> None:
        """Start from the initial states of the batch, prognostic variables on the device of the rollout.

        Args:
            stabilizers: In the order in which they act.
            initial: Initial states [row, history, channel, y, x], the newest last.
            valid_mask: Where each variable is defined; None: everywhere.
        """
        self.changes: deque[Float32[np.ndarray, "row variable stabilizer"]] = deque()
        self._stabilizers, self._names = stabilizers, initial.variables.names
        weights = np.broadcast_to(
            initial.grid.cell_area_weights, (len(initial.variables), *initial.grid.shape)
        )
        if valid_mask is not None:
            weights = np.where(valid_mask, weights, 0.0)
        device = initial.data.device
        self._weights = torch.from_numpy(weights / weights.sum((1, 2), keepdims=True)).to(device)
        self._initial_means = _means(initial.data[:, -1], self._weights)

    def __call__(self, block: State) -> State:
        """Return the corrected states of a block; diagnostic variables stay as they are."""
        channels = block.variables.indices(self._names)
        data = block.data.clone()
        for time in range(data.shape[1]):
            fields, changes = data[:, time, channels], []
            for stabilizer in self._stabilizers:
                new = stabilizer(
                    fields, block.valid_times[:, time], self._weights, self._initial_means
                ).to(fields)
                changes.append(_means((new - fields).square(), self._weights).sqrt())
                fields = new
            data[:, time, channels] = fields
            self.changes.append(torch.stack(changes, dim=-1).detach().float().cpu().numpy())
        return replace(block, data=data)


def _means(fields: Fields, weights: Float[Tensor, "channel y x"]) -> Float[Tensor, "row channel"]:
    """Return area means over valid cells, in float64."""
    return torch.where(weights > 0, fields.double() * weights, 0.0).sum((-2, -1))


@dataclass(frozen=True)
class _Filter:
    """f̂(k) → exp(−s (k/k_max)^p) f̂(k), k counted in waves per cell each way.

    Where a side is not periodic the field is continued as its mirror image. With cells that are not valid the filtered
    field is divided by the filtered mask (normalised convolution), so that values there never matter.
    """

    config: SpectralFilter
    grid: Grid

    def __call__(
        self, fields: Fields, times: np.ndarray, weights: Tensor, initial_means: Tensor
    ) -> Fields:
        valid = weights > 0
        smooth = self._filtered(torch.where(valid, fields, 0.0))
        if not bool(valid.all()):
            smooth = smooth / self._filtered(valid.to(fields)[None]).clamp(min=0.1)
        return torch.where(valid, smooth, fields)

    def _filtered(self, fields: Fields) -> Fields:
        shape = fields.shape[-2:]
        for dim, padding in zip((-2, -1), self.grid.padding, strict=True):
            if padding != "periodic":
                fields = torch.cat([fields, fields.flip(dim)], dim=dim)
        ny, nx = fields.shape[-2:]
        ky = torch.fft.fftfreq(ny, device=fields.device)[:, None]
        kx = torch.fft.rfftfreq(nx, device=fields.device)[None, :]
        ratio = (ky**2 + kx**2).sqrt() / 0.5
        response = torch.exp(-self.config.strength * ratio.clamp(max=1.0) ** self.config.order)
        smooth = torch.fft.irfft2(torch.fft.rfft2(fields) * response, s=(ny, nx))
        return smooth[..., : shape[0], : shape[1]]


@dataclass(frozen=True)
class _Relax:
    """x → c + (x − c) exp(−1/τ)."""

    config: Relaxation
    climatology: Climatology

    def __call__(
        self, fields: Fields, times: np.ndarray, weights: Tensor, initial_means: Tensor
    ) -> Fields:
        mean = torch.from_numpy(self.climatology.at(times)).to(fields)
        return mean + (fields - mean) * float(np.exp(-1 / self.config.steps))


@dataclass(frozen=True)
class _Clamp:
    """x → min(max(x, lower), upper)."""

    lower: Float64[np.ndarray, " channel"]
    upper: Float64[np.ndarray, " channel"]

    def __call__(
        self, fields: Fields, times: np.ndarray, weights: Tensor, initial_means: Tensor
    ) -> Fields:
        lower, upper = (
            torch.from_numpy(bound).to(fields)[:, None, None] for bound in (self.lower, self.upper)
        )
        return torch.minimum(torch.maximum(fields, lower), upper)


@dataclass(frozen=True)
class _Conserve:
    """x → x + ⟨x(t₀)⟩ − ⟨x⟩."""

    held: Bool[Tensor, " channel"]

    def __call__(
        self, fields: Fields, times: np.ndarray, weights: Tensor, initial_means: Tensor
    ) -> Fields:
        missing = initial_means - _means(fields, weights)
        return fields + torch.where(self.held.to(missing.device), missing, 0.0)[..., None, None]


@dataclass(frozen=True)
class _Season:
    """x → x − (1 − exp(−1/τ)) ⟨x − c⟩, ⟨⟩ the mean over the map or over each row; all of it where there is no τ."""

    config: MeanOfSeason
    climatology: Climatology
    followed: Bool[Tensor, " channel"]

    def __call__(
        self, fields: Fields, times: np.ndarray, weights: Tensor, initial_means: Tensor
    ) -> Fields:
        departure = fields.double() - torch.from_numpy(self.climatology.at(times)).to(fields.device)
        kept = torch.where(weights > 0, departure * weights, 0.0)
        dims = (-2, -1) if self.config.over == "area" else (-1,)
        share = weights.sum(dims, keepdim=True)
        mean = kept.sum(dims, keepdim=True) / torch.where(share > 0, share, 1.0)
        part = 1.0 if self.config.steps is None else 1 - float(np.exp(-1 / self.config.steps))
        followed = self.followed.to(fields.device)[:, None, None]
        return (fields - part * torch.where(followed, mean, 0.0)).to(fields)


def _ranges(
    store: TrainingStore, names: list[str], margin: float
) -> tuple[Float64[np.ndarray, " channel"], Float64[np.ndarray, " channel"]]:
    """Return the smallest and largest value of each variable over training states, with a margin."""
    pairs = [pair.select(names).data[0].numpy() for pair in training_pairs(store, STATES)]
    least = np.nanmin([np.nanmin(pair, axis=(0, 2, 3)) for pair in pairs], axis=0)
    most = np.nanmax([np.nanmax(pair, axis=(0, 2, 3)) for pair in pairs], axis=0)
    width = (most - least).astype(np.float64)
    return least - margin * width, most + margin * width
