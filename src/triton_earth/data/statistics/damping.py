"""Damping: what is left of an anomaly after a time step, by variable, by cell, by wave or by pattern."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid, PeriodicGrid
from triton_earth.core.variables import Variables
from triton_earth.data.statistics.patterns import Patterns

MODES = 20
"""Patterns where no number is given."""
LARGEST = 0.99
"""Largest modulus of ρ: below 1, so that what a step adds stays bounded for ever."""
NEARLY_NONE = 1e-3
"""Part of the largest modulus that trained moduli start from where the fit gives less; as near to it they start."""

Kind = Literal["variable", "cell", "waves", "patterns"]


class DampingConfig(StrictConfig):
    """How much of an anomaly a damped forecast starts from.

    Attributes:
        kind: What has a coefficient of its own: each ``variable``, each ``cell`` of it, or each of its ``waves``, by
            zonal wavenumber and latitude around the globe and by wavenumber on a doubly periodic box. With ``patterns``
            the leading patterns of all variables become what a matrix makes of them, as in a linear inverse model, so
            that they may oscillate and follow each other; what they leave is damped by cell.
        factor: What the fitted coefficients are multiplied by. Slow parts of the flow, such as zonal means, need more
            damping than the correlation from one step to the next says.
        trainable: Whether the moduli are trained with the network, starting from these coefficients; they stay below 1
            as theirs do.
        modes: Number of patterns.
    """

    kind: Kind = "variable"
    factor: float = Field(default=1.0, gt=0, le=1)
    trainable: bool = False
    modes: int = Field(default=MODES, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> "DampingConfig":
        if self.kind != "patterns" and self.modes != MODES:
            raise UserError(
                f"damping.modes is for kind: patterns; found kind: {self.kind}. Leave it out, or change that."
            )
        if self.kind == "patterns" and self.trainable:
            raise UserError(
                "damping.trainable=true is for the kinds variable, cell and waves, which have moduli; found patterns, "
                "which have a matrix. Leave it out, or change the kind."
            )
        return self


@dataclass(frozen=True)
class Damping:
    """The damped skip ρ: an anomaly a is expected to become ρa after one time step.

    Attributes:
        variables: Names of the variables.
        kind: What has a coefficient of its own.
        coefficients: ρ: [channel, 1, 1] by variable, [channel, y, x] by cell; by wave [channel, y, zonal wavenumber],
            complex where waves move, or [channel, 1, ring] on a box, ring k holding the waves k − ½ ≤ |k| < k + ½;
            with patterns, of what they leave, by cell.
        error_std: Root mean square of a(t + Δt) − ρ a(t) over the training data.
        patterns: Patterns of the variables, in order, and the matrix that advances them; None for the other kinds.
    """

    variables: tuple[str, ...]
    kind: Kind
    coefficients: Tensor
    error_std: tuple[float, ...]
    patterns: Patterns | None = None
    _on_device: dict[torch.device, Tensor] = field(default_factory=dict, compare=False, repr=False)
    _patterns_on_device: dict[torch.device, Tensor] = field(
        default_factory=dict, compare=False, repr=False
    )

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
        if self.patterns is not None:
            return self._with_patterns(self.patterns, anomaly, leads, channels, powers)
        if self.kind != "waves":
            return anomaly * powers.to(anomaly)
        shape = anomaly.shape[-2:]
        if isinstance(grid, PeriodicGrid):
            rings = wave_rings(grid).to(anomaly.device)
            waves = torch.fft.rfft2(anomaly) * powers[..., 0, :][..., rings].real.to(anomaly.dtype)
            return torch.fft.irfft2(waves, s=shape)
        waves = torch.fft.rfft(anomaly)
        return torch.fft.irfft(waves * powers.to(waves.dtype), n=shape[-1])

    def _with_patterns(
        self,
        patterns: Patterns,
        anomaly: Float[Tensor, "batch 1 channel y x"],
        leads: Sequence[int],
        channels: list[int],
        powers: Float[Tensor, "lead channel y x"],
    ) -> Float[Tensor, "batch lead channel y x"]:
        """Return S E Gⁿ a + ρⁿ (x − S E a), a the amplitudes of the patterns in x."""
        if anomaly.device not in self._patterns_on_device:
            self._patterns_on_device[anomaly.device] = torch.from_numpy(
                np.stack([patterns.shapes, patterns.weights])
            ).to(anomaly.device)
        shapes, weights = self._patterns_on_device[anomaly.device][:, :, channels].to(anomaly)
        known = torch.where((weights != 0).any(dim=0), anomaly, 0.0)
        amplitudes = torch.einsum("btcyx,mcyx->btm", known, weights)
        rest = anomaly - torch.einsum("btm,mcyx->btcyx", amplitudes, shapes)
        advance = np.stack([np.linalg.matrix_power(patterns.propagator, lead) for lead in leads])
        later = torch.einsum("btm,lnm->bln", amplitudes, torch.from_numpy(advance).to(anomaly))
        return torch.einsum("bln,ncyx->blcyx", later, shapes) + rest * powers.to(anomaly)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the `tensors` as plain values for JSON."""
        return {
            "variables": list(self.variables),
            "kind": self.kind,
            "error_std": list(self.error_std),
        }

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What is stored of it besides `to_dict`, by name; coefficients as real numbers, the imaginary part last."""
        coefficients = torch.view_as_real(self.coefficients.to(torch.complex128)).contiguous()
        if self.patterns is None:
            return {"damping": coefficients}
        return {
            "damping": coefficients,
            "damping_shapes": torch.from_numpy(self.patterns.shapes),
            "damping_weights": torch.from_numpy(self.patterns.weights),
            "damping_propagator": torch.from_numpy(self.patterns.propagator),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], tensors: dict[str, Tensor]) -> "Damping":
        """Read back what `to_dict` and `tensors` gave, and take these out of `tensors`."""
        complex_values = torch.view_as_complex(tensors.pop("damping").contiguous())
        kind: Kind = values["kind"]
        coefficients = complex_values if kind == "waves" else complex_values.real.contiguous()
        patterns = None
        if kind == "patterns":
            parts = ("damping_shapes", "damping_weights", "damping_propagator")
            patterns = Patterns(*(tensors.pop(part).numpy() for part in parts))
        error_std = tuple(values["error_std"])
        return cls(tuple(values["variables"]), kind, coefficients, error_std, patterns)

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


def wave_rings(grid: Grid) -> Tensor:
    """Return the nearest whole wavenumber of each wave of the rfft2 layout, in waves over the shorter side."""
    ny, nx = grid.shape
    shorter = min(ny, nx)
    rows = torch.fft.fftfreq(ny, d=1 / shorter)[:, None]
    return torch.hypot(rows, torch.fft.rfftfreq(nx, d=1 / shorter)[None, :]).round().long()
