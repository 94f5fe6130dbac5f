"""The latent dynamical core: blocks that see all frames of a cell as channels."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from triton_earth.layers.attention_block import Attention, AttentionBlock
from triton_earth.layers.convolution_block import ConvolutionBlock
from triton_earth.layers.padding import Padding
from triton_earth.layers.recomputation import Recomputing

HEADS = 8
FIRST_DROP_PATH = 0.01


class Dynamics(Recomputing):
    """The latent dynamical core: N blocks, the first and the last with a change of width; the identity for N = 0."""

    def __init__(
        self,
        width_in: int,
        width: int,
        kinds: Sequence[str],
        drop_path: float,
        padding: Padding,
        attention: Attention = "global",
    ) -> None:
        super().__init__()
        last = max(1, len(kinds) - 1)
        first_drop_path = min(FIRST_DROP_PATH, drop_path)
        self.layers = nn.ModuleList()
        for layer, kind in enumerate(kinds):
            probability = first_drop_path + (drop_path - first_drop_path) * layer / last
            before, after = (
                width_in if layer == 0 else width,
                width_in if layer == last else width,
            )
            block: nn.Module
            if kind == "attention":
                block = AttentionBlock(before, HEADS, probability, padding, attention)
            else:
                block = ConvolutionBlock(before, probability, padding)
            change = [nn.Conv2d(before, after, 1)] if before != after else []
            self.layers.append(nn.Sequential(block, *change))

    def forward(
        self, x: Float[Tensor, "batch folded height width"]
    ) -> Float[Tensor, "batch folded height width"]:
        """Return the advanced latent maps."""
        for layer in self.layers:
            x = self.apply_layer(layer, x)
        return x


def fold_time(
    x: Float[Tensor, "maps channel height width"], frames: int
) -> Float[Tensor, "batch folded height width"]:
    """[batch·T, S, h, w] → [batch, T·S, h, w], channel innermost in memory."""
    if frames == 1:
        return x
    return x.unflatten(0, (-1, frames)).permute(0, 3, 4, 1, 2).flatten(3).permute(0, 3, 1, 2)


def unfold_time(
    x: Float[Tensor, "batch folded height width"], frames: int
) -> Float[Tensor, "maps channel height width"]:
    """[batch, T·S, h, w] → [batch·T, S, h, w], channel innermost in memory."""
    if frames == 1:
        return x
    by_frame = x.unflatten(1, (frames, -1)).permute(0, 1, 3, 4, 2)
    return by_frame.flatten(0, 1).permute(0, 3, 1, 2)
