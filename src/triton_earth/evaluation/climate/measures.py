"""What is measured of a long run while it passes: numbers of each step, and maps of the anomalies and their squares."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import scipy.fft
from jaxtyping import Bool, Float, Float64

from triton_earth.core.grid import Grid
from triton_earth.core.time import Duration
from triton_earth.data.statistics.climatology import Climatology, harmonic_basis

LAGS = (1, 5)
"""Lags, in steps, at which anomalies are multiplied with earlier ones."""

QUANTILES = (0.01, 0.99)
QUANTILES_EVERY = 10
"""Steps between those at which quantiles are taken."""

MEAN, SQUARE, CHANGE = 0, 1, 2
PRODUCTS = 3
BANDS = PRODUCTS + len(LAGS)
"""Columns of the numbers of a step: area mean and mean square of the anomaly, mean square of its change, its products
with earlier ones, then its variance in octaves of the wavenumber along rows, then its quantiles."""

_DAY = np.timedelta64(1, "D")
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Measures:
    """How states are measured; what a run and the truth must share to be compared.

    Attributes:
        grid: Where the cells are.
        weights: Area weights of the valid cells of each variable, with the sum 1; 0 in cells that are not valid.
        step: Time between successive states.
    """

    grid: Grid
    weights: Float64[np.ndarray, "channel y x"]
    step: Duration

    @classmethod
    def of(
        cls,
        grid: Grid,
        variables: int,
        valid_mask: Bool[np.ndarray, "channel y x"] | None,
        step: Duration,
        cell_weights: Float64[np.ndarray, "y x"] | None = None,
    ) -> "Measures":
        """Return the measures of some variables on a grid; where no weights are given, those of the cell areas."""
        area = grid.cell_area_weights if cell_weights is None else cell_weights
        weights = np.broadcast_to(area, (variables, *grid.shape)).copy()
        if valid_mask is not None:
            weights[~valid_mask] = 0
        total = weights.sum(axis=(1, 2), keepdims=True)
        return cls(
            grid, np.divide(weights, total, where=total > 0, out=np.zeros_like(weights)), step
        )

    @property
    def bands(self) -> int:
        """Number of octaves of the wavenumber along rows (1, 2-3, 4-7, …)."""
        return max(1, int(np.floor(np.log2(max(2, self.grid.shape[1] // 2)))))

    @property
    def columns(self) -> int:
        """Numbers of each step and variable."""
        return BANDS + self.bands + len(QUANTILES)

    @property
    def has_calendar(self) -> bool:
        """Whether times are dates."""
        return isinstance(self.step, np.timedelta64)

    def steps(self, days: int, without_calendar: int) -> int:
        """Return the number of steps in so many days; without a calendar the number that is given for it."""
        if not isinstance(self.step, np.timedelta64):
            return without_calendar
        return max(1, round(days * float(_DAY / self.step)))

    @property
    def month(self) -> int:
        """Steps of the windows of means: 30 days, or 10 steps."""
        return self.steps(30, 10)

    @property
    def quarter(self) -> int:
        """Steps of the windows of variances: 90 days, or 30 steps."""
        return self.steps(90, 30)

    @property
    def season(self) -> int:
        """Steps of a season: 91 days, or 30 steps."""
        return self.steps(91, 30)

    @property
    def year(self) -> float | None:
        """Steps of a year; None without a calendar."""
        if not isinstance(self.step, np.timedelta64):
            return None
        return YEAR_DAYS * float(_DAY / self.step)

    def mean(
        self, fields: Float[np.ndarray, "batch channel y x"]
    ) -> Float64[np.ndarray, "batch channel"]:
        """Return the area mean over the valid cells."""
        batch, channels = fields.shape[:2]
        flat = fields.reshape(batch, channels, -1).astype(np.float64, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.einsum("bcp,cp->bc", flat, self.weights.reshape(channels, -1))

    def band_variances(
        self, anomaly: Float[np.ndarray, "y x"], channel: int
    ) -> Float64[np.ndarray, " band"]:
        """Return the variance along rows in octaves of the wavenumber, averaged over rows by their area.

        Rows that reach around are expanded in Fourier series, others in cosines; land counts as no anomaly, in a run as
        in the truth. The wavenumber of a cosine is that of its half waves.

        Args:
            anomaly: Anomaly of one variable.
            channel: Which one.
        """
        by_wave = self.weights[channel].sum(axis=1) @ self._power(anomaly)
        edges = [2**band for band in range(self.bands)]
        ends = [*edges[1:], len(by_wave)]
        return np.array([by_wave[low:high].sum() for low, high in zip(edges, ends, strict=True)])

    def _power(self, anomaly: Float[np.ndarray, "y x"]) -> Float64[np.ndarray, "y wave"]:
        """Return the variance of every row by the wavenumber."""
        columns = self.grid.shape[1]
        if self.grid.padding[1] != "periodic":
            return scipy.fft.dct(anomaly, axis=-1, norm="ortho") ** 2 / columns
        waves = scipy.fft.rfft(anomaly, axis=-1, norm="forward")
        power = waves.real**2
        power += waves.imag**2
        power[:, 1 : (columns + 1) // 2] *= 2
        return power

    def quantiles(
        self, anomaly: Float[np.ndarray, "batch channel y x"]
    ) -> Float64[np.ndarray, "batch channel quantile"]:
        """Return the values below which given parts of the valid cells lie."""
        batch, channels = anomaly.shape[:2]
        found = np.full((batch, channels, len(QUANTILES)), np.nan)
        for channel in range(channels):
            cells = anomaly[:, channel][:, self.weights[channel] > 0]
            finite = np.isfinite(cells).all(axis=1)
            if finite.any() and cells.shape[1]:
                found[finite, channel] = np.quantile(cells[finite], QUANTILES, axis=1).T
        return found


class RunStatistics:
    """Statistics of some runs that advance together, one step after the other; memory does not grow but for numbers.

        x′(t) = x(t) − c(t),    c the climatology of the training split

    Attributes:
        times: Valid times of every step so far.
        anomaly_sum: Σ x′ over steps.
        square_sum: Σ x′² over steps.
        season_squares: Area mean of (mean of x′ over a season)², of every complete season.
        row_sums: Σ x′ (1, cos 2πφ, sin 2πφ) of the mean of each row; φ is the elapsed fraction of the calendar year.
            Zero without a calendar.
        row_normal: Σ of the products of the same three.
    """

    def __init__(self, measures: Measures, climatology: Climatology, batch: int) -> None:
        """Begin some runs.

        Args:
            measures: How states are measured.
            climatology: c.
            batch: Number of runs.
        """
        self.measures, self.climatology = measures, climatology
        channels = len(measures.weights)
        shape = (batch, channels, *measures.grid.shape)
        self.times: list[np.ndarray] = []
        self.anomaly_sum, self.square_sum, self._season_sum = (np.zeros(shape) for _ in range(3))
        self.season_squares: list[np.ndarray] = []
        self.row_sums = np.zeros((batch, 3, channels, measures.grid.shape[0]))
        self.row_normal = np.zeros((batch, 3, 3))
        self._numbers: list[np.ndarray] = []
        self._before: deque[np.ndarray] = deque()
        self._valid = measures.weights > 0

    def add(self, times: np.ndarray, fields: Float[np.ndarray, "batch channel y x"]) -> None:
        """Add the next step of every run.

        Args:
            times: Its valid time in each run, [batch].
            fields: States, in physical units.
        """
        measures = self.measures
        # The oldest anomaly that no lag needs any more makes room for the newest.
        spent = self._before.popleft() if len(self._before) > max(LAGS) else None
        anomaly = np.empty_like(self.anomaly_sum) if spent is None else spent
        rows = np.empty(self.row_sums[:, 0].shape)
        numbers = np.full((*anomaly.shape[:2], measures.columns), np.nan)
        basis = self.climatology.basis(times)
        with np.errstate(invalid="ignore", over="ignore"):
            # One field of one variable at a time, which stays in a processor's cache.
            for channel, weights in enumerate(measures.weights):
                harmonics = self.climatology.coefficients[:, channel].reshape(basis.shape[1], -1)
                land = None if self._valid[channel].all() else ~self._valid[channel]
                for run in range(len(fields)):
                    one = anomaly[run, channel]
                    np.matmul(basis[run], harmonics, out=one.reshape(-1))
                    np.subtract(fields[run, channel], one, out=one)
                    if land is not None:
                        one[land] = 0.0
                    rows[run, channel] = self._add_field(run, channel, weights, one, numbers)
            if len(self.times) % QUANTILES_EVERY == 0:
                numbers[..., BANDS + measures.bands :] = measures.quantiles(anomaly)
        self._numbers.append(numbers)
        if measures.has_calendar:
            yearly = harmonic_basis(times, 1)
            with np.errstate(invalid="ignore", over="ignore"):
                self.row_sums += yearly[:, :, None, None] * rows[:, None]
            self.row_normal += yearly[:, :, None] * yearly[:, None, :]
        self._before.append(anomaly)
        self.times.append(times)
        if len(self.times) % measures.season == 0:
            with np.errstate(invalid="ignore", over="ignore"):
                self.season_squares.append(measures.mean((self._season_sum / measures.season) ** 2))
            self._season_sum[:] = 0

    def _add_field(
        self,
        run: int,
        channel: int,
        weights: Float64[np.ndarray, "y x"],
        anomaly: Float64[np.ndarray, "y x"],
        numbers: Float64[np.ndarray, "run channel column"],
    ) -> Float64[np.ndarray, " y"]:
        """Add the anomaly of one variable of one run, put what is measured of it into numbers, and return its rows."""
        measures, at = self.measures, (run, channel)
        weighted = anomaly * weights
        rows, flat = weighted.sum(axis=-1), weighted.ravel()
        numbers[*at, MEAN] = rows.sum()
        numbers[*at, SQUARE] = flat @ anomaly.ravel()
        for place, lag in enumerate(LAGS):
            if len(self._before) >= lag:
                numbers[*at, PRODUCTS + place] = flat @ self._before[-lag][at].ravel()
        square = anomaly * anomaly
        self.square_sum[at] += square
        self.anomaly_sum[at] += anomaly
        self._season_sum[at] += anomaly
        if self._before:
            change = np.subtract(anomaly, self._before[-1][at], out=square)
            change *= change
            numbers[*at, CHANGE] = change.ravel() @ weights.ravel()
        numbers[*at, BANDS : BANDS + measures.bands] = measures.band_variances(anomaly, channel)
        area = weights.sum(axis=-1)
        return np.divide(rows, area, where=area > 0, out=np.zeros_like(rows))

    @property
    def newest(self) -> Float64[np.ndarray, "batch channel y x"]:
        """The anomaly that was added last."""
        return self._before[-1]

    @property
    def steps(self) -> int:
        """Steps so far."""
        return len(self.times)

    @property
    def numbers(self) -> Float64[np.ndarray, "batch step channel column"]:
        """The numbers of every step so far; the columns are those of this module."""
        return np.stack(self._numbers, axis=1)

    @property
    def valid_times(self) -> np.ndarray:
        """Valid times, [batch, step]."""
        return np.stack(self.times, axis=1)


def row_means(
    anomaly: Float[np.ndarray, "batch channel y x"], weights: Float64[np.ndarray, "channel y x"]
) -> Float64[np.ndarray, "batch channel y"]:
    """Return the mean of each row over its valid cells; 0 where it has none."""
    rows = weights.sum(axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.einsum("bcyx,cyx->bcy", anomaly, weights)
    return np.divide(total, rows, where=rows > 0, out=np.zeros_like(total))


def expected_map(squares: Climatology, times: np.ndarray) -> Float64[np.ndarray, "channel y x"]:
    """Return the climatology of a quantity averaged over some times."""
    basis = harmonic_basis(times, squares.yearly_harmonics, squares.daily_harmonics).mean(axis=0)
    return np.tensordot(basis, squares.coefficients, axes=1)
