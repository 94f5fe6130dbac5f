"""Inspecting a training store: splits, leaks, mask, checksums and drift besides the values themselves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.core.variables import Role, Variable
from triton_earth.data.inspection.field_checks import describe
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.map_moments import Moments
from triton_earth.data.inspection.sampling import BLOCK_BYTES
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.value_checks import check_values
from triton_earth.data.preparation.periods import SPLITS, gaps_between_splits
from triton_earth.data.sources.names import without_level
from triton_earth.data.sources.values.derived import is_derived
from triton_earth.data.sources.values.possible_values import Possible, possible_values_of
from triton_earth.data.store.content_hash import content_hash
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.store.writer import hash_digests, time_digests

DRIFT = 0.5
"""Difference of means between training and test that is worth a warning, in standard deviations."""
SPREAD = 1.5
"""Ratio of their standard deviations that is."""


def inspect_store(path: Path) -> Inspection:
    """Inspect a training store; every value is read.

    Args:
        path: The store.

    Returns:
        What was found.
    """
    inspection = Inspection(str(path))
    try:
        store = TrainingStore.open(path)
    except UserError as error:
        inspection.refused("unreadable", error)
        return inspection
    inspection.facts.update(_facts(store))
    _check_splits(inspection, store)
    try:
        scans, states, damaged = _scan(store)
    except UserError as error:
        inspection.refused("unreadable", error)
        return inspection
    for trajectory in damaged:
        inspection.add(
            "checksum",
            Severity.FATAL,
            f"the values of trajectory {trajectory} are not those that were written.",
            "Make the store again.",
        )
    if content_hash(path, store.trajectory_hashes) != store.content_hash:
        inspection.add(
            "checksum",
            Severity.FATAL,
            "variables, grid, times, splits or mask are not those that were written.",
            "Make the store again.",
        )
    times = store.times[store.recorded]
    split = store.split[:, store.recorded].ravel()
    labels = [describe_time(time) for _ in store.trajectories for time in times]
    for channel, (variable, scan) in enumerate(zip(store.variables, scans, strict=True)):
        inspection.variables.append(
            describe(variable.name, variable.units, variable.level, None, str(variable.role), scan)
        )
        # What follows from time and place changes as it must.
        changes = variable.role is not Role.STATIC and not is_derived(variable.name)
        check_values(inspection, variable.name, scan, labels, units=variable.units, changes=changes)
        _check_mask(inspection, store, channel, scan)
        if changes:
            moments = {name: scan.maps.together(split == name) for name in store.split_names}
            _check_drift(inspection, variable.name, moments)
    _check_copies(inspection, store, states)
    return inspection


def _facts(store: TrainingStore) -> dict[str, str]:
    counts = {name: int((store.split == name).sum()) for name in store.split_names}
    missing = int((~store.recorded).sum())
    without = {"without a state": f"{missing} times"} if missing else {}
    return {
        "grid": str(store.grid),
        "padding": " x ".join(store.grid.padding),
        "trajectories": str(len(store.trajectories)),
        "period": f"{describe_time(store.times[0])} to {describe_time(store.times[-1])}, {len(store.times)} times",
        "step": describe_duration(store.time_step),
        **without,
        "splits": ", ".join(f"{name} {count} times" for name, count in counts.items()),
        "content": store.content_hash,
    }


def _check_splits(inspection: Inspection, store: TrainingStore) -> None:
    absent = [name for name in SPLITS if name not in store.split_names]
    if absent:
        inspection.add(
            "no-split",
            Severity.WARNING,
            f"no time is for {' or '.join(absent)}.",
            "Prepare the store with all three splits.",
        )
    for trajectory in store.trajectories:
        split = store.split[trajectory]
        for before, after in gaps_between_splits(split):
            if after - before == 1:
                inspection.add(
                    "no-gap",
                    Severity.FATAL,
                    f"{split[after]} follows {split[before]} at {describe_time(store.times[after])} without a gap: "
                    f"windows of one see "
                    "the neighbours of the other's.",
                    "Prepare the store with data.gap.",
                )


def _scan(store: TrainingStore) -> tuple[list[Scan], list[bytes], list[int]]:
    """Read everything once: a scan of each channel, hashes of what is forecast, and damaged trajectories."""
    scans = [
        Scan(place=_places(store.grid), possible=_possible(store, variable))
        for variable in store.variables
    ]
    forecast = np.array([variable.role is Role.PROGNOSTIC for variable in store.variables])
    states: list[bytes] = []
    damaged = []
    for trajectory in store.trajectories.tolist():
        digests: list[bytes] = []
        for times, fields in _blocks(store, trajectory):
            of_all = time_digests(fields)
            digests += of_all
            there = store.recorded[times]
            of_forecast = of_all if forecast.all() else time_digests(fields[:, forecast])
            states += [of_forecast[number] for number in np.flatnonzero(there)]
            labels = [describe_time(time) for time in store.times[times][there]]
            with_state = fields if there.all() else fields[there]
            for channel, scan in enumerate(scans):
                if labels:
                    scan.add(with_state[:, channel], labels, follows=times.start > 0)
        if hash_digests(digests) != store.trajectory_hashes[trajectory]:
            damaged.append(trajectory)
    return scans, states, damaged


def _possible(store: TrainingStore, variable: Variable) -> Possible | None:
    """Return the possible values of a variable, unless its recipe allows any value."""
    stem = without_level(variable.name)
    data = store.provenance.get("data")
    allowed = data.get("allow_implausible", ()) if isinstance(data, dict) else ()
    if variable.name in allowed or stem in allowed:
        return None
    return possible_values_of(variable)


def _places(grid: Grid) -> Callable[[int], str]:
    """Return a function that gives the place of a cell in words."""
    _, columns = grid.shape

    def place(cell: int) -> str:
        row, column = divmod(cell, columns)
        if isinstance(grid, LatLonGrid):
            return f"latitude {grid.latitude[row]:g}, longitude {grid.longitude[column]:g}"
        return f"row {row}, column {column}"

    return place


def _blocks(store: TrainingStore, trajectory: int) -> Iterator[tuple[slice, np.ndarray]]:
    one = 8 * len(store.variables) * int(np.prod(store.grid.shape))
    length = max(1, int(BLOCK_BYTES // one))
    for first in range(0, len(store.times), length):
        times = slice(first, min(first + length, len(store.times)))
        yield times, store.read(trajectory, times)


def _check_mask(inspection: Inspection, store: TrainingStore, channel: int, scan: Scan) -> None:
    if scan.valid is None:
        return
    declared = (
        np.ones(scan.valid.size, dtype=bool)
        if store.valid_mask is None
        else store.valid_mask[channel].ravel()
    )
    wrong = int((declared != scan.valid).sum())
    if wrong:
        inspection.add(
            "mask",
            Severity.FATAL,
            f"{wrong} cells have a value where the valid mask says they have none, or the other way round.",
            "Make the store again.",
            store.variables.names[channel],
        )


def _check_drift(inspection: Inspection, name: str, moments: dict[str, Moments]) -> None:
    if "train" not in moments or "test" not in moments or not moments["train"].std > 0:
        return
    train, test = moments["train"], moments["test"]
    shift = (test.mean - train.mean) / train.std
    ratio = test.std / train.std
    if abs(shift) > DRIFT or not 1 / SPREAD < ratio < SPREAD:
        inspection.add(
            "drift",
            Severity.WARNING,
            f"test differs from training: mean by {shift:+.2f} standard deviations, spread {ratio:.2f} times as large.",
            "Look whether climate, season, instrument or units differ.",
            name,
        )


def _check_copies(inspection: Inspection, store: TrainingStore, states: list[bytes]) -> None:
    """Refuse maps of one split that occur in another: a model would be judged on what it was trained on."""
    seen: dict[bytes, tuple[str, str]] = {}
    split = store.split[:, store.recorded].ravel()
    recorded = store.times[store.recorded]
    copies: dict[tuple[str, str], list[str]] = {}
    for number, state in enumerate(states):
        name = str(split[number])
        if not name:
            continue
        time = describe_time(recorded[number % len(recorded)])
        first, where = seen.setdefault(state, (name, time))
        if first != name:
            copies.setdefault((first, name), []).append(f"{time} as {where}")
    for (first, second), times in copies.items():
        inspection.add(
            "leak",
            Severity.FATAL,
            f"{len(times)} states of {second} are also in {first}, for example {times[0]}.",
            "Take them apart; the record may repeat itself.",
        )
