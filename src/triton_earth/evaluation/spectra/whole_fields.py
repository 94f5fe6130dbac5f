"""Which variables, and which velocities with both components, are defined in every cell."""

import numpy as np
from jaxtyping import Bool, Int

from triton_earth.core.variables import Variables
from triton_earth.core.velocity import velocity_pairs


def whole_channels(
    variables: Variables, valid_mask: Bool[np.ndarray, "channel y x"] | None
) -> Int[np.ndarray, " chosen"]:
    """Return the channels of variables without missing cells."""
    if valid_mask is None:
        return np.arange(len(variables))
    return np.flatnonzero(valid_mask.all(axis=(1, 2)))


def whole_velocities(
    variables: Variables, channels: Int[np.ndarray, " chosen"]
) -> list[tuple[int, int]]:
    """Return the (eastward, northward) channels of every velocity with both among some channels."""
    return [pair for pair in velocity_pairs(variables) if np.isin(pair, channels).all()]
