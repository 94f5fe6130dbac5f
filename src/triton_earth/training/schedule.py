"""The learning rate as a function of the training step."""

import math


def warmup_cosine(step: int, steps: int, warmup: int, floor: float = 0.0) -> float:
    """Return the factor on the peak learning rate at a step.

    It rises linearly over `warmup` steps and then falls as half a cosine period to `floor` at the last step:

        f(n) = (n + 1)/W for n < W,      f(n) = floor + (1 − floor) (1 + cos π (n − W)/(N − W)) / 2 after.

    Args:
        step: n, from 0.
        steps: N, number of steps of the whole run.
        warmup: W, steps of the linear rise.
        floor: Factor at the end.
    """
    if step < warmup:
        return (step + 1) / warmup
    fraction = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
