"""Several forecasts of the same things: what they have in common, and every reason why they cannot be compared."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration, same_duration
from triton_earth.core.variables import Variables
from triton_earth.evaluation.alignment import (
    Ensembles,
    Forecasts,
    Guarded,
    PartlyIssued,
    describe_numbers,
    lead_numbers,
)
from triton_earth.rollout.ensemble import mean_over_members

Season = Literal["DJF", "MAM", "JJA", "SON"]
"""Three months by their initials."""

_MONTHS: dict[str, tuple[int, ...]] = {
    "DJF": (12, 1, 2),
    "MAM": (3, 4, 5),
    "JJA": (6, 7, 8),
    "SON": (9, 10, 11),
}


class Selected:
    """Some initial conditions, leads and variables of stored forecasts, with the interface of `Forecasts`."""

    def __init__(
        self,
        forecasts: Forecasts,
        inits: Int[np.ndarray, " init"],
        leads: Int[np.ndarray, " lead"],
        variables: Variables,
    ) -> None:
        """Choose the given rows, some leads (indices into the lead times) and some variables."""
        self.chosen_from: Forecasts = forecasts
        self._forecasts, self._inits, self._leads = forecasts, inits, leads
        self._channels = forecasts.variables.indices(variables.names)
        self.variables = variables
        self.grid, self.time_step = forecasts.grid, forecasts.time_step
        self.lead_times = np.asarray(forecasts.lead_times)[leads]
        self.init_times = np.asarray(forecasts.init_times)[inits]
        self.trajectories = np.asarray(forecasts.trajectories)[inits]
        self.chunk_inits = forecasts.chunk_inits
        self.provenance: dict[str, Any] = forecasts.provenance
        self.members = forecasts.members if isinstance(forecasts, Ensembles) else 1
        self.issued = np.ones((len(inits), len(leads)), dtype=bool)
        if isinstance(forecasts, PartlyIssued):
            self.issued = forecasts.issued[np.ix_(inits, leads)]

    @property
    def first_trip(self) -> tuple[int, int] | None:
        """Initial condition and step of the forecast that left first; None where it is not among those chosen."""
        found = self._forecasts.first_trip if isinstance(self._forecasts, Guarded) else None
        rows = np.flatnonzero(self._inits == found[0]) if found else np.empty(0, np.int64)
        return (int(rows[0]), found[1]) if found and rows.size else None

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Read one lead of several forecasts, of ensembles their means."""
        return mean_over_members(self.read_members(inits, lead))

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Read one lead of all members of several ensembles, each stretch of neighbours at once."""
        rows = self._inits[inits]
        stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        fields = [
            read_members(
                self._forecasts, slice(int(some[0]), int(some[-1]) + 1), int(self._leads[lead])
            )
            for some in stretches
            if some.size
        ]
        return np.concatenate(fields)[:, :, self._channels]


def match(forecasts: Sequence[Forecasts], names: Sequence[str]) -> list[Selected]:
    """Return the part of each forecast that all of them have: initial conditions, leads, variables.

    Args:
        forecasts: Two forecasts or more.
        names: What to call them in messages.

    Returns:
        Their common part, in the order of the first; leads are the same when their lead times are.

    Raises:
        UserError: if grids, time steps or units differ, or they have no initial condition, variable or lead time in
            common.
    """
    first = forecasts[0]
    for other, name in zip(forecasts[1:], names[1:], strict=True):
        _require_like(first, names[0], other, name)
    keys = [_keys(forecast) for forecast in forecasts]
    common = [key for key in keys[0] if all(key in rest for rest in keys[1:])]
    if not common:
        raise UserError(
            f"the forecasts {', '.join(names)} have no initial condition in common. "
            "Forecast all of them from the same --split and --init."
        )
    shared = [
        name
        for name in first.variables.names
        if all(name in other.variables for other in forecasts[1:])
    ]
    if not shared:
        raise UserError(f"the forecasts {', '.join(names)} have no variable in common.")
    steps = [lead_numbers(forecast) for forecast in forecasts]
    both = [step for step in steps[0].tolist() if all(step in rest for rest in steps[1:])]
    if not both:
        stored = "; ".join(
            f"{name} has {describe_numbers(own)}" for name, own in zip(names, steps, strict=True)
        )
        raise UserError(
            f"the forecasts {', '.join(names)} have no lead time in common: {stored} (in steps of "
            f"{describe_duration(first.time_step)}). Forecast all of them with the same --leads."
        )
    return [
        Selected(
            forecast,
            np.array([rows[key] for key in common]),
            np.flatnonzero(np.isin(own, both)),
            first.variables.select(shared),
        )
        for forecast, rows, own in zip(forecasts, keys, steps, strict=True)
    ]


def in_season(forecasts: Sequence[Forecasts], season: Season) -> list[Selected]:
    """Return the forecasts that start in a season.

    Args:
        forecasts: Forecasts of the same initial conditions.
        season: Which one.

    Raises:
        UserError: if their times have no calendar, or none of them starts in it.
    """
    times = np.asarray(forecasts[0].init_times)
    if times.dtype.kind != "M":
        raise UserError(
            "--season: the forecasts' times are numbers without a calendar. Leave it out."
        )
    months = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    rows = np.flatnonzero(np.isin(months, _MONTHS[season]))
    if not rows.size:
        raise UserError(
            f"--season {season}: no forecast starts in months {_MONTHS[season]}; they start in months "
            f"{sorted(set(months.tolist()))}. Choose another season."
        )
    return [Selected(one, rows, np.arange(len(one.lead_times)), one.variables) for one in forecasts]


def describe_match(forecasts: Sequence[Forecasts], names: Sequence[str], matched: Forecasts) -> str:
    """Return in a sentence which leads and how many initial conditions are compared, and what each forecast has."""
    stored = ", ".join(
        f"{name} has {len(forecast.lead_times)} leads and {len(forecast.init_times)} initial conditions"
        for name, forecast in zip(names, forecasts, strict=True)
    )
    return (
        f"Compared at steps {describe_numbers(lead_numbers(matched))} of {len(matched.init_times)} initial conditions, "
        f"which all have: {stored}."
    )


def _require_like(first: Forecasts, its_name: str, other: Forecasts, name: str) -> None:
    if first.grid != other.grid:
        raise UserError(
            f"{its_name} is on the grid '{first.grid}' but {name} on '{other.grid}'. "
            "Compare forecasts on the same grid."
        )
    if not same_duration(first.time_step, other.time_step):
        raise UserError(
            f"{its_name} has steps of {describe_duration(first.time_step)} but {name} of "
            f"{describe_duration(other.time_step)}. Compare forecasts with the same step."
        )
    for variable in first.variables:
        if variable.name not in other.variables:
            continue
        (theirs,) = other.variables.select([variable.name])
        if theirs.units != variable.units:
            raise UserError(
                f"'{variable.name}' is in '{variable.units}' in {its_name} but in '{theirs.units}' in {name}. "
                "Compare forecasts with the same units."
            )


def _keys(forecast: Forecasts) -> dict[tuple[int, Any], int]:
    """Return the row of each (trajectory, initial time)."""
    times = np.asarray(forecast.init_times)
    plain = times.astype(np.int64) if times.dtype.kind == "M" else np.round(times, 9)
    pairs = zip(np.asarray(forecast.trajectories).tolist(), plain.tolist(), strict=True)
    return {pair: row for row, pair in enumerate(pairs)}


def read_members(
    forecast: Forecasts, inits: slice, lead: int
) -> Float32[np.ndarray, "init member channel y x"]:
    """Read one lead of all members of some initial conditions; a single forecast is a member too."""
    if isinstance(forecast, Ensembles):
        return forecast.read_members(inits, lead)
    return forecast.read(inits, lead)[:, None]
