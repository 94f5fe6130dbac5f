"""The curriculum: which loss training looks at, over how many applications of the model, as it goes on."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest

ENSEMBLE_LOSSES = ("crps", "crps_waves", "energy")
"""Losses that look at several members: see `ensemble_losses.py`."""

LOSSES = ("mse", "mae", "huber", "relative_l2", "spectral", "amse", *ENSEMBLE_LOSSES)
"""Names of the losses: see `losses.py` and `spectral_loss.py` for the others."""

_HORIZON = 1
"""Tells the seeds of horizons from others."""


def loss_terms(value: Any) -> Any:
    """Return the terms of a loss; a name alone is a sum of one term.

    Raises:
        UserError: if a name is unknown, or there is none.
    """
    terms = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(terms, Mapping) or not terms:
        raise UserError(f"expected the name of a loss or name: weight pairs, found {value!r}.")
    for name in terms:
        if name not in LOSSES:
            raise UserError(f"unknown loss '{name}'; {nearest(str(name), LOSSES)}")
    return terms


Size = Annotated[float, Field(ge=0)]
Sizes = Size | dict[Annotated[int, Field(ge=1)], Size]
"""Size of white noise, or sizes of noise by the cells between its independent numbers."""

Terms = Annotated[dict[str, Annotated[float, Field(gt=0)]], BeforeValidator(loss_terms)]
"""Weights of losses by name; a name alone is a sum of one term."""


class Stage(StrictConfig):
    """A part of training.

    Attributes:
        from_step: Optimiser step, from 0, at which it begins.
        horizon: Model applications per window that the loss looks at; or several with how often each is drawn, as
            ``{1: 0.6, 2: 0.3, 4: 0.1}``.
        loss: Weights of losses; those of the whole run if not given.
        noise: Noise on the history; that of the whole run if not given.
        members: Members of each window; those of the whole run if not given.
    """

    from_step: int = Field(ge=0)
    horizon: (
        Annotated[int, Field(ge=1)]
        | dict[Annotated[int, Field(ge=1)], Annotated[float, Field(gt=0)]]
    )
    loss: Terms | None = None
    noise: Sizes | None = None
    members: int | None = Field(default=None, ge=1)

    @property
    def longest(self) -> int:
        """Largest horizon of the stage."""
        return self.horizon if isinstance(self.horizon, int) else max(self.horizon)

    @property
    def mean(self) -> float:
        """Mean horizon of the stage."""
        if isinstance(self.horizon, int):
            return float(self.horizon)
        total = sum(horizon * share for horizon, share in self.horizon.items())
        return total / sum(self.horizon.values())


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


def stage_at(stages: Sequence[Stage], step: int) -> Stage:
    """Return the last stage that has begun at a step."""
    return [stage for stage in stages if stage.from_step <= step][-1]


def horizon_at(stages: Sequence[Stage], step: int, seed: int = 0) -> int:
    """Return the horizon of a step; where one is drawn, it depends on seed and step alone."""
    horizon = stage_at(stages, step).horizon
    if isinstance(horizon, int):
        return horizon
    shares = np.array(list(horizon.values()))
    drawn = np.random.default_rng([seed, step, _HORIZON]).choice(
        list(horizon), p=shares / shares.sum()
    )
    return int(drawn)
