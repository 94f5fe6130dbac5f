"""Two views of the same memory: maps [batch, channel, height, width] and tokens [batch, cell, channel].

Both are free of copies when the maps lie in memory with the channel innermost (channels_last).
"""

from jaxtyping import Float
from torch import Tensor


def to_tokens(
    maps: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch cell channel"]:
    """Return one token per cell, row by row: cell = row · width + column."""
    return maps.flatten(2).transpose(1, 2)


def to_maps(
    tokens: Float[Tensor, "batch cell channel"], height: int, width: int
) -> Float[Tensor, "batch channel height width"]:
    """Return the maps that the tokens of a `height` × `width` grid make up."""
    return tokens.transpose(1, 2).unflatten(2, (height, width))
