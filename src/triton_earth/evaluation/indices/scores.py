"""Scores of indices by lead: correlation and error over all starts, and over those of a season or a month."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, Int

from triton_earth.evaluation.aggregator import Finished
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.indices.measures import Index
from triton_earth.evaluation.results import Results

SEASONS = ("DJF", "MAM", "JJA", "SON")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FEWEST_STARTS = 3
"""Fewest starts that have a correlation: two points always lie on a line."""

USEFUL = 0.5
"""Correlation that forecasts of El Niño are called useful from."""

_CORRELATION, _RMSE = 0, 1


def season_of(months: Int[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
    """Return the number of the season, as in `SEASONS`, of months 1 … 12."""
    return months % 12 // 3


def months_of(times: np.ndarray) -> Int[np.ndarray, " time"]:
    """Return the month, 1 … 12, of dates."""
    return times.astype("datetime64[M]").astype(np.int64) % 12 + 1


@dataclass(frozen=True)
class _Pairs:
    """Forecasts and truth of one index, departures from its own season, by initial condition and lead."""

    forecast: Float64[np.ndarray, "init lead"]
    truth: Float64[np.ndarray, "init lead"]
    available: Bool[np.ndarray, "init lead"]

    def scores(
        self, rows: Bool[np.ndarray, " init"], bootstrap: Bootstrap
    ) -> Float64[np.ndarray, "sample lead 2"]:
        """Return correlation and RMSE over some initial conditions: of the data first, then of each resample.

        r = ⟨(x − ⟨x⟩)(y − ⟨y⟩)⟩ / √(⟨(x − ⟨x⟩)²⟩ ⟨(y − ⟨y⟩)²⟩),      RMSE = √⟨(x − y)²⟩
        """
        x, y, there = self.forecast[rows], self.truth[rows], self.available[rows]
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.where(np.isfinite(x), (x - y) ** 2, np.inf)
            moments = np.stack([x, y, x * x, y * y, x * y, error], axis=-1)
        known = np.broadcast_to(there[..., None], moments.shape)
        found = _correlation_and_rmse(bootstrap.means(moments, defined=known))
        found[:, there.sum(axis=0) < FEWEST_STARTS, _CORRELATION] = np.nan
        return found


def _correlation_and_rmse(
    means: Float64[np.ndarray, "sample lead 6"],
) -> Float64[np.ndarray, "sample lead 2"]:
    x, y, xx, yy, xy, error = np.moveaxis(means, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (xx - x * x) * (yy - y * y)
        # What is constant to rounding has no correlation.
        is_varied = (xx - x * x > 1e-12 * xx) & (yy - y * y > 1e-12 * yy)
        r = np.where(is_varied, (xy - x * y) / np.sqrt(np.maximum(spread, 0.0)), np.nan)
        return np.stack([np.clip(r, -1.0, 1.0), np.sqrt(error)], axis=-1)


def index_scores(
    indices: Sequence[Index],
    values: Float64[np.ndarray, "source init lead index"],
    initial: Float64[np.ndarray, "init index"],
    finished: Finished,
) -> xr.Dataset:
    """Return the scores of indices.

    Args:
        indices: The indices.
        values: Their values of models, baselines and truth.
        initial: Their true values at the initial times.
        finished: What was evaluated, and the resamples.

    Returns:
        `index_correlation` and `index_rmse` (forecast, lead_time, index), the same as NAME_by_season (…, start_season)
        and NAME_by_month (…, start_month), all with intervals; `index_useful_leads` (forecast, index); and the series
        `index_value` (source, lead_time, init, index) and `index_initial` (init, index).
    """
    case, bootstrap = finished.case, finished.bootstrap
    results = Results(bootstrap)
    times = np.asarray(case.forecast.init_times)
    cycles = np.stack([one.cycle(times[:, None] + case.lead_times) for one in indices], axis=-1)
    departures = values - cycles
    available = np.isfinite(values[-1])
    pairs = [
        [_Pairs(own, true, there) for own, true, there in zip(*parts, strict=True)]
        for parts in (
            (
                np.moveaxis(departures[forecast], -1, 0),
                np.moveaxis(departures[-1], -1, 0),
                np.moveaxis(available, -1, 0),
            )
            for forecast in case.forecasts
        )
    ]
    months = months_of(times)
    every = np.ones(len(times), bool)
    estimates, bounds = _of_groups(pairs, [every], finished)
    units = [index.units for index in indices]
    where = ("forecast", "lead_time", "index")
    _add(results, "", where, estimates[0], bounds[0], units, "over initial conditions")
    for suffix, dimension, groups in (
        ("_by_season", "start_season", [season_of(months) == one for one in range(4)]),
        ("_by_month", "start_month", [months == one for one in range(1, 13)]),
    ):
        estimates, bounds = _of_groups(pairs, groups, finished)
        words = f"over initial conditions of each {dimension.removeprefix('start_')}"
        _add(results, suffix, (dimension, *where), estimates, bounds, units, words)
        results.add_plain(
            f"index_starts{suffix}",
            (dimension,),
            np.array([int(group.sum()) for group in groups]),
            long_name=f"initial conditions of each {dimension.removeprefix('start_')}",
            units="1",
            definition=f"number of initial conditions by {dimension.replace('_', ' ')}",
        )
    correlation = results.data["index_correlation"][1]
    results.add_plain(
        "index_useful_leads",
        ("forecast", "index"),
        (correlation >= USEFUL).cumprod(axis=1).sum(axis=1),
        long_name="leads with a useful forecast of the index",
        units="1",
        definition=f"number of leads, from the first on, at which the correlation of the index is at least {USEFUL}",
    )
    _add_series(results, values, initial, units)
    return results.dataset(_coordinates(indices, units))


def _of_groups(
    pairs: list[list[_Pairs]], groups: Sequence[Bool[np.ndarray, " init"]], finished: Finished
) -> tuple[
    Float64[np.ndarray, "group forecast lead index 2"],
    Float64[np.ndarray, "group forecast lead index 2 bound"],
]:
    """Return the scores over each group of initial conditions, with intervals from resamples of the group itself."""
    case = finished.case
    shape = (len(groups), len(pairs), len(case.lead_times), len(pairs[0]), 2)
    estimates, bounds = np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    for group, rows in enumerate(groups):
        if not rows.any():
            continue
        bootstrap = finished.bootstrap if rows.all() else _drawn(rows, finished)
        for forecast, number, one in _each(pairs):
            samples = one.scores(rows, bootstrap)
            estimates[group, forecast, :, number] = samples[0]
            bounds[group, forecast, :, number] = bootstrap.interval(samples)
    return estimates, bounds


def _each(pairs: list[list[_Pairs]]) -> Iterator[tuple[int, int, _Pairs]]:
    for forecast, of_forecast in enumerate(pairs):
        for number, one in enumerate(of_forecast):
            yield forecast, number, one


def _drawn(rows: Bool[np.ndarray, " init"], finished: Finished) -> Bootstrap:
    """Return resamples of some of the initial conditions."""
    case = finished.case
    return Bootstrap.draw(
        np.asarray(case.forecast.trajectories)[rows],
        np.asarray(case.forecast.init_times)[rows],
        case.lead_times,
        case.alignment.available[rows],
        resamples=finished.bootstrap.resamples,
        seed=case.seed,
    )


def _add(
    results: Results,
    suffix: str,
    dimensions: tuple[str, ...],
    estimates: np.ndarray,
    bounds: np.ndarray,
    units: list[str],
    words: str,
) -> None:
    results.add_with_bounds(
        f"index_correlation{suffix}",
        dimensions,
        estimates[..., _CORRELATION],
        bounds[..., _CORRELATION, :],
        long_name="correlation of the index",
        units="1",
        definition=f"correlation of the forecast index with the true one {words}, both as departures from their "
        f"season; missing of fewer than {FEWEST_STARTS} and where either is constant",
    )
    results.add_with_bounds(
        f"index_rmse{suffix}",
        dimensions,
        estimates[..., _RMSE],
        bounds[..., _RMSE, :],
        long_name="root mean square error of the index",
        units=units,
        definition=f"root mean square difference of the forecast index from the true one {words}",
    )


def _add_series(
    results: Results, values: np.ndarray, initial: np.ndarray, units: list[str]
) -> None:
    results.add_plain(
        "index_value",
        ("source", "init", "lead_time", "index"),
        values,
        long_name="value of the index",
        units=units,
        definition="value of the index of each forecast and the truth at each lead of each initial condition",
    )
    results.add_plain(
        "index_initial",
        ("init", "index"),
        initial,
        long_name="value of the index at the initial time",
        units=units,
        definition="true value of the index at each initial time",
    )


def _coordinates(indices: Sequence[Index], units: list[str]) -> dict[str, tuple]:
    """Return the coordinates of the scores: names of indices with what they are, seasons, months."""
    definitions = [one.definition for one in indices]
    words = [f"{one.words}; {one.region} ({one.source})" for one in definitions]
    return {
        "index": ("index", [one.name for one in definitions], {"long_name": "index"}),
        "index_long_name": ("index", [one.long_name for one in definitions], {}),
        "index_definition": ("index", words, {"long_name": "how the index is made"}),
        "index_units": ("index", units, {"long_name": "units of the index"}),
        "start_season": ("start_season", list(SEASONS), {"long_name": "season of the start"}),
        "start_month": ("start_month", list(MONTHS), {"long_name": "month of the start"}),
    }
