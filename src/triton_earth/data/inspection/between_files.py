"""Whether files go together: their times, grid, variables, units, levels and masks."""

import itertools
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from triton_earth.core.time import describe_time
from triton_earth.data.inspection.field_checks import FieldSummary
from triton_earth.data.inspection.file_checks import FileSummary
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.time_checks import are_months, describe_period
from triton_earth.data.inspection.turned_maps import TurnedMaps, check_files
from triton_earth.data.sources.names import known_in_file
from triton_earth.data.sources.places.coordinates import same_longitudes
from triton_earth.data.sources.values.units import conversion

_Key = TypeVar("_Key")


def check_between(inspection: Inspection, files: list[FileSummary]) -> None:
    """Say where files contradict each other.

    Args:
        inspection: Where findings and common facts are written down.
        files: What each of them has.
    """
    _check_grid(inspection, files)
    holding = {
        name: [file for file in files if name in file.fields]
        for name in dict.fromkeys(name for file in files for name in file.fields)
    }
    _check_times(inspection, files, holding)
    for name, having in holding.items():
        fields = [(file.source, file.fields[name]) for file in having]
        _check_units(inspection, name, fields)
        _check_levels(inspection, name, fields)
        _check_masks(inspection, name, having)
        _check_directions(inspection, name, having)


def _check_grid(inspection: Inspection, files: list[FileSummary]) -> None:
    for kind in ("latitude", "longitude"):
        having = [file for file in files if kind in file.axes]
        for file in having[1:]:
            one, other = having[0].axes[kind].values, file.axes[kind].values
            same = one.shape == other.shape and (
                same_longitudes(one, other)
                if kind == "longitude"
                else np.allclose(one, other, atol=1e-4)
            )
            if not same:
                inspection.add(
                    "grid-differs",
                    Severity.FATAL,
                    f"{kind} of {file.source} has {len(other)} cells from {other[0]:g}, that of {having[0].source} "
                    f"{len(one)} from {one[0]:g}.",
                    "Put files of one grid into one recipe.",
                )
                break


def _check_times(
    inspection: Inspection, files: list[FileSummary], holding: dict[str, list[FileSummary]]
) -> None:
    """Look at the times of each set of files that hold the same variables, and whether all sets have the same times."""
    told = [file.times for file in files if file.times is not None and file.times.size]
    if not told:
        return
    union = np.unique(np.concatenate(told))
    inspection.facts["period"] = f"{describe_period(union)} in all"
    sets: dict[tuple[str, ...], list[str]] = {}
    for name, having in holding.items():
        for some in _by_levels(name, having):
            if any(file.fields[name].has_time for file in some):
                sets.setdefault(tuple(file.source for file in some), []).append(name)
    by_name = {file.source: file for file in files}
    for sources, names in sets.items():
        members = [by_name[source] for source in sources]
        _check_sequence(
            inspection, [one for one in members if one.times is not None and one.times.size]
        )
        times = [one.times for one in members if one.times is not None]
        lacking = len(union) - (len(np.unique(np.concatenate(times))) if times else len(union))
        if lacking:
            others = [file.source for file in files if file.source not in sources]
            for name in names:
                inspection.add(
                    "variable-missing",
                    Severity.FATAL,
                    f"{lacking} of {len(union)} times have no '{name}', which is not in {_some(others)}.",
                    "Add files that have it at these times, leave the others out, or leave the variable out.",
                    name,
                )


def _by_levels(name: str, having: list[FileSummary]) -> list[list[FileSummary]]:
    """Return the files of a variable apart where each has its own levels, together where they share some."""
    sets: dict[tuple[float | None, ...], list[FileSummary]] = {}
    for file in having:
        sets.setdefault(tuple(file.fields[name].levels), []).append(file)
    return list(sets.values()) if _have_own_levels(sets) else [having]


def _have_own_levels(sets: Iterable[tuple[float | None, ...]]) -> bool:
    """Whether no two of several sets of levels share one."""
    together = [level for levels in sets for level in levels]
    return None not in together and len(set(together)) == len(together)


def _check_sequence(inspection: Inspection, files: list[FileSummary]) -> None:
    """Look at what lies between the times of one file and those of the next."""
    ordered = sorted(files, key=lambda file: _times(file)[0])
    everything = np.unique(np.concatenate([_times(file) for file in ordered])) if ordered else None
    if everything is None or len(everything) < 2:
        return
    usual = np.timedelta64(int(np.median(np.diff(everything).astype(np.int64))), "ns")
    months = are_months(everything)
    for before, after in itertools.pairwise(ordered):
        last, first = _times(before).max(), _times(after).min()
        common = np.intersect1d(_times(before), _times(after))
        between = f"{before.source} and {after.source}"
        if common.size:
            inspection.add(
                "time-repeated",
                Severity.FATAL,
                f"{common.size} times are in both {between}, the first {describe_time(common[0])}.",
                "Leave out one of the two files, or the times in one of them.",
            )
        elif first < last:
            inspection.add(
                "time-overlap",
                Severity.FATAL,
                f"{after.source} begins at {describe_time(first)}, before {before.source} ends at "
                f"{describe_time(last)}.",
                "Put the times in order into one file (xarray: xr.concat, then sortby('time')).",
            )
        elif not months and abs((first - last) / usual - 1) > 1e-6:
            inspection.add(
                "time-gaps",
                Severity.FATAL,
                f"between {between} the step is not the usual one: {describe_time(last)} to {describe_time(first)}.",
                "Add the files between them, choose periods without the gap, or say data.gaps=split: no window then "
                "crosses it.",
            )


def _times(file: FileSummary) -> np.ndarray:
    assert file.times is not None
    return file.times


def _check_units(inspection: Inspection, name: str, fields: list[tuple[str, FieldSummary]]) -> None:
    by_units = _groups(fields, lambda field: field.units)
    if len(by_units) < 2:
        return
    found = "; ".join(f"'{units}' in {_some(sources)}" for units, sources in by_units.items())
    known = known_in_file(name, None)
    first, *others = (str(units) for units in by_units)
    convertible = all(
        conversion(other, known.units if known else first) is not None for other in [first, *others]
    )
    inspection.add(
        "units-differ",
        Severity.WARNING if convertible else Severity.FATAL,
        f"units are not the same: {found}.",
        "`prepare` converts each file by its own units; see that they are true."
        if convertible
        else "Correct the attribute `units`, or say `source_units:` in the recipe.",
        name,
    )


def _check_levels(
    inspection: Inspection, name: str, fields: list[tuple[str, FieldSummary]]
) -> None:
    by_levels = _groups(fields, lambda field: (field.levels, field.level_units))
    if len(by_levels) < 2 or _have_own_levels(levels for levels, _ in by_levels):
        return
    found = "; ".join(
        f"{', '.join('none' if one is None else f'{one:g}' for one in levels)} {units or ''}".rstrip()
        + f" in {_some(sources)}"
        for (levels, units), sources in by_levels.items()
    )
    if len({(frozenset(levels), units) for levels, units in by_levels}) == 1:
        inspection.add(
            "level-order",
            Severity.NOTE,
            f"levels are not in the same order: {found}.",
            "`prepare` takes them by their values.",
            name,
        )
        return
    inspection.add(
        "levels-differ",
        Severity.FATAL,
        f"levels are not the same: {found}.",
        "Choose levels that all files have (`levels: [...]`), or leave files out.",
        name,
    )


def _check_masks(inspection: Inspection, name: str, files: list[FileSummary]) -> None:
    """Compare the cells without a value; `prepare` wants the same ones at all times."""
    seen: dict[float | None, tuple[str, np.ndarray]] = {}
    for file in files:
        latitude, longitude = file.axes.get("latitude"), file.axes.get("longitude")
        if latitude is None or longitude is None:
            continue
        for level, valid in file.fields[name].valid.items():
            there = valid[latitude.order][:, longitude.order]
            source, first = seen.setdefault(level, (file.source, there))
            if first.shape == there.shape and (first != there).any():
                inspection.add(
                    "mask-differs",
                    Severity.FATAL,
                    f"{int((first != there).sum())} cells have a value at the first time of {source} or of "
                    f"{file.source}, but not of both.",
                    "Fill the holes, or mask every cell that ever lacks a value with data.holes=mask.",
                    name if level is None else f"{name}_{level:g}",
                )
                return


def _check_directions(inspection: Inspection, name: str, files: list[FileSummary]) -> None:
    """Look for maps that lie upside down, or half a turn off, against those of other files."""
    by_level: dict[float | None, list[tuple[str, TurnedMaps, bool, bool]]] = {}
    dated = [
        one for one in files if one.times is not None and one.times.size and len(one.axes) == 2
    ]
    dated.sort(key=lambda file: _times(file)[0])
    for file in dated:
        rows, columns = file.axes["latitude"], file.axes["longitude"]
        first = dated[0].axes["longitude"]
        southward = bool(rows.order[0] > rows.order[-1])
        alike = np.array_equal(columns.order, first.order)
        if file.fields[name].has_time:
            for level, maps in file.fields[name].directions.items():
                by_level.setdefault(level, []).append((file.source, maps, southward, alike))
    for level, several in by_level.items():
        check_files(inspection, name if level is None else f"{name}_{level:g}", several)


def _groups(
    fields: Iterable[tuple[str, FieldSummary]], key: Callable[[FieldSummary], _Key]
) -> dict[_Key, list[str]]:
    groups: dict[_Key, list[str]] = {}
    for source, field in fields:
        groups.setdefault(key(field), []).append(source)
    return groups


def _some(sources: list[str]) -> str:
    return sources[0] if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1} more"
