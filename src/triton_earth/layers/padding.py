"""What a layer sees beyond the border of a map: zeros, or the opposite border of a periodic domain."""

from typing import Any, Literal

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
    if before == after == 0:
        return x
    periodic = [rule == "periodic" for rule in padding]
    sizes = [size for size, wanted in zip(x.shape[2:], periodic, strict=True) if wanted]
    if not sizes:
        return x
    if max(before, after) <= min(sizes):
        wrapped: Tensor = _Wrapped.apply(x, periodic, before, after)
        return wrapped
    for axis, wanted in zip((2, 3), periodic, strict=True):
        if wanted:
            x = _continue(x, axis, before, after)
    return x


class _Wrapped(torch.autograd.Function):
    """Both axes at once by one copy of the map and four of its edges, the channel innermost; the gradient likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, periodic: list[bool], before: int, after: int) -> Tensor:
        batch, channels, *shape = x.shape
        top, left = (before * wanted for wanted in periodic)
        bottom, right = (after * wanted for wanted in periodic)
        height, width = shape
        ctx.inside = top, left, height, width
        y = x.new_empty(batch, top + height + bottom, left + width + right, channels)
        y = y.permute(0, 3, 1, 2)
        rows = y[:, :, top : top + height]
        rows[..., left : left + width] = x
        rows[..., :left] = x[..., width - left :]
        rows[..., left + width :] = x[..., :right]
        if top or bottom:
            y[:, :, :top] = rows[:, :, height - top :]
            y[:, :, top + height :] = rows[:, :, :bottom]
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of x: each value's own, and those of its copies beyond the border."""
        gradient = gradients[0]
        top, left, height, width = ctx.inside
        bottom, right = gradient.shape[2] - top - height, gradient.shape[3] - left - width
        rows = gradient[:, :, top : top + height]
        total = rows[..., left : left + width].clone(memory_format=torch.channels_last)
        for part, target in (
            (gradient[:, :, :top], slice(height - top, height)),
            (gradient[:, :, top + height :], slice(0, bottom)),
        ):
            if not part.shape[2]:
                continue
            total[:, :, target] += part[..., left : left + width]
            total[:, :, target, width - left :] += part[..., :left]
            total[:, :, target, :right] += part[..., left + width :]
        total[..., width - left :] += rows[..., :left]
        total[..., :right] += rows[..., left + width :]
        return total, None, None, None


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
