"""The fit of a damping to the anomalies of a training split."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float, Float64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, PeriodicGrid
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.damping import (
    LARGEST,
    Damping,
    DampingConfig,
    Kind,
    wave_rings,
    without_waves,
)
from triton_earth.data.statistics.patterns import (
    Patterns,
    Stretches,
    every_so_many,
    fit_patterns,
)

FEWEST_PAIRS = 30
"""Fewest pairs of successive states that ρ is fitted to."""
PRIOR_PAIRS = 8
"""Pairs that the coefficient of the whole map counts as in that of a cell."""


def fit_damping(
    anomalies: Callable[[], Stretches],
    variables: Variables,
    grid: Grid,
    config: DampingConfig,
    valid_mask: Bool[np.ndarray, "channel y x"] | None = None,
) -> Damping:
    """Fit the damping of anomalies by least squares, in float64, in one pass; in five where it has patterns.

        ρ_i = f Σ_t a_i(t + Δt) ā_i(t) / Σ_t |a_i(t)|²,      σ² = Σ_i w_i ⟨|a_i(t + Δt) − ρ_i a_i(t)|²⟩

    with i the cells or the waves of a map, over which both sums are taken too where a variable has one coefficient, f
    the factor and w area weights. Real coefficients lie in 0 … 0.99, complex ones have a modulus up to 0.99. Cells are
    drawn towards the coefficient of the whole map, which counts as `PRIOR_PAIRS` pairs. With patterns, a is what they
    leave of an anomaly, and the matrix that advances them (`fit_patterns`) is multiplied by f too.

    Args:
        anomalies: Gives stretches of consecutive times, each in blocks, from the first on at each call.
        variables: What the channels are.
        grid: Where they are.
        config: What has a coefficient of its own, and the factor.
        valid_mask: True where a channel is defined; other cells do not count.

    Raises:
        UserError: if there are fewer than `FEWEST_PAIRS` pairs of successive times, no more states than patterns, or
            waves are asked for on a map with undefined cells or with borders.
    """
    if config.kind == "waves":
        _require_waves(grid, valid_mask)
    patterns = None
    if config.kind == "patterns":
        patterns = _patterns(anomalies, grid, config, valid_mask, len(variables))
    sums = _Sums.empty(len(variables), grid, config.kind)
    for fields in _with_the_last(anomalies(), valid_mask):
        sums.add(
            fields if patterns is None else fields - patterns.fields(patterns.amplitudes(fields))
        )
    if sums.pairs < FEWEST_PAIRS:
        raise UserError(
            f"model.prediction=damped: the damping needs at least {FEWEST_PAIRS} pairs of successive training states; "
            f"found {sums.pairs}. Prepare more training data, or take model.prediction=tendency."
        )
    rho = sums.coefficients(config)
    damping = Damping(
        tuple(variables.names),
        config.kind,
        torch.from_numpy(rho),
        tuple(np.sqrt(sums.error_squares(rho, valid_mask)).tolist()),
        patterns,
    )
    if patterns is None:
        return damping
    return replace(damping, error_std=_errors(damping, anomalies, grid, valid_mask))


def _with_the_last(
    stretches: Stretches, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> Iterator[Float[np.ndarray, "_ channel y x"]]:
    """Yield blocks with the last time of the block before them, and 0 in undefined cells."""
    for stretch in stretches:
        before: np.ndarray | None = None
        for block in stretch:
            fields = block if before is None else np.concatenate([before, block])
            before = fields[-1:]
            yield fields if valid_mask is None else np.where(valid_mask, fields, 0.0)


def _patterns(
    anomalies: Callable[[], Stretches],
    grid: Grid,
    config: DampingConfig,
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
    channels: int,
) -> Patterns:
    """Find the patterns, and the matrix that advances them, times the factor."""
    valid = np.ones((channels, *grid.shape), bool) if valid_mask is None else valid_mask
    count = sum(len(block) for stretch in anomalies() for block in stretch)
    every, first, chosen = every_so_many(count, int(valid.sum())), 0, []
    for stretch in anomalies():
        for block in stretch:
            chosen.append(block[-first % every :: every][:, valid])
            first += len(block)
    states = np.concatenate(chosen).astype(np.float32)
    try:
        patterns = fit_patterns(
            states, anomalies(), valid, grid.cell_area_weights, config.modes, LARGEST
        )
    except UserError as error:
        raise UserError(f"model.damping.kind=patterns: {error}") from error
    return replace(patterns, propagator=config.factor * patterns.propagator)


def _errors(
    damping: Damping,
    anomalies: Callable[[], Stretches],
    grid: Grid,
    valid_mask: Bool[np.ndarray, "channel y x"] | None,
) -> tuple[float, ...]:
    """Return the root mean square of a(t + Δt) − ρ a(t) over pairs and cells, by area, from forecasts."""
    weights = np.broadcast_to(grid.cell_area_weights, (len(damping.variables), *grid.shape))
    weights = weights if valid_mask is None else weights * valid_mask
    squares, pairs = np.zeros(len(damping.variables)), 0
    for fields in _with_the_last(anomalies(), valid_mask):
        start = torch.from_numpy(fields[:-1, None].astype(np.float32))
        expected = damping.after(list(damping.variables), start, 1, grid)[:, 0].numpy()
        squares += np.einsum("tcyx,cyx->c", (fields[1:] - expected) ** 2, weights)
        pairs += len(start)
    return tuple(np.sqrt(squares / pairs / weights.sum((1, 2))).tolist())


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
        if self.kind in ("cell", "patterns"):
            own = np.where(self.before > 0, _quotient(self.cross.real, self.before), whole)
            whole = (self.pairs * own + PRIOR_PAIRS * whole) / (self.pairs + PRIOR_PAIRS)
        return config.factor * np.clip(whole, 0.0, LARGEST)

    def error_squares(
        self, rho: np.ndarray, valid_mask: Bool[np.ndarray, "channel y x"] | None
    ) -> Float64[np.ndarray, " channel"]:
        """Return the mean square of a(t + Δt) − ρ a(t) over pairs and cells, by area."""
        if self.kind == "waves" and isinstance(self.grid, PeriodicGrid):
            rho = rho[:, 0][:, wave_rings(self.grid).numpy()]
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
            rings, weights = wave_rings(self.grid).numpy(), self._weights()
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
