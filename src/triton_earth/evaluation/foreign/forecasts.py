"""Forecasts made elsewhere, with the interface of `Forecasts`."""

from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float32

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.time import Duration
from triton_earth.core.variables import Variables
from triton_earth.evaluation.foreign.fields import Fields, parse_rename, require_renamed
from triton_earth.evaluation.foreign.layouts import INIT, LEAD, MEMBER, Laid, lay_out
from triton_earth.rollout.ensemble import mean_over_members
from triton_earth.rollout.storage.forecast_store import fields_in_chunk


class XarrayForecasts:
    """Forecasts of one or several datasets, read when they are needed.

    Several datasets are parts of one forecast, with different initial times; a lead that only some of them have is
    there for these alone (`issued`).

    Attributes:
        variables: What is forecast.
        grid: Where the cells are.
        time_step: Largest time of which all leads are multiples.
        lead_times: Elapsed time of each lead; lead 0, the initial state, is left out.
        init_times: Start of each forecast, [init].
        trajectories: Trajectory of each forecast, [init]; 0 where the layout knows none.
        issued: Whether there is a forecast of an initial time at a lead, [init, lead].
        members: Members of each ensemble; 1 where forecasts are single.
        chunk_inits: Number of forecasts that are read together.
        provenance: Name and origin.
        remarks: What a reader must know about how they were read, in sentences.
        guard: None: nothing watched them.
        stabilizer_change: None: nothing corrected them.
    """

    guard: None = None
    stabilizer_change: None = None

    def __init__(
        self,
        parts: Sequence[tuple[str, xr.Dataset]],
        name: str,
        *,
        rename: Mapping[str, str],
        wanted: Variables | None,
    ) -> None:
        """Take the datasets, each with its name for messages; see `forecasts_from_xarray`."""
        laid = [lay_out(dataset, source) for source, dataset in parts]
        dropped = any((one.lead_times == np.zeros((), one.lead_times.dtype)).any() for one in laid)
        self._parts = [one.without_lead_zero() for one in laid]
        self._fields = [
            Fields(_template(one), one.source, INIT, rename=rename, wanted=wanted)
            for one in self._parts
        ]
        first, fields = self._parts[0], self._fields[0]
        for other, others in zip(self._parts[1:], self._fields[1:], strict=True):
            _require_alike(first, fields, other, others)
        self.variables: Variables = fields.variables
        self.grid: Grid = fields.grid
        self.members: int = first.members
        self.lead_times: np.ndarray = np.unique(
            np.concatenate([one.lead_times for one in self._parts])
        )
        self.init_times: np.ndarray = np.concatenate([one.init_times for one in self._parts])
        self.trajectories: np.ndarray = np.concatenate([one.trajectories for one in self._parts])
        self.issued: Bool[np.ndarray, "init lead"] = np.concatenate(
            [
                np.tile(np.isin(self.lead_times, one.lead_times), (len(one.init_times), 1))
                for one in self._parts
            ]
        )
        self._row = [
            (number, row)
            for number, one in enumerate(self._parts)
            for row in range(len(one.init_times))
        ]
        keys = list(zip(self.trajectories.tolist(), self.init_times.tolist(), strict=True))
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            time = self.init_times[keys.index(twice)]
            raise UserError(
                f"{first.source}: the initial time {time} is in more than one of the files. Leave one of them out."
            )
        self.time_step: Duration = _common_step(self.lead_times)
        together = fields_in_chunk(self.grid) // self.members
        self.chunk_inits = max(1, min(len(self.init_times), together))
        self.provenance: dict[str, Any] = {
            "model": name,
            "source": first.source,
            "made_by": "others",
        }
        said = dict.fromkeys(text for one in self._parts for text in one.remarks)
        self.remarks: list[str] = [
            *said,
            *dict.fromkeys(t for one in self._fields for t in one.remarks),
        ]
        if dropped:
            self.remarks.append(f"Lead 0 of {name}, the initial state, is not scored.")
        fields.require_plausible(self._read(0, slice(0, 1), 0, 0)[0])

    def read(self, inits: slice, lead: int) -> Float32[np.ndarray, "init channel y x"]:
        """Read one lead (an index into `lead_times`) of several forecasts or, of ensembles, their means."""
        return mean_over_members(self.read_members(inits, lead))

    def read_members(
        self, inits: slice, lead: int
    ) -> Float32[np.ndarray, "init member channel y x"]:
        """Read one lead of all members of some initial conditions; NaN where none was issued."""
        rows = range(*inits.indices(len(self.init_times)))
        shape = (len(rows), self.members, len(self.variables), *self.grid.shape)
        found = np.full(shape, np.nan, np.float32)
        start = 0
        while start < len(rows):
            number, row = self._row[rows[start]]
            stop = start + 1
            while stop < len(rows) and self._row[rows[stop]] == (number, row + stop - start):
                stop += 1
            if self.issued[rows[start], lead]:
                own = int(np.searchsorted(self._parts[number].lead_times, self.lead_times[lead]))
                for member in range(self.members):
                    where = slice(row, row + stop - start)
                    found[start:stop, member] = self._read(number, where, own, member)
            start = stop
        return found

    def _read(
        self, number: int, rows: slice, lead: int, member: int
    ) -> Float32[np.ndarray, "init channel y x"]:
        view = self._parts[number].dataset.isel({LEAD: lead})
        if MEMBER in view.dims:
            view = view.isel({MEMBER: member})
        return self._fields[number].read(view, rows)


def forecasts_from_xarray(
    dataset: xr.Dataset | Sequence[xr.Dataset],
    name: str = "forecast",
    *,
    rename: Mapping[str, str] | Iterable[str] | None = None,
    variables: Variables | None = None,
) -> XarrayForecasts:
    """Make forecasts of a dataset that another program made; nothing is read before it is needed.

    Dimensions, variables, units, the order of latitudes and the start of longitudes are found as docs/judging.md
    describes. Lead 0 is left out.

    Args:
        dataset: The forecasts; several datasets are parts of one forecast with different initial times.
        name: What reports call it.
        rename: What variables are whose names are not known: their name to the canonical one, or texts
            ``THEIRS=OURS``.
        variables: Variables that are looked for, and their units; None: all, in canonical units.

    Returns:
        The forecasts, as `evaluate` takes them.

    Raises:
        UserError: if no layout is recognised, no variable can be judged, or units, grid or times make no sense; the
            message names what was found and what is looked for.

    Example:
        import xarray as xr

        theirs = xr.open_zarr("forecast.zarr")  # any layout of docs/judging.md
        forecasts = triton_earth.forecasts_from_xarray(theirs, "theirs")
        forecasts.variables.names, forecasts.lead_times
    """
    datasets = [dataset] if isinstance(dataset, xr.Dataset) else list(dataset)
    parts = [
        (name if len(datasets) == 1 else f"{name}, part {number}", one)
        for number, one in enumerate(datasets, 1)
    ]
    mapping = parse_rename(rename)
    require_renamed(mapping, datasets)
    return XarrayForecasts(parts, name, rename=mapping, wanted=variables)


def _template(laid: Laid) -> xr.Dataset:
    """Return the fields of the first lead and member."""
    template = laid.dataset.isel({LEAD: 0})
    return template.isel({MEMBER: 0}) if MEMBER in template.dims else template


def _require_alike(first: Laid, fields: Fields, other: Laid, others: Fields) -> None:
    differences = {
        "variables": (fields.variables.names, others.variables.names),
        "units": (
            [one.units for one in fields.variables],
            [one.units for one in others.variables],
        ),
        "grid": (str(fields.grid), str(others.grid)),
        "number of members": (first.members, other.members),
        "kind of times": (first.init_times.dtype.kind, other.init_times.dtype.kind),
    }
    for what, (ours, theirs) in differences.items():
        if ours != theirs:
            raise UserError(
                f"{other.source}: its {what} is {theirs}, but that of {first.source} is {ours}; both are given as "
                "parts of one forecast. Give them as two forecasts."
            )


def _common_step(lead_times: np.ndarray) -> Duration:
    """Return the largest time of which all leads are multiples."""
    if lead_times.dtype.kind == "m":
        return np.timedelta64(gcd(*lead_times.astype(np.int64).tolist()), "ns")
    steps = np.diff(np.concatenate([[0.0], lead_times]))
    step = float(steps.min())
    while True:
        multiples = lead_times / step
        if np.abs(multiples - np.rint(multiples)).max() < 1e-6:
            break
        remainder = np.abs(lead_times - np.rint(multiples) * step)
        step = float(remainder[remainder > 1e-6 * step].min())
    # The longest lead has the least rounding in it.
    return float(lead_times[-1] / np.rint(lead_times[-1] / step))
