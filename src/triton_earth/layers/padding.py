"""What a layer sees beyond the border of a map: zeros, or the opposite border of a periodic domain."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Rule = Literal["zero", "periodic"]
Padding = tuple[Rule, Rule]

ZERO: Padding = ("zero", "zero")


def wrap(
    x: Float[Tensor, "batch channel height width"],
    padding: Padding,
    before: int,
    after: int,
) -> Float[Tensor, "batch channel padded_height padded_width"]:
    """Continue a map over its periodic borders and leave the axes with zero padding alone.

    y[i] = x[(i − before) mod n] for 0 ≤ i < n + before + after on every periodic axis of n cells.

    Args:
        x: Maps.
        padding: The rule of the height axis and of the width axis.
        before: Cells to add at the start of a periodic axis.
        after: Cells to add at its end.

    Returns:
        The maps, longer by `before + after` on the periodic axes.
    """
    for axis, rule in zip((2, 3), padding, strict=True):
        if rule == "periodic":
            x = _continue(x, axis, before, after)
    return x


def zero_width(padding: Padding, width: int) -> tuple[int, int]:
    """Return how many zeros a convolution itself has to add per axis: `width`, none if periodic."""
    height_rule, width_rule = padding
    return (
        width if height_rule == "zero" else 0,
        width if width_rule == "zero" else 0,
    )


def pad_to_multiple(
    x: Float[Tensor, "batch channel height width"], padding: Padding, multiple: int
) -> Float[Tensor, "batch channel padded_height padded_width"]:
    """Lengthen both axes at their end to the next multiple of `multiple`, by the axis's own rule.

    Args:
        x: Maps.
        padding: The rule of the height axis and of the width axis.
        multiple: The number that both sizes of the result are multiples of.

    Returns:
        The maps; `x` itself where its sizes already fit.
    """
    missing_height, missing_width = (-x.shape[2] % multiple, -x.shape[3] % multiple)
    if missing_height:
        x = _lengthen(x, axis=2, rule=padding[0], cells=missing_height)
    if missing_width:
        x = _lengthen(x, axis=3, rule=padding[1], cells=missing_width)
    return x


def _lengthen(x: Tensor, axis: int, rule: Rule, cells: int) -> Tensor:
    if rule == "periodic":
        return _continue(x, axis, before=0, after=cells)
    zeros = [0, 0, 0, cells] if axis == 2 else [0, cells]
    return torch.nn.functional.pad(x, zeros)


def _continue(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Repeat cells of a periodic axis; selecting with the channel innermost keeps it innermost."""
    size = x.shape[axis]
    index = torch.arange(-before, size + after, device=x.device).remainder(size)
    return x.permute(0, 2, 3, 1).index_select(axis - 1, index).permute(0, 3, 1, 2)
