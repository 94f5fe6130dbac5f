"""Moments of maps: how many values each has, their mean and how far they are from it, and what some have together."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from triton_earth.data.inspection.map_means import MapMeans


@dataclass(frozen=True)
class Moments:
    """Moments of some values.

    Attributes:
        count: How many there are.
        mean: Their mean; 0 where there are none.
        squares: Sum of their squared deviations from it.
    """

    count: int
    mean: float
    squares: float

    @property
    def std(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.squares / self.count)) if self.count else np.nan


@dataclass
class MapMoments:
    """Moments of each map of a series after those added so far.

    Attributes:
        counts: Values of each map.
        means: Their mean, NaN where there are none.
        squares: Sum of their squared deviations from it.
    """

    counts: list[int] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)

    def add(self, found: MapMeans) -> None:
        """Add consecutive maps."""
        self.counts += found.counts.tolist()
        self.means += found.means.tolist()
        self.squares += found.squares.tolist()

    def together(self, chosen: Bool[np.ndarray, " time"] | None = None) -> Moments:
        """Return the moments of all values of all maps, or of some (Chan, Golub and LeVeque 1983, Eq. 2.1).

            M = Σ n m / Σ n,      S = Σ s + Σ n (m − M)²

        Args:
            chosen: Which maps; all if not given.
        """
        some: Float[np.ndarray, "moment time"] = np.array([self.counts, self.means, self.squares])
        some = some[:, some[0] > 0 if chosen is None else chosen & (some[0] > 0)]
        counts, means, squares = some
        if not counts.size:
            return Moments(0, 0.0, 0.0)
        mean = float(counts @ means / counts.sum())
        apart = means - mean
        return Moments(int(counts.sum()), mean, float(squares.sum() + counts @ apart**2))
