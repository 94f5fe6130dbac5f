"""What passes through memory while forecasts are judged, and who keeps something of it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int

from triton_earth.evaluation.alignment import Ensembles, Forecasts


@dataclass(frozen=True)
class Passing:
    """All fields of some initial conditions at one lead. Of each initial condition leads pass in ascending order.

    Attributes:
        rows: Which initial conditions.
        lead: Position of the lead among those that are scored.
        initial: Truth at the initial times.
        members: Members of each model, one of a single forecast.
        fields: Each model (of ensembles the mean), then each reference.
        truth: The truth.
        climatology: What anomalies are departures from, or None where there is none.
    """

    rows: Int[np.ndarray, " batch"]
    lead: int
    initial: Float32[np.ndarray, "batch channel y x"]
    members: list[Float32[np.ndarray, "batch _ channel y x"]]
    fields: list[Float[np.ndarray, "batch channel y x"]]
    truth: Float32[np.ndarray, "batch channel y x"]
    climatology: Float32[np.ndarray, "batch channel y x"] | None = None


@runtime_checkable
class Recorder(Protocol):
    """Keeps what some scores are made of, while fields pass."""

    def put(self, passing: Passing) -> None:
        """Keep what is needed of some initial conditions at one lead."""
        ...


def read_members(
    forecast: Forecasts, inits: slice, lead: int
) -> Float32[np.ndarray, "init member channel y x"]:
    """Read one lead of all members of some initial conditions; a single forecast is a member too."""
    if isinstance(forecast, Ensembles):
        return forecast.read_members(inits, lead)
    return forecast.read(inits, lead)[:, None]
