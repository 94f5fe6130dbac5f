"""The two-layer perceptron that every block applies to each cell on its own."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4


class Mlp(nn.Module):
    """y = W₂ GELU(W₁ x + b₁) + b₂ with four times as many hidden channels.

    Args:
        width: Channels of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, MLP_RATIO * width)
        self.contract = nn.Linear(MLP_RATIO * width, width)
        for linear in (self.expand, self.contract):
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(
        self, x: Float[Tensor, "batch cell channel"]
    ) -> Float[Tensor, "batch cell channel"]:
        """Return the transformed tokens."""
        return self.contract(functional.gelu(self.expand(x)))
