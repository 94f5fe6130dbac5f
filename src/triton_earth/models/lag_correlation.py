"""How much of an anomaly is left after a while, in each part of the map: what damped persistence is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from triton_earth.core.grid import PeriodicGrid
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.data.windows import Segment
from triton_earth.models.climatology import Climatology, training_segments

MOST_STARTS, MOST_LAGS = 128, 12
"""Initial times and lags that lag correlations are fitted from."""

PRIOR_STARTS = 8
"""Initial times that the coefficient of the whole map counts as in the coefficient of a part of it."""

MOST_VALUES = 2**25
"""Sums held at a time; on larger grids cells are taken together in square blocks."""

VALUES_READ = 2**22
"""Values of states held at a time, unless one state has more."""

VALUES_TOGETHER = 2**13
"""Values of each state that are worked on at a time: what stays in a processor's cache."""

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class LagCorrelation:
    """How much of an anomaly is left after a lag, on average over training states, in each block of cells.

        α_b(n) = [Σ_{b,t} w a(t) a(t + n Δt) / Σ_{b,t} w a(t)² + (K / N) α(n)] / (1 + K / N),    a = x − c

    over N initial times t, with α(n) the same quotient over the whole map, which counts as K of them: of few initial
    times the coefficient of a cell alone would be mostly chance. α is the least-squares damping of the initial anomaly:
    the lag correlation, but for a variance that changes in time. Between the lags that were fitted it is interpolated
    linearly, beyond the last it stays as it is.

    Attributes:
        lags: Lags n in steps of the training store, 0 first.
        values: α_b(n) of each variable and block, 0 … 1.
        block: Rows and columns of cells in a block; the last ones may have fewer.
        shape: Cells (y, x) of the map.
    """

    lags: Int[np.ndarray, " lag"]
    values: Float64[np.ndarray, "lag channel row column"]
    block: int
    shape: tuple[int, int]

    def at(self, lag: float | int) -> Float64[np.ndarray, "channel y x"]:
        """Return α of each variable and cell at one lag, in steps of the training store."""
        place = float(np.interp(lag, self.lags, np.arange(len(self.lags))))
        before = int(place)
        after = min(before + 1, len(self.lags) - 1)
        blocks = self.values[before] + (place - before) * (self.values[after] - self.values[before])
        ny, nx = self.shape
        cells = blocks.repeat(self.block, axis=-2)[:, :ny].repeat(self.block, axis=-1)
        return cells[:, :, :nx]


def fit_lag_correlation(
    store: TrainingStore, names: Sequence[str], climatology: Climatology, longest: int
) -> LagCorrelation:
    """Fit lag correlations of some variables to the training split.

    On a doubly periodic box, whose places are all alike, there is one block; elsewhere a block is one cell, as long as
    the sums of all blocks are not more than `MOST_VALUES`.

    Args:
        store: Training store.
        names: Variables wanted.
        climatology: Their climatology.
        longest: Longest lag wanted, in steps.

    Returns:
        Lag correlations at lags up to `longest`, as far as the training split reaches.

    Raises:
        UserError: if the store has no training split.
    """
    channels = store.variables.indices(names)
    segments = training_segments(store)
    reach = min(longest, max(len(one) for one in segments) - 1)
    lags = np.unique(np.geomspace(1, max(reach, 1), MOST_LAGS).round().astype(np.int64))
    ny, nx = store.grid.shape
    block = _block(store, len(channels) * len(lags))
    rows, columns = np.arange(0, ny, block), np.arange(0, nx, block)
    products = np.zeros((len(lags), len(channels), len(rows), len(columns)))
    squares = np.zeros_like(products)
    starts, weights = np.zeros(len(lags)), store.grid.cell_area_weights
    together = max(1, VALUES_READ // (len(channels) * ny * nx))
    for row, lag in enumerate(lags.tolist()):
        pairs = _starts(segments, lag)
        starts[row] = len(pairs)
        for number in range(0, len(pairs), together):
            some = pairs[number : number + together]
            first, last = (_States.read(store, some, after, channels) for after in (0, lag))
            for total, one in zip(
                (products, squares), _sums(climatology, first, last), strict=True
            ):
                added = one.reshape(len(channels), ny, nx)
                added *= weights
                if block > 1:  # else the sums over blocks would be copies
                    added = np.add.reduceat(added, rows, axis=-2)
                    added = np.add.reduceat(added, columns, axis=-1)
                total[row] += added
    whole = [total.sum(axis=(-2, -1), keepdims=True) for total in (products, squares)]
    prior = PRIOR_STARTS / np.maximum(starts, 1)[:, None, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        overall = np.where(whole[1] > 0, whole[0] / whole[1], 0.0)
        own = np.where(squares > 0, products / squares, overall)
    fitted = np.clip((own + prior * overall) / (1 + prior), 0.0, 1.0)
    reached = (whole[1] > 0).any(axis=(1, 2, 3))
    return LagCorrelation(
        np.concatenate([[0], lags[reached]]),
        np.concatenate([np.ones((1, *fitted.shape[1:])), fitted[reached]]),
        block,
        (ny, nx),
    )


def _block(store: TrainingStore, values: int) -> int:
    """Return how many rows and columns of cells have one coefficient."""
    ny, nx = store.grid.shape
    if isinstance(store.grid, PeriodicGrid) and store.valid_mask is None:
        return max(ny, nx)
    return max(1, int(np.ceil(np.sqrt(2 * values * ny * nx / MOST_VALUES))))


def _starts(segments: Sequence[Segment], lag: int) -> list[tuple[Segment, int]]:
    """Return initial times from which a lag stays in the training split: all, or `MOST_STARTS` spread evenly."""
    rooms = np.array([max(len(segment) - lag, 0) for segment in segments])
    ends = np.cumsum(rooms)
    if ends[-1] <= MOST_STARTS:
        return [
            (segment, segment.start + offset)
            for segment, room in zip(segments, rooms.tolist(), strict=True)
            for offset in range(room)
        ]
    found = []
    for number in range(MOST_STARTS):
        place = int(np.searchsorted(ends, number * ends[-1] // MOST_STARTS, side="right"))
        # Multiples of the golden ratio meet all parts of a segment, however many segments there are.
        offset = int(number * _GOLDEN % 1.0 * rooms[place])
        found.append((segments[place], segments[place].start + offset))
    return found


@dataclass(frozen=True)
class _States:
    """States of the training split at some times of any trajectories."""

    times: np.ndarray
    fields: Float32[np.ndarray, "time value"]

    @classmethod
    def read(
        cls,
        store: TrainingStore,
        starts: Sequence[tuple[Segment, int]],
        lag: int,
        channels: list[int],
    ) -> "_States":
        """Read some channels of the states a lag after some initial times."""
        numbers = [start + lag for _, start in starts]
        shape = (len(store.variables), *store.grid.shape)
        fields = np.empty((len(numbers), *shape), np.float32)
        for field, (segment, _), number in zip(fields, starts, numbers, strict=True):
            store.read_into(field[None], segment.trajectory, number)
        if channels != list(range(len(store.variables))):
            fields = fields[:, channels]
        return cls(store.times[numbers], fields.reshape(len(numbers), -1))


def _sums(
    climatology: Climatology, first: _States, last: _States
) -> tuple[Float64[np.ndarray, " value"], Float64[np.ndarray, " value"]]:
    """Return Σ a b and Σ a² of the anomalies a of the first states and b of the last, value by value of a state."""
    coefficients = climatology.coefficients.reshape(len(climatology.coefficients), -1)
    bases = [climatology.basis(states.times) for states in (first, last)]
    count = first.fields.shape[1]
    products, squares = np.empty(count), np.empty(count)
    for start in range(0, count, VALUES_TOGETHER):
        part = slice(start, min(start + VALUES_TOGETHER, count))
        anomalies = []
        for states, basis in zip((first, last), bases, strict=True):
            few = coefficients[:, part]
            # Of a climatology without cycles a product of matrices is several times slower.
            anomaly = basis * few if len(few) == 1 else basis @ few
            np.subtract(states.fields[:, part], anomaly, out=anomaly)
            if np.isnan(anomaly.sum()):
                anomaly[np.isnan(anomaly)] = 0.0
            anomalies.append(anomaly)
        a, b = anomalies
        np.einsum("tv,tv->v", a, b, out=products[part])
        np.einsum("tv,tv->v", a, a, out=squares[part])
    return products, squares
