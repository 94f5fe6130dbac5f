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


def warmup_trapezoid(step: int, steps: int, warmup: int, decay: int) -> float:
    """Return the factor on the peak learning rate at a step: up, along the plateau, down.

        f(n) = min((n + 1)/W, 1, (N − n)/D)

    On the plateau a run does not know its end: it can be resumed with more steps, and its end costs a short fall only.

    Args:
        step: n, from 0.
        steps: N, number of steps of the whole run.
        warmup: W, steps of the linear rise.
        decay: D, steps of the linear fall to 1/D at the last step.

    Source: Hägele et al. (2024), arXiv:2405.18392.
    """
    rise = (step + 1) / warmup if step < warmup else 1.0
    return min(rise, 1.0, max(0.0, (steps - step) / decay))
