"""Inspecting files of any archive: each by itself, and whether they go together."""

from dataclasses import replace

from triton_earth.core.errors import UserError
from triton_earth.data.formats.groups import ALL_GROUPS
from triton_earth.data.inspection.between_files import check_between
from triton_earth.data.inspection.file_checks import inspect_file
from triton_earth.data.inspection.findings import Finding, Inspection, Severity
from triton_earth.data.sources.files import open_files


def inspect_files(path: str, times: int | None = None) -> Inspection:
    """Inspect NetCDF, HDF5 or Zarr files.

    Args:
        path: File, pattern, Zarr folder or address, or ``shipped:NAME``.
        times: How many times of each file to look at, evenly spread; if not given all, or as many as
            `sampling.MOST_BYTES` allows.

    Returns:
        What was found.
    """
    inspection = Inspection(path)
    try:
        opened = open_files(path, groups=ALL_GROUPS)
    except UserError as error:
        inspection.refused("unreadable", error)
        return inspection
    inspected = [inspect_file(source, dataset, times, len(opened)) for source, dataset in opened]
    parts = [part for part, _ in inspected]
    if len(parts) == 1:
        parts[0].path = path
        return parts[0]
    inspection.facts["files"] = str(len(parts))
    inspection.take(parts)
    if any(summary.times is not None for _, summary in inspected):
        inspection.findings = [_milder(finding) for finding in inspection.findings]
    check_between(inspection, [summary for _, summary in inspected])
    return inspection


def _milder(finding: Finding) -> Finding:
    """Return that a file without time may hold static fields for others that have one."""
    if finding.kind != "no-time":
        return finding
    return replace(
        finding,
        severity=Severity.NOTE,
        remedy="Give its variables `role: static`; others need a time axis.",
    )
