"""The mean over the members of ensembles, the same wherever it is taken."""

import numpy as np
from jaxtyping import Float32


def mean_over_members(
    members: Float32[np.ndarray, "init member channel y x"],
) -> Float32[np.ndarray, "init channel y x"]:
    """Return the mean over members, added in double precision; a single forecast stays as it is."""
    if members.shape[1] == 1:
        return members[:, 0]
    with np.errstate(invalid="ignore"):  # members that are infinite
        return members.mean(axis=1, dtype=np.float64).astype(np.float32)
