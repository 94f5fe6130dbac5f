"""A truth made elsewhere, with the interface of a training store; a period of it may be what a climatology is of."""

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float32

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_time, uniform_step
from triton_earth.core.variables import Variables
from triton_earth.data.preparation.periods import first_moment, last_moment
from triton_earth.data.sources.times.axis import find_time
from triton_earth.data.sources.times.calendars import decode
from triton_earth.data.sources.times.steps import regular_times, require_ascending
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.foreign.fields import Fields
from triton_earth.models.climatology import TRAIN


class XarrayTruth(TrainingStore):
    """Fields of datasets along one axis of time, read when they are needed; no time has a split unless it is given.

    Attributes:
        remarks: What was assumed about the datasets, in sentences.
    """

    def __init__(
        self,
        parts: list[tuple[str, xr.Dataset]],
        name: str,
        *,
        rename: Mapping[str, str],
        wanted: Variables | None,
    ) -> None:
        """Take datasets with different times, each with its name for messages.

        Args:
            parts: Name and dataset of each.
            name: What messages call all of them.
            rename: Canonical names of variables whose name is not known, by their names; those of other files too.
            wanted: Variables that are looked for, and their units; None: all, in canonical units.

        Raises:
            UserError: if there is no time or grid, none of the variables wanted, or units or times make no sense.
        """
        found = []
        for source, dataset in parts:
            if "channel" in dataset.dims and "state" in dataset.data_vars:
                raise UserError(
                    f"{source}: a training store of this package as a dataset. Give its path instead."
                )
            time, times = _times(dataset, source)
            fields = Fields(
                dataset.drop_vars([time]),
                source,
                _dimension(dataset, time),
                rename=rename,
                wanted=wanted,
            )
            found.append((times, fields, dataset))
        found.sort(key=lambda part: part[0][0])
        for _, fields, _ in found[1:]:
            first = found[0][1]
            if fields.grid != first.grid or fields.variables != first.variables:
                raise UserError(
                    f"{fields.source}: has {fields.variables.names} on the grid '{fields.grid}', but {first.source} "
                    f"has {first.variables.names} on '{first.grid}'. Give files of one grid with the same variables."
                )
        self._parts = [(fields, dataset) for _, fields, dataset in found]
        raw = np.concatenate([times for times, _, _ in found])
        if raw.dtype.kind == "M":
            require_ascending(raw, name)
            self._indices, self.times = regular_times(raw, None, name)
        else:
            self._indices, self.times = np.arange(len(raw)), raw
        self._offsets = np.cumsum([0, *(len(times) for times, _, _ in found)])
        first_fields = found[0][1]
        self.path = Path(name)
        self.grid, self.variables = first_fields.grid, first_fields.variables
        self.time_units = "1"
        self.time_step = uniform_step(self.times)
        self.recorded = self._indices >= 0
        self.split = np.full((1, len(self.times)), "", dtype=object)
        self.remarks: list[str] = [text for fields, _ in self._parts for text in fields.remarks]
        self._cut = None
        field = self.read(0, slice(0, 1))[0]
        first_fields.require_plausible(field)
        valid = ~np.isnan(field)
        empty = [
            one
            for one, has in zip(self.variables.names, valid.any(axis=(1, 2)), strict=True)
            if not has
        ]
        if empty:
            raise UserError(
                f"{name}: {', '.join(map(repr, empty))} of the truth: no value at {describe_time(self.times[0])}. "
                "Leave out the times before the first field (xarray: ds.sel), or the variable (ds.drop_vars)."
            )
        self.valid_mask = None if valid.all() else valid
        described = json.dumps(
            [
                self.variables.to_list(),
                self.grid.to_dict(),
                [str(self.times[0]), str(self.times[-1]), len(self.times)],
                [source for source, _ in parts],
            ]
        )
        self.content_hash = f"description {hashlib.sha256(described.encode()).hexdigest()}"
        self.trajectory_hashes = [self.content_hash]
        self.provenance = {"source": name, "made_by": "others"}

    def read_into(
        self, out: Float32[np.ndarray, "time channel y x"], trajectory: int, start: int
    ) -> None:
        """Fill `out` with consecutive times, from time `start` on; NaN where there is no state."""
        del trajectory  # there is one
        indices = self._indices[start : start + len(out)]
        out[:] = np.nan
        for number, (fields, dataset) in enumerate(self._parts):
            first, last = self._offsets[number], self._offsets[number + 1]
            here = np.flatnonzero((indices >= first) & (indices < last))
            if not here.size:
                continue
            local = indices[here] - first
            values = fields.read(dataset, slice(int(local[0]), int(local[-1]) + 1))
            if self._cut is not None:
                values = values[:, :, self._cut.rows[:, None], self._cut.columns]
            out[here] = values[local - local[0]]


def with_period(store: TrainingStore, period: str) -> TrainingStore:
    """Return a store whose training split is a period, for climatology, damped persistence and thresholds.

    Args:
        store: The store.
        period: ``START..END``, each a year, month, day or moment; both belong to it.

    Raises:
        UserError: if the text has another form, the store has no calendar, or no time of it lies in the period.
    """
    start, dots, end = period.partition("..")
    if not (dots and start and end):
        raise UserError(
            f"--climatology-period {period}: expected START..END, for example 1990..2019."
        )
    if store.times.dtype.kind != "M":
        raise UserError(
            f"--climatology-period {period}: {store.path} has model times without a calendar. Leave the option out."
        )
    first, last = first_moment(start), last_moment(end)
    inside = (store.times >= first) & (store.times <= last) & store.recorded
    if inside.sum() < 2:
        raise UserError(
            f"--climatology-period {period}: {store.path} has {int(inside.sum())} times in it; its times are "
            f"{describe_time(store.times[0])} to {describe_time(store.times[-1])}. Choose a period within them."
        )
    chosen = copy.copy(store)
    chosen.split = np.where(inside[None], TRAIN, np.full(store.split.shape, "", dtype=object))
    return chosen


def _times(dataset: xr.Dataset, source: str) -> tuple[str, np.ndarray]:
    name = find_time(dataset)
    if name is None or dataset.variables[name].ndim != 1:
        raise UserError(
            f"{source}: the truth has no axis of time; found {sorted(map(str, dataset.variables))}. Name it `time` "
            "(xarray: ds.rename)."
        )
    variable = dataset.variables[name]
    if variable.dtype.kind == "f" and " since " not in str(variable.attrs.get("units", "")):
        return name, variable.values.astype(np.float64)
    return name, decode(variable, name, source)


def _dimension(dataset: xr.Dataset, time: str) -> str:
    return str(dataset.variables[time].dims[0])
