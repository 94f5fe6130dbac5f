"""Which variables are the two components of one velocity."""

import re

from triton_earth.core.variables import Variables

_EAST_TO_NORTH = (
    (re.compile(r"eastward"), "northward"),
    (re.compile(r"(?<![a-z])u_component"), "v_component"),
    (re.compile(r"^u(?=$|\d|_|o$|o_|gos)"), "v"),
)
"""Ways in which the name of the eastward component becomes that of the northward one."""


def velocity_pairs(variables: Variables) -> list[tuple[int, int]]:
    """Return (eastward, northward) channels of every velocity in m s⁻¹ that is there with both.

    A pair is told by its names (``eastward_wind_850`` and ``northward_wind_850``, ``u10`` and ``v10``) and has one
    level.

    Args:
        variables: The variables.
    """
    pairs = []
    for east, variable in enumerate(variables):
        for pattern, replacement in _EAST_TO_NORTH:
            other = pattern.sub(replacement, variable.name, count=1)
            if other == variable.name or other not in variables:
                continue
            (north,) = variables.indices([other])
            (found,) = variables.select([other])
            if variable.units == found.units == "m s-1" and variable.level == found.level:
                pairs.append((east, north))
            break
    return pairs
