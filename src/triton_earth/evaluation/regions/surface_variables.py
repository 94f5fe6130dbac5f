"""Variables that are defined on one surface only: what is not scored on land, or not at sea."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from triton_earth.core.errors import UserError
from triton_earth.evaluation.alignment import Forecasts, Truth
from triton_earth.evaluation.matching import Selected
from triton_earth.evaluation.regions.places import Place, SurfacePart

SHARE = 0.25
"""A variable that covers less than this part of what it covers of the other surface belongs to the other one."""


def is_of(
    surface: Bool[np.ndarray, "y x"],
    valid: Bool[np.ndarray, "y x"],
) -> bool:
    """Return whether a variable is one of a surface, and not of the other one that its mask meets at the coast only.

        |V ∩ S| / |S|  ≥  ¼ |V ∩ S'| / |S'|,    with V ∩ S not empty

    Coastlines and the mask of a variable need not agree cell by cell; a part of the ocean, such as its depths, is of
    the sea however small it is.

    Args:
        surface: Cells S of the surface; all others are S'.
        valid: Cells V in which the variable is defined.
    """
    if not (valid & surface).any():
        return False
    other = valid[~surface].mean() if not surface.all() else 0.0
    return bool(valid[surface].mean() >= SHARE * other)


def not_of(place: Place | None, forecast: Forecasts, truth: Truth) -> list[str]:
    """Return the variables of a forecast that are not defined on the surface of a place.

    Args:
        place: Where scores are taken.
        forecast: Stored forecasts.
        truth: The truth.
    """
    if not isinstance(place, SurfacePart) or truth.valid_mask is None:
        return []
    inside = place.cells(truth.grid)
    found = []
    for name in forecast.variables.names:
        if name not in truth.variables:
            continue  # `align` refuses it
        (channel,) = truth.variables.indices([name])
        valid = truth.valid_mask[channel]
        if not is_of(place.whole, valid) or not (valid & inside).any():
            found.append(name)
    return found


def require_defined(forecast: Forecasts, truth: Truth, place: Place | None) -> None:
    """Refuse forecasts of variables that are not defined on the surface of a place.

    Raises:
        UserError: naming them.
    """
    without = not_of(place, forecast, truth)
    if without:
        raise UserError(
            f"scores on {place}: expected every variable to be defined there, found that {', '.join(without)} "
            f"{'is' if len(without) == 1 else 'are'} not. Leave them out with `keep_defined`."
        )


def keep_defined(
    forecasts: Sequence[Forecasts], truth: Truth, place: Place | None, needed: Sequence[str | None]
) -> tuple[list[Forecasts], list[str]]:
    """Leave out the variables that are not defined on the surface of a place.

    Args:
        forecasts: Stored forecasts with the same variables.
        truth: The truth.
        place: Where scores are taken.
        needed: Variables whose events are scored, as ``VARIABLE`` or ``VARIABLE:…``, or None.

    Returns:
        The forecasts, and a sentence on what was left out where something was.

    Raises:
        UserError: if nothing is left, or something is needed that is not.
    """
    first = forecasts[0]
    without = not_of(place, first, truth)
    if not without:
        return list(forecasts), []
    names = [name for name in first.variables.names if name not in without]
    wanted = [str(one).partition(":")[0] for one in needed if one is not None]
    missing = [name for name in wanted if name in without]
    if missing or not names:
        raise UserError(
            f"scores on {place}: expected {', '.join(missing) or 'a variable'} to be defined there, found that "
            f"{', '.join(without)} {'is' if len(without) == 1 else 'are'} not. Score everywhere, or the other surface."
        )
    kept = first.variables.select(names)
    selected = [
        Selected(one, np.arange(len(one.init_times)), np.arange(len(one.lead_times)), kept)
        for one in forecasts
    ]
    return list(selected), [f"Not scored, as not defined on {place}: {', '.join(without)}."]
