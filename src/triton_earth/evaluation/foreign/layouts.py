"""Layouts of forecasts made elsewhere: which dimension is the initial time, the lead time and the member.

Layouts that are read: WeatherBench 2 (time, prediction_timedelta) and X (init_time, lead_time), OceanBench's challenger
datasets (first_day_datetime, lead_day_index), forecast stores of this package, and others with the CF standard names
forecast_reference_time, forecast_period and realization. Sources: documentation of WeatherBench 2, section "Data
format"; OceanBench 0.6, "challenger dataset"; CF conventions 1.11, standard name table.
"""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.attributes import text_of
from triton_earth.data.sources.times.calendars import decode

INIT, LEAD, MEMBER = "init", "lead_time", "member"
"""What the dimensions are called once the layout is known."""

DAY = np.timedelta64(24 * 3600 * 10**9, "ns")

_INITS = (
    "init_time", "initial_time", "forecast_reference_time", "reference_time", "first_day_datetime", "time",
)  # fmt: skip
_LEADS = (
    "prediction_timedelta", "lead_time", "leadtime", "lead", "step", "forecast_period", "lead_day_index",
)  # fmt: skip
_MEMBERS = ("number", "member", "realization", "ensemble_member", "ensemble", "ens", "sample")
_STANDARD = {
    "init": "forecast_reference_time",
    "lead": "forecast_period",
    "member": "realization",
}
_UNITS = {
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("h", "hr", "hour", "hours"), DAY // 24),
    **dict.fromkeys(("min", "minute", "minutes"), DAY // 1440),
    **dict.fromkeys(("s", "sec", "second", "seconds"), DAY // 86400),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), np.timedelta64(1, "ns")),
}


@dataclass(frozen=True)
class Laid:
    """Forecasts with dimensions of known names.

    Attributes:
        dataset: The fields, over `INIT`, `LEAD`, `MEMBER` where there are several, levels and cells.
        source: Where it comes from, for messages.
        init_times: Initial times, datetime64[ns] or float64, [init].
        lead_times: Lead times, timedelta64[ns] or float64, [lead].
        trajectories: Trajectory of each initial condition.
        members: Members of each ensemble; 1 where forecasts are single.
        remarks: What a reader must know about how the layout was read, in sentences.
    """

    dataset: xr.Dataset
    source: str
    init_times: np.ndarray
    lead_times: np.ndarray
    trajectories: np.ndarray
    members: int
    remarks: tuple[str, ...] = ()

    def without_lead_zero(self) -> "Laid":
        """Return the forecasts without the initial state, which is no forecast.

        Raises:
            UserError: if no lead is left, one is negative, or two are the same.
        """
        zero = np.zeros((), self.lead_times.dtype)
        if (self.lead_times < zero).any():
            raise UserError(
                f"{self.source}: the lead time {self.lead_times.min()} is negative. Leave it out (xarray: ds.sel)."
            )
        kept = np.flatnonzero(self.lead_times > zero)
        kept = kept[np.argsort(self.lead_times[kept], kind="stable")]
        if not kept.size:
            raise UserError(
                f"{self.source}: the only lead time is 0, the initial state; there is no forecast to score."
            )
        leads = self.lead_times[kept]
        if len(np.unique(leads)) < len(leads):
            raise UserError(f"{self.source}: lead times occur more than once: {leads.tolist()}.")
        return replace(self, dataset=self.dataset.isel({LEAD: kept}), lead_times=leads)


def lay_out(dataset: xr.Dataset, source: str) -> Laid:
    """Find out in which layout a dataset holds forecasts, and name its dimensions alike.

    Args:
        dataset: The forecasts, times decoded or as numbers with units.
        source: Where it comes from, for messages.

    Raises:
        UserError: if there is no lead time or initial time, or one cannot be understood; the message names what was
            found and what is looked for.
    """
    init, lead, member = (find_coordinate(dataset, kind) for kind in ("init", "lead", "member"))
    if lead is None:
        return _by_valid_time(dataset, source, init, member)
    dated = _dates(dataset) if init is None else []
    remarks: tuple[str, ...] = ()
    if len(dated) == 1:
        init = dated[0]
        remarks = (f"{source}: '{init}' is taken as the initial time, as nothing else has dates.",)
    if init is None:
        raise UserError(
            f"{source}: it has lead times ('{lead}'), but no coordinate is known as the initial time: expected one of "
            f"{', '.join(_INITS)}; found {_coordinates(dataset)}. Rename yours (xarray: "
            "ds.rename(start='init_time')), or add it (ds.expand_dims(init_time=[...]))."
        )
    leads = _lead_times(dataset, lead, source)
    inits = _init_times(dataset, init, source)
    if lead == "lead_day_index":
        inits, leads = inits - DAY, leads + DAY
        remarks = (
            f"{source} counts forecast days (lead_day_index) from first_day_datetime: day 0 is scored as the lead of "
            "1 day from the day before.",
        )
    return _laid(dataset, source, (init, lead, member), inits, leads, remarks)


def _by_valid_time(dataset: xr.Dataset, source: str, init: str | None, member: str | None) -> Laid:
    """Lay out a single forecast along its valid times, with its initial time as one value."""
    times = [
        name
        for name in ("time", "valid_time")
        if name in dataset.dims and name in dataset.variables
    ]
    if init is None or dataset.variables[init].ndim or not times:
        raise UserError(
            f"{source}: no coordinate is known as the lead time: expected one of {', '.join(_LEADS)}; found "
            f"{_coordinates(dataset)}. Rename yours (xarray: ds.rename(their_name='lead_time')); docs/judging.md "
            "lists the layouts."
        )
    inits = _init_times(dataset, init, source)
    leads = decode(dataset.variables[times[0]], times[0], source) - inits[0]
    return _laid(dataset, source, (init, times[0], member), inits, leads, ())


def _laid(
    dataset: xr.Dataset,
    source: str,
    names: tuple[str, str, str | None],
    inits: np.ndarray,
    leads: np.ndarray,
    remarks: tuple[str, ...],
) -> Laid:
    """Name the dimensions and leave out the coordinates that have done their service."""
    init, lead, member = names
    trajectories = np.zeros(len(inits), dtype=np.int64)
    if "trajectory" in dataset.variables and dataset.variables["trajectory"].ndim == 1:
        trajectories = dataset.variables["trajectory"].values.astype(np.int64)
    kinds = {INIT: init, LEAD: lead, **({} if member is None else {MEMBER: member})}
    dims = {}
    for kind, name in kinds.items():
        variable = dataset.variables.get(name)
        if variable is None:  # a dimension without coordinate
            dims[kind] = name
        elif variable.ndim == 0:
            dataset = dataset.expand_dims({kind: [0]})
            dims[kind] = kind
        else:
            dims[kind] = str(variable.dims[0])
    coordinates = [str(name) for name in dataset.coords if {*dataset[name].dims} & {*dims.values()}]
    bare = dataset.drop_vars(coordinates)
    bare = bare.rename({dim: kind for kind, dim in dims.items() if dim != kind})
    members = int(bare.sizes.get(MEMBER, 1))
    repeated = len(inits) - len(set(zip(trajectories.tolist(), inits.tolist(), strict=True)))
    if repeated:
        raise UserError(
            f"{source}: {repeated} initial times occur more than once. Leave out the repetitions (xarray: "
            f"ds.drop_duplicates('{init}'))."
        )
    return Laid(bare, source, inits, leads, trajectories, members, remarks)


def find_coordinate(dataset: xr.Dataset, kind: str) -> str | None:
    """Return the name of a coordinate or dimension of some kind, by its standard name or a usual name."""
    names = {"init": _INITS, "lead": _LEADS, "member": _MEMBERS}[kind]
    for name, variable in dataset.variables.items():
        if variable.ndim <= 1 and text_of(variable, "standard_name") == _STANDARD[kind]:
            return str(name)
    for name in names:
        if name in dataset.variables and dataset.variables[name].ndim <= 1:
            return name
        if kind == "member" and name in dataset.dims:
            return name
    return None


def _dates(dataset: xr.Dataset) -> list[str]:
    """Return the variables that hold dates, one value along a dimension or a single one."""
    return [
        str(name)
        for name, variable in dataset.variables.items()
        if variable.ndim <= 1
        and (variable.dtype.kind == "M" or " since " in (text_of(variable, "units") or ""))
    ]


def _init_times(dataset: xr.Dataset, name: str, source: str) -> np.ndarray:
    variable = dataset.variables[name]
    plain = variable.dtype.kind in "iuf" and " since " not in (text_of(variable, "units") or "")
    if plain and variable.dtype.kind == "f":
        return np.atleast_1d(variable.values.astype(np.float64))
    if variable.ndim == 0:
        dataset = dataset.assign_coords({name: (name, variable.values[None], variable.attrs)})
    return decode(dataset.variables[name], name, source)


def _lead_times(dataset: xr.Dataset, name: str, source: str) -> np.ndarray:
    variable = dataset.variables[name]
    values = np.atleast_1d(variable.values)
    if values.dtype.kind == "m":
        return values.astype("timedelta64[ns]")
    units = (text_of(variable, "units") or "").strip().lower()
    if name == "lead_day_index" and values.dtype.kind in "iuf":
        units = "days"
    if values.dtype.kind in "iuf" and units in _UNITS:
        return np.rint(values * float(_UNITS[units].astype(np.int64))).astype("timedelta64[ns]")
    if values.dtype.kind == "f" and not units:
        return values.astype(np.float64)
    raise UserError(
        f"{source}: lead times '{name}' are of type {values.dtype} with units '{units}'; expected timedelta64, or "
        f"numbers with the attribute units, as hours. Add it (xarray: ds['{name}'].attrs['units'] = 'hours')."
    )


def _coordinates(dataset: xr.Dataset) -> str:
    found = [str(name) for name in {**dataset.coords, **dataset.sizes}]
    return ", ".join(found) or "none"
