"""Inspecting an archive of simulated trajectories, ``.pt`` or ``.npy``, such as the published turbulence data set."""

from typing import Any

import numpy as np
import torch

from triton_earth.core.errors import UserError
from triton_earth.data.inspection.field_checks import describe
from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.sampling import chosen_times, describe_chosen
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.value_checks import check_values
from triton_earth.data.preparation.archive import archive_arrays
from triton_earth.data.sources.hub import local_copy

RECIPE = "Prepare it with a recipe of `data.kind: trajectories`, which says `interval` and `splits`"


def inspect_archive(path: str, times: int | None = None) -> Inspection:
    """Inspect an archive of trajectories.

    Args:
        path: ``.pt`` or ``.npy`` file, or ``hf:OWNER/DATASET/FILE``.
        times: How many times of each trajectory to look at; if not given all, or as many as is reasonable.

    Returns:
        What was found.
    """
    inspection = Inspection(path)
    try:
        arrays = archive_arrays(local_copy(path))
    except UserError as error:
        inspection.refused("unreadable", error)
        return inspection
    for name, array in arrays.items():
        _inspect_array(inspection, name, array, times)
    return inspection


def _inspect_array(inspection: Inspection, name: str, array: Any, wanted: int | None) -> None:
    called = name or "array"
    if not isinstance(array, torch.Tensor | np.ndarray) or array.ndim != 4:
        found = (
            f"shape {tuple(array.shape)}"
            if hasattr(array, "shape")
            else f"a {type(array).__name__}"
        )
        inspection.add(
            "no-trajectories",
            Severity.WARNING,
            f"it is no array [trajectory, time, y, x]; found {found}.",
            "Leave it out, or write it with these four dimensions.",
            called,
        )
        return
    trajectories, times, rows, columns = array.shape
    inspection.facts[called] = (
        f"{trajectories} trajectories of {times} times, {rows} x {columns} cells. {RECIPE}"
        + (f", and `key: {name}`." if name else ".")
    )
    chosen = chosen_times(times, 8 * rows * columns * trajectories, wanted)
    if len(chosen) < times:
        inspection.facts["sampled"] = describe_chosen(len(chosen), times)
    scan = Scan(place=lambda cell: f"row {cell // columns}, column {cell % columns}")
    labels: list[str] = []
    for number in range(trajectories):
        fields = np.asarray(array[number])[chosen]
        when = [f"trajectory {number}, time {time}" for time in chosen]
        labels += when
        scan.add(fields, when, follows=False)
    inspection.variables.append(describe(called, None, None, None, None, scan))
    check_values(inspection, called, scan, labels, units=None, successive=trajectories == 1)
