"""The curriculum: how many applications of the model the loss looks at, as training goes on."""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError


class Stage(StrictConfig):
    """A part of training with one horizon.

    Attributes:
        from_step: Optimiser step, from 0, at which it begins.
        horizon: Model applications per window that the loss looks at.
    """

    from_step: int = Field(ge=0)
    horizon: int = Field(ge=1)


def require_curriculum(stages: Sequence[Stage]) -> None:
    """Refuse stages that do not begin at step 0 or are not in order.

    Raises:
        UserError: naming the steps found.
    """
    starts = [stage.from_step for stage in stages]
    if starts and (starts[0] != 0 or any(b <= a for a, b in pairwise(starts))):
        raise UserError(
            f"the stages begin at steps {starts}; expected 0 first, then ascending. "
            "Give them as [{from_step: 0, horizon: 1}, {from_step: 1000, horizon: 2}]."
        )


def horizon_at(stages: Sequence[Stage], step: int) -> int:
    """Return the horizon of a step: that of the last stage that has begun."""
    return [stage.horizon for stage in stages if stage.from_step <= step][-1]
