"""Damping: what is left of an anomaly after a time step, by variable, by cell or by wave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float, Float32, Float64
from pydantic import Field
from torch import Tensor

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import Variables

LARGEST = 0.99
"""Largest modulus of ρ: below 1, so that what a step adds stays bounded for ever."""
FEWEST_PAIRS = 30
"""Fewest pairs of successive states that ρ is fitted to."""
PRIOR_PAIRS = 8
"""Pairs that the coefficient of the whole map counts as in that of a cell."""

NEARLY_NONE = 1e-3
"""Part of the largest modulus that trained moduli start from where the fit gives less; as near to it they start."""

Kind = Literal["variable", "cell", "waves"]


class DampingConfig(StrictConfig):
    """How much of an anomaly a damped forecast starts from.

    Attributes:
        kind: What has a coefficient of its own: each ``variable``, each ``cell`` of it, or each of its ``waves``, by
            zonal wavenumber and latitude around the globe and by wavenumber on a doubly periodic box.
        factor: What the fitted coefficients are multiplied by. Slow parts of the flow, such as zonal means, need more
            damping than the correlation from one step to the next says.
        trainable: Whether the moduli are trained with the network, starting from these coefficients; they stay below 1
            as theirs do.
    """

    kind: Kind = "variable"
    factor: float = Field(default=1.0, gt=0, le=1)
    trainable: bool = False


@dataclass(frozen=True)
class Damping:
    """The damped skip ρ: an anomaly a is expected to become ρa after one time step.

    Attributes:
        variables: Names of the variables.
        kind: What has a coefficient of its own.
        coefficients: ρ: [channel, 1, 1] by variable, [channel, y, x] by cell; by wave [channel, y, zonal wavenumber],
            complex where waves move, or [channel, 1, ring] on a box, ring k holding the waves k − ½ ≤ |k| < k + ½.
        error_std: Root mean square of a(t + Δt) − ρ a(t) over the training data.
    """

    variables: tuple[str, ...]
    kind: Kind
    coefficients: Tensor
    error_std: tuple[float, ...]
    _on_device: dict[torch.device, Tensor] = field(default_factory=dict, compare=False, repr=False)

    def damped(
        self,
        names: list[str],
        anomaly: Float[Tensor, "batch time channel y x"],
        leads: int,
        grid: Grid,
        shift: Float[Tensor, " coefficient"] | None = None,
    ) -> Float[Tensor, "batch lead channel y x"]:
        """Return ρ^n a for n = 1 … leads.

        Args:
            names: Variables of the anomaly, in order.
            anomaly: a at one time.
            leads: How many steps.
            grid: Where it is.
            shift: What was trained: by how much ln(|ρ| / (0.99 − |ρ|)) of each coefficient, in the order in memory,
                differs from that of the fit; None: nothing.
        """
        return self._left(names, anomaly, range(1, leads + 1), grid, shift)

    def after(
        self,
        names: list[str],
        anomaly: Float[Tensor, "batch time channel y x"],
        lead: int,
        grid: Grid,
    ) -> Float[Tensor, "batch time channel y x"]:
        """Return ρ^n a for the single lead n; arguments are those of `damped`."""
        return self._left(names, anomaly, [lead], grid)

    def _left(
        self,
        names: list[str],
        anomaly: Float[Tensor, "batch time channel y x"],
        leads: Sequence[int],
        grid: Grid,
        shift: Float[Tensor, " coefficient"] | None = None,
    ) -> Float[Tensor, "batch lead channel y x"]:
        channels = [self.variables.index(name) for name in names]
        rho = self._at(anomaly.device)
        rho = (rho if shift is None else _shifted(rho, shift))[channels]
        powers = torch.stack([rho**lead for lead in leads])
        if self.kind != "waves":
            return anomaly * powers.to(anomaly)
        shape = anomaly.shape[-2:]
        if isinstance(grid, PeriodicGrid):
            rings = _rings(grid).to(anomaly.device)
            waves = torch.fft.rfft2(anomaly) * powers[..., 0, :][..., rings].real.to(anomaly.dtype)
            return torch.fft.irfft2(waves, s=shape)
        waves = torch.fft.rfft(anomaly)
        return torch.fft.irfft(waves * powers.to(waves.dtype), n=shape[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return all but the coefficients as plain values for JSON."""
        return {
            "variables": list(self.variables),
            "kind": self.kind,
            "error_std": list(self.error_std),
        }

    @property
    def stored(self) -> Float[Tensor, "channel y k part"]:
        """The coefficients as real numbers, real and imaginary part last: what is stored of it besides `to_dict`."""
        return torch.view_as_real(self.coefficients.to(torch.complex128)).contiguous()

    @classmethod
    def from_dict(cls, values: dict[str, Any], stored: Tensor) -> "Damping":
        """Read back what `to_dict` and `stored` gave."""
        complex_values = torch.view_as_complex(stored.contiguous())
        kind: Kind = values["kind"]
        coefficients = complex_values if kind == "waves" else complex_values.real.contiguous()
        return cls(tuple(values["variables"]), kind, coefficients, tuple(values["error_std"]))

    def _at(self, device: torch.device) -> Tensor:
        if device not in self._on_device:
            self._on_device[device] = self.coefficients.to(device)
        return self._on_device[device]


def _shifted(rho: Tensor, shift: Float[Tensor, " coefficient"]) -> Tensor:
    """Return coefficients [channel, y, k], real or complex, with other moduli below `LARGEST` and the same phases."""
    modulus = rho.abs()
    inside = (modulus / LARGEST).clamp(NEARLY_NONE, 1 - NEARLY_NONE)
    trained = LARGEST * torch.sigmoid(torch.logit(inside) + shift.reshape(rho.shape))
    return trained * torch.where(modulus > 0, rho / modulus.clamp(min=1e-300), 1.0)


def fit_damping(
    anomalies: Iterator[Iterator[Float32[np.ndarray, "time channel y x"]]],
    variables: Variables,
    grid: Grid,
    config: DampingConfig,
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Damping:
    """Fit the damping of anomalies by least squares, in one pass and in float64.

        ρ_i = f Σ_t a_i(t + Δt) ā_i(t) / Σ_t |a_i(t)|²,      σ² = Σ_i w_i ⟨|a_i(t + Δt) − ρ_i a_i(t)|²⟩

    with i the cells or the waves of a map, over which both sums are taken too where a variable has one coefficient, f
    the factor and w area weights. Real coefficients lie in 0 … 0.99, complex ones have a modulus up to 0.99. Cells are
    drawn towards the coefficient of the whole map, which counts as `PRIOR_PAIRS` pairs.

    Args:
        anomalies: Stretches of consecutive times, each in blocks.
        variables: What the channels are.
        grid: Where they are.
        config: What has a coefficient of its own, and the factor.
        valid_mask: True where a channel is defined; other cells do not count.

    Raises:
        UserError: if there are fewer than `FEWEST_PAIRS` pairs of successive times, or waves are asked for on a map
            with undefined cells or with borders.
    """
    if config.kind == "waves":
        _require_waves(grid, valid_mask)
    sums = _Sums.empty(len(variables), grid, config.kind)
    for stretch in anomalies:
        before: np.ndarray | None = None
        for block in stretch:
            fields = block if before is None else np.concatenate([before, block])
            before = fields[-1:]
            if valid_mask is not None:
                fields = np.where(valid_mask, fields, 0.0)
            sums.add(fields)
    if sums.pairs < FEWEST_PAIRS:
        raise UserError(
            f"model.prediction=damped: the damping needs at least {FEWEST_PAIRS} pairs of successive training states; "
            f"found {sums.pairs}. Prepare more training data, or take model.prediction=tendency."
        )
    rho = sums.coefficients(config)
    return Damping(
        tuple(variables.names),
        config.kind,
        torch.from_numpy(rho),
        tuple(np.sqrt(sums.error_squares(rho, valid_mask)).tolist()),
    )


def no_damping(variables: Variables) -> Damping:
    """Return the damping that keeps anomalies as they are, with errors of size 1: for models that see no data."""
    ones = torch.ones(len(variables), 1, 1, dtype=torch.float64)
    return Damping(tuple(variables.names), "variable", ones, (1.0,) * len(variables))


def without_waves(grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None) -> str:
    """Return why fields cannot be damped by wave: undefined cells, or a map with borders; empty where they can be.

    Args:
        grid: Where the fields are.
        valid_mask: True where each is defined; None where all are everywhere.
    """
    if valid_mask is not None and not valid_mask.all():
        return "undefined cells"
    around = isinstance(grid, PeriodicGrid) or (
        isinstance(grid, LatLonGrid) and grid.is_global_in_longitude
    )
    return "" if around else f"the grid {grid}"


def _require_waves(grid: Grid, valid_mask: Bool[np.ndarray, "channel y x"] | None) -> None:
    found = without_waves(grid, valid_mask)
    if found:
        raise UserError(
            "model.damping.kind=waves: waves need fields that are defined everywhere, around the globe or on a doubly "
            f"periodic box; found {found}. Take kind: cell."
        )


@dataclass
class _Sums:
    """Sums over pairs of successive times of a(t)², a(t + Δt)² and a(t + Δt) ā(t), in each cell or wave."""

    kind: Kind
    grid: Grid
    before: Float64[np.ndarray, "channel y k"]
    after: Float64[np.ndarray, "channel y k"]
    cross: Complex128[np.ndarray, "channel y k"]
    pairs: int = 0

    @classmethod
    def empty(cls, channels: int, grid: Grid, kind: Kind) -> "_Sums":
        ny, nx = grid.shape
        shape = (channels, ny, nx // 2 + 1 if kind == "waves" else nx)
        return cls(kind, grid, np.zeros(shape), np.zeros(shape), np.zeros(shape, complex))

    def add(self, fields: Float[np.ndarray, "time channel y x"]) -> None:
        """Add the pairs of a block of consecutive times."""
        values: np.ndarray = fields.astype(np.float64)
        if self.kind == "waves" and isinstance(self.grid, PeriodicGrid):
            values = np.fft.rfft2(values)
        elif self.kind == "waves":
            values = np.fft.rfft(values)
        self.before += np.sum(np.abs(values[:-1]) ** 2, axis=0)
        self.after += np.sum(np.abs(values[1:]) ** 2, axis=0)
        self.cross += np.sum(values[1:] * values[:-1].conj(), axis=0)
        self.pairs += len(values) - 1

    def coefficients(self, config: DampingConfig) -> np.ndarray:
        """Return f ρ."""
        weights = self._weights()
        if self.kind == "waves":
            return config.factor * self._of_waves()
        whole = _quotient(
            (weights * self.cross.real).sum((1, 2), keepdims=True),
            (weights * self.before).sum((1, 2), keepdims=True),
        )
        if self.kind == "cell":
            own = np.where(self.before > 0, _quotient(self.cross.real, self.before), whole)
            whole = (self.pairs * own + PRIOR_PAIRS * whole) / (self.pairs + PRIOR_PAIRS)
        return config.factor * np.clip(whole, 0.0, LARGEST)

    def error_squares(
        self, rho: np.ndarray, valid_mask: Bool[np.ndarray, "channel y x"] | None
    ) -> Float64[np.ndarray, " channel"]:
        """Return the mean square of a(t + Δt) − ρ a(t) over pairs and cells, by area."""
        if self.kind == "waves" and isinstance(self.grid, PeriodicGrid):
            rho = rho[:, 0][:, _rings(self.grid).numpy()]
        squares = self.after - 2 * (rho.conj() * self.cross).real + np.abs(rho) ** 2 * self.before
        weights = self._weights()
        total = (weights * squares).sum((1, 2)) / self.pairs
        if valid_mask is None:
            return total / np.prod(self.grid.shape)
        return total / (self.grid.cell_area_weights * valid_mask).sum((1, 2))

    def _weights(self) -> Float64[np.ndarray, "y k"]:
        """Return the weight of each square in a sum over cells, by Parseval's theorem for waves."""
        ny, nx = self.grid.shape
        if self.kind != "waves":
            return self.grid.cell_area_weights
        twice = np.full(nx // 2 + 1, 2.0)
        twice[0] = 1.0
        if nx % 2 == 0:
            twice[-1] = 1.0
        if isinstance(self.grid, PeriodicGrid):
            return np.tile(twice / (nx * ny), (ny, 1))
        return self.grid.cell_area_weights[:, :1] * twice / nx

    def _of_waves(self) -> np.ndarray:
        if isinstance(self.grid, PeriodicGrid):
            rings, weights = _rings(self.grid).numpy(), self._weights()
            count = int(rings.max()) + 1
            cross, before = (
                np.stack(
                    [np.bincount(rings.ravel(), (weights * one).ravel(), count) for one in all_]
                )
                for all_ in (self.cross.real, self.before)
            )
            rho = np.clip(_quotient(cross, before), 0.0, LARGEST)[:, None]
            return rho.astype(np.complex128)
        rho = _quotient(self.cross, self.before)
        return rho * np.minimum(1.0, LARGEST / np.maximum(np.abs(rho), LARGEST))


def _quotient(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    there = denominator > 0
    return np.where(there, numerator / np.where(there, denominator, 1.0), 0.0)


def _rings(grid: Grid) -> Tensor:
    """Return the nearest whole wavenumber of each wave of the rfft2 layout, in waves over the shorter side."""
    ny, nx = grid.shape
    shorter = min(ny, nx)
    rows = torch.fft.fftfreq(ny, d=1 / shorter)[:, None]
    return torch.hypot(rows, torch.fft.rfftfreq(nx, d=1 / shorter)[None, :]).round().long()
