"""Checks of values: what a scan of one variable gives cause to say."""

import numpy as np

from triton_earth.data.inspection.findings import Inspection, Severity
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.sources.names import known_variable, without_level
from triton_earth.data.sources.values.soundness import MARGIN, units_hint
from triton_earth.data.sources.values.units import canonical_units

OUTLIER = 20.0
"""Standard deviations from the mean."""
JUMP = 15.0
"""Typical changes of the mean over the map from one time to the next."""


def check_values(
    inspection: Inspection,
    name: str,
    scan: Scan,
    times: list[str],
    *,
    units: str | None,
    standard_name: str | None = None,
    known_as: str | None = None,
    changes: bool = True,
    successive: bool = True,
) -> None:
    """Add findings on the values of a variable.

    Args:
        inspection: Where findings are written down.
        name: The variable.
        scan: Its values.
        times: What to call each time.
        units: Its units, or None where it has none.
        standard_name: Its CF standard name, or None.
        known_as: Its name without level, where `name` has one.
        changes: Whether it should change in time.
        successive: Whether the times follow one another, as they do unless some were chosen.
    """
    if scan.count == 0:
        inspection.add(
            "no-values",
            Severity.FATAL,
            "there is no value at all.",
            "Leave the variable out.",
            name,
        )
        return
    if scan.holes:
        inspection.add(
            "holes",
            Severity.FATAL,
            f"{scan.holes} values are missing, or there, where it is otherwise at the first time; first at "
            f"{scan.first_hole}.",
            "Fill the holes, or mask every cell that ever lacks a value with data.holes=mask.",
            name,
        )
    if scan.infinite:
        inspection.add(
            "infinite",
            Severity.FATAL,
            f"{scan.infinite} values are infinite.",
            "Repair them.",
            name,
        )
    if scan.fill:
        inspection.add(
            "fill-values",
            Severity.FATAL,
            f"{scan.fill} values are {scan.fill_value:g}, which stands for a missing value, the first at "
            f"{scan.first_fill}.",
            "Declare it: set the attribute _FillValue.",
            name,
        )
    else:
        known = known_as or without_level(name)
        implausible = _check_range(inspection, name, known, scan, units, standard_name)
        if not implausible:
            _check_impossible(inspection, name, scan, units)
        _check_outliers(inspection, name, scan)
    if changes:
        _check_changes(inspection, name, scan, times)
        if successive and not (len(times) > 2 and scan.constant):
            _check_steps(inspection, name, scan, times)


def _check_range(
    inspection: Inspection,
    name: str,
    known_as: str,
    scan: Scan,
    units: str | None,
    standard_name: str | None,
) -> bool:
    """Say where units or the mean are not those of the variable, and return whether it is so."""
    known = known_variable(name, known_as, standard_name)
    if known is None or units is None:
        return False
    to_known = known.conversion(units)
    if to_known is None and len(known_as) == 1:
        return False  # a letter may stand for anything
    if to_known is None:
        inspection.add(
            "units-foreign",
            Severity.FATAL,
            f"'{units}' cannot be converted to '{known.units}', the units of {known.long_name}.",
            "Correct the attribute `units`, or say `source_units:` in the recipe.",
            name,
        )
        return True
    mean = to_known[0] * scan.mean + to_known[1]
    margin = MARGIN * (known.highest - known.lowest)
    if known.lowest - margin <= mean <= known.highest + margin:
        return False
    own, theirs = ("" if one == "1" else f" {one}" for one in (units, known.units))
    inspection.add(
        "units-implausible",
        Severity.FATAL,
        f"the mean is {scan.mean:.5g}{own}, outside {known.lowest:g} to {known.highest:g}{theirs}, what "
        f"{known.long_name} can have on Earth.{units_hint(known, mean)}",
        "Correct the attribute `units`, or say `source_units:` in the recipe.",
        name,
    )
    return True


def _check_impossible(inspection: Inspection, name: str, scan: Scan, units: str | None) -> None:
    """Say which values cannot be, and whether values in per cent are fractions."""
    possible, first = scan.possible, scan.first_impossible
    if possible is None:
        return
    if first is not None:
        limits = possible.limits(scan.mean, scan.highest.value)
        inspection.add(
            "impossible-values",
            Severity.FATAL,
            f"{scan.impossible} values are {possible.describe(*limits)}, the first {first.value:.6g} at "
            f"{first.where}.{possible.percent_hint(scan.lowest.value, scan.highest.value)}",
            "Mask or repair them, or correct the units; `prepare` takes them with data.allow_implausible.",
            name,
        )
    elif canonical_units(units or "") == "%" and possible.is_fraction(scan.highest.value):
        inspection.add(
            "units-implausible",
            Severity.FATAL,
            f"it is in '%', but its largest value is {scan.highest.value:.3g}: these look like fractions.",
            'Say `source_units: "1"` in the recipe, or correct the attribute `units`.',
            name,
        )


def _check_outliers(inspection: Inspection, name: str, scan: Scan) -> None:
    for extreme in (scan.lowest, scan.highest):
        distance = abs(extreme.value - scan.mean)
        if scan.std > 0 and distance > OUTLIER * scan.std:
            inspection.add(
                "outlier",
                Severity.WARNING,
                f"{extreme.value:.5g} at {extreme.where} is {distance / scan.std:.0f} standard deviations from the "
                f"mean {scan.mean:.5g}.",
                "Look at the map; repair the value if it is wrong.",
                name,
            )


def _check_changes(inspection: Inspection, name: str, scan: Scan, times: list[str]) -> None:
    constant = scan.constant_cells
    there = scan.valid if scan.valid is not None else constant
    if len(times) > 2 and scan.constant:
        inspection.add(
            "constant",
            Severity.WARNING,
            "no cell changes in time.",
            "Give it the role static, or leave it out.",
            name,
        )
        return
    dead = int(constant[there].sum())
    if len(times) > 2 and dead:
        inspection.add(
            "dead-cells",
            Severity.WARNING,
            f"{dead} of {int(there.sum())} cells never change, the first at "
            f"{scan.place(int(np.flatnonzero(constant & there)[0]))}.",
            "Mask them if they are land, ice or a filled gap.",
            name,
        )


def _check_steps(inspection: Inspection, name: str, scan: Scan, times: list[str]) -> None:
    if scan.repeats:
        inspection.add(
            "repeated-fields",
            Severity.WARNING,
            f"{len(scan.repeats)} maps are those of the time before, first at {scan.repeats[0]}.",
            "Look whether a day was filled with its neighbour; a model would learn that nothing changes.",
            name,
        )
    steps = np.abs(np.diff(np.array(scan.means)))
    typical = 1.4826 * float(np.nanmedian(steps)) if steps.size > 4 else np.inf
    if steps.size > 4 and np.nanmax(steps) > max(JUMP * typical, 0.5 * scan.std):
        where = int(np.nanargmax(steps))
        inspection.add(
            "jump",
            Severity.WARNING,
            f"the mean over the map changes by {steps[where]:.4g} to {times[where + 1]}, "
            f"{steps[where] / max(typical, 1e-300):.0f} times as much as usual.",
            "Look whether units, instrument or model changed there.",
            name,
        )
