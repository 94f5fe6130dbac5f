"""How long forecasts stay stable and useful: the first lead at which something happens, with intervals."""

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64

from triton_earth.evaluation.aggregator import TRUTH, Finished
from triton_earth.evaluation.bootstrap import Bootstrap
from triton_earth.evaluation.metrics.error_metrics import METRICS, both_vary, correlation
from triton_earth.evaluation.metrics.error_sums import ErrorSums
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.metrics.stability import (
    NO_TRUTH,
    STABLE,
    LeadBands,
    Stability,
    departures,
    first_departure,
    first_lead,
    ratio_to_truth,
)
from triton_earth.evaluation.metrics.totals import Totals
from triton_earth.evaluation.results import Results
from triton_earth.models.reference import ClimatologyForecast

CLIMATOLOGY = ClimatologyForecast.name
"""Name of the climatology among the baselines."""

NOT_REACHED = "missing where it is not reached within the evaluated leads"

SKILL_CORRELATION = 0.5
"""Pattern correlation below which a forecast is no longer useful."""


SKILL_ACC = 0.6
"""Anomaly correlation below which a forecast is no longer useful, by the custom of weather forecasting."""


def median_horizon(
    horizons: Float64[np.ndarray, " init"], weights: Float64[np.ndarray, "resample init"]
) -> Float64[np.ndarray, " resample"]:
    """Return the weighted median of horizons, some of which are not reached.

        median_r = min { h : Σ_{h_i ≤ h} W_ri ≥ ½ Σ_i W_ri }

    Unlike a mean it needs no assumption about forecasts that outlast the evaluation: they count as later than all.

    Args:
        horizons: Horizon of each initial condition in leads; +∞ where it was not reached.
        weights: Weights W of `resampling_weights`; one row of ones gives the plain (lower) median.

    Returns:
        Median in leads; +∞ where fewer than half of the initial conditions reached it, NaN where the weights are NaN.
    """
    order = np.argsort(horizons)
    shares = np.cumsum(weights[:, order], axis=1)
    reached = shares >= 0.5 * shares[:, -1:]
    median = horizons[order][np.argmax(reached, axis=1)]
    return np.where(np.isnan(shares[:, -1]), np.nan, median)


def loses_correlation(
    correlation: Float64[np.ndarray, "*batch"], least: float = SKILL_CORRELATION
) -> Bool[np.ndarray, "*batch"]:
    """Return where the mean correlation is below `least`, or undefined."""
    return ~(correlation >= least)


def loses_to(
    error: Float64[np.ndarray, "*batch"], baseline: Float64[np.ndarray, "*batch"]
) -> Bool[np.ndarray, "*batch"]:
    """Return where an error is not smaller than the baseline's, or undefined."""
    return ~(error < baseline)


@dataclass(frozen=True)
class Horizons:
    """The horizons of every forecast.

    Attributes:
        bands: Reference bands of the stability horizon.
    """

    bands: LeadBands

    def __call__(self, finished: Finished) -> xr.Dataset:
        """Return stability and skill horizons, in time steps.

        Returns:
            `stability_horizon`, `stable_fraction`, `skill_horizon`, `acc_horizon`, `persistence_horizon` and the like
            of every other baseline (forecast), each with NAME_interval (forecast, bound); each horizon of single
            variables as NAME_by_variable (forecast, variable), and the worst of them as NAME_variable (forecast);
            `stability_criterion` (forecast); `initial_stability_horizon`, `initial_stable` and
            `initial_stability_criterion` (forecast, init). A horizon that is not reached is NaN.
        """
        case, bootstrap = finished.case, finished.bootstrap
        results, errors = Results(bootstrap), finished.get(Errors)
        each = [self._stability(finished, source) for source in case.forecasts]
        median = [median_horizon(one.horizon, bootstrap.samples) for one in each]
        words = self.bands.words(case.variables.names)
        _add(
            results,
            "stability_horizon",
            median,
            "stability horizon",
            "first lead at which the forecast is not finite, or a mean, variance, the energy or the small-scale "
            f"enstrophy is outside the band around the truth {words}; median over initial conditions, of which those "
            f"that stay inside count as later than all; {NOT_REACHED} by half of the initial conditions",
        )
        _add(
            results,
            "stability_horizon_by_variable",
            [self._by_variable(finished, source) for source in case.forecasts],
            "stability horizon of each variable",
            "first lead at which the variable is not finite, or its mean or variance is outside the band around the "
            f"truth {words}; median over initial conditions as stability_horizon; {NOT_REACHED} by half of them",
        )
        _add_stability(results, each)
        horizon = _Horizon(finished, results)
        horizon.add(
            "skill_horizon",
            [loses_correlation(_joined(bootstrap, errors.of(source))) for source in case.forecasts],
            "useful-skill horizon",
            f"first lead at which the correlation (averaged over initial conditions) is below {SKILL_CORRELATION}",
        )
        anomalies = [errors.anomalies_of(source) for source in case.forecasts]
        with_climatology = [sums for sums in anomalies if sums is not None]
        if with_climatology:
            horizon.add(
                "acc_horizon",
                [
                    loses_correlation(_joined(bootstrap, sums), SKILL_ACC)
                    for sums in with_climatology
                ],
                "anomaly-correlation horizon",
                "first lead at which the anomaly correlation (averaged over initial conditions) is below "
                f"{SKILL_ACC}",
            )
        rmse = METRICS["rmse"]
        means = [
            bootstrap.means(rmse.of_one(errors.of(source)), rmse.finish, joined=True)
            for source in case.forecasts
        ]
        for baseline in case.forecasts[len(case.models) :]:
            name = case.names[baseline]
            horizon.add(
                f"{name.replace(' ', '_')}_horizon",
                [
                    loses_to(mean, means[baseline]) & (source != baseline)
                    for source, mean in enumerate(means)
                ],
                f"lead at which {name} wins",
                f"first lead at which the rmse is not smaller than that of {name}",
            )
        return results.dataset()

    def _stability(self, finished: Finished, source: int) -> Stability:
        case, ratios = finished.case, {}
        totals = finished.find(Totals)
        if totals is not None:
            for name, whole in (("energy", "energy"), ("small_scale_enstrophy", "enstrophy")):
                quantity, total = getattr(totals, name), getattr(totals, whole)
                ratios[name] = ratio_to_truth(quantity[source], quantity[TRUTH], total[TRUTH])
        outside = departures(
            finished.get(Errors).of(source),
            case.variables.names,
            ratios,
            self.bands,
            anomalies=finished.get(Errors).anomalies_of(source),
            climatology=self._climatology(finished),
        )
        return first_departure(outside, finished.bootstrap.available, case.alignment.numbers)

    def _by_variable(
        self, finished: Finished, source: int
    ) -> Float64[np.ndarray, "sample variable"]:
        """Return the stability horizon of each variable, judged by what is its own: finite, mean, variance."""
        medians, bootstrap, errors = [], finished.bootstrap, finished.get(Errors)
        anomalies, climatology = errors.anomalies_of(source), self._climatology(finished)
        for index, name in enumerate(finished.case.variables.names):
            outside = departures(
                _only(errors.of(source), index),
                [name],
                {},
                self.bands.of(index),
                anomalies=None if anomalies is None else _only(anomalies, index),
                climatology=None if climatology is None else _only(climatology, index),
            )
            leads = finished.case.alignment.numbers
            horizon = first_departure(outside, bootstrap.available, leads).horizon
            medians.append(median_horizon(horizon, bootstrap.samples))
        return np.stack(medians, axis=1)

    def _climatology(self, finished: Finished) -> ErrorSums | None:
        """Return the sums of the climatology beside the truth; None where it is not among the baselines."""
        case = finished.case
        if CLIMATOLOGY not in case.baselines.names:
            return None
        place = len(case.models) + case.baselines.names.index(CLIMATOLOGY)
        return finished.get(Errors).of(place)


class _Horizon:
    """Adds the horizon of each variable."""

    def __init__(self, finished: Finished, results: Results) -> None:
        self._leads, self._results = finished.case.alignment.numbers, results
        self._variables, self._scored = finished.case.variables.names, results.bootstrap.scored

    def add(
        self,
        name: str,
        happens: list[Bool[np.ndarray, "sample lead variable"]],
        long_name: str,
        definition: str,
    ) -> None:
        """Add a horizon of each variable, that of the worst of them, and which that is."""
        samples = np.stack([self._first(one) for one in happens], axis=1)
        worst = samples.min(axis=-1)
        named = np.where(
            np.isinf(worst[0]), STABLE, np.array(self._variables)[samples[0].argmin(axis=-1)]
        )
        words = f"{definition} for any variable; {NOT_REACHED}"
        _add(self._results, name, list(worst.T), long_name, words)
        self._results.add_plain(
            f"{name}_variable",
            ("forecast",),
            named,
            long_name=f"variable of the {long_name}",
            definition=f"the variable that reaches {name} first; '{STABLE}' where none does",
        )
        _add(
            self._results,
            f"{name}_by_variable",
            list(samples.swapaxes(0, 1)),
            f"{long_name} of each variable",
            f"{definition}; {NOT_REACHED}",
        )

    def _first(
        self, happens: Bool[np.ndarray, "sample lead variable"]
    ) -> Float64[np.ndarray, "sample variable"]:
        """Return the first lead at which something happens, of those that were scored in each sample."""
        there = happens & self._scored[..., None]
        return first_lead(np.swapaxes(there, 1, 2), self._leads)


def _only(sums: ErrorSums, variable: int) -> ErrorSums:
    """Return the sums of a single variable, which keeps its axis."""
    return ErrorSums(*sums.to_array()[..., variable : variable + 1])


def _joined(bootstrap: Bootstrap, sums: ErrorSums) -> np.ndarray:
    """Return the mean correlation of the initial conditions that have one."""
    return bootstrap.means(correlation(sums), joined=True, defined=both_vary(sums))


def _add(
    results: Results,
    name: str,
    samples: list[Float64[np.ndarray, "sample *variable"]],
    long_name: str,
    definition: str,
) -> None:
    """Add a horizon of every forecast, with NaN, the missing value of files, in place of +∞."""
    bounds = [results.bootstrap.joined_interval(one) for one in samples]
    dimensions = ("forecast", "variable")[: samples[0].ndim]
    results.add_with_bounds(
        name,
        dimensions,
        _finite_or_nan(np.stack([one[0] for one in samples])),
        _finite_or_nan(np.stack(bounds)),
        long_name=f"{long_name} in time steps",
        units="1",
        definition=definition,
        note="; a bound that is missing is not reached within the evaluated leads",
    )


def _add_stability(results: Results, each: list[Stability]) -> None:
    """Add which forecasts stay inside the bands, and what those that do not lose first."""
    weights = results.bootstrap.samples
    stable = np.stack([one.stable for one in each], axis=1).astype(np.float64)
    fractions = weights @ stable / weights.sum(axis=1, keepdims=True)
    results.add(
        "stable_fraction",
        ("forecast",),
        list(fractions.T),
        joined=True,
        long_name="stable fraction",
        units="1",
        definition="fraction of the initial conditions whose forecast stays inside the stability bands at every lead "
        "that was scored for it",
    )
    results.add_plain(
        "stability_criterion",
        ("forecast",),
        np.array([_commonest(one) for one in each]),
        long_name="criterion that trips first",
        definition="commonest first criterion among the initial conditions that leave the band; "
        f"'{STABLE}' where none does",
        counts=json.dumps([Counter(one.criterion) for one in each]),
    )
    dimensions = ("forecast", "init")
    results.add_plain(
        "initial_stability_horizon",
        dimensions,
        _finite_or_nan(np.stack([one.horizon for one in each])),
        long_name="stability horizon of each initial condition",
        units="1",
        definition=f"stability_horizon of a single initial condition; {NOT_REACHED}",
    )
    results.add_plain(
        "initial_stable",
        dimensions,
        np.stack([one.stable for one in each]),
        long_name="stable at every scored lead",
        definition="whether the forecast never leaves the stability bands",
    )
    results.add_plain(
        "initial_stability_criterion",
        dimensions,
        np.array([one.criterion for one in each]),
        long_name="criterion that trips first",
        definition=f"criterion outside its band at the stability horizon; '{STABLE}' where stable",
    )


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
    """Return horizons with NaN, the missing value of files, in place of +∞."""
    return np.where(np.isfinite(values), values, np.nan)


def _commonest(one: Stability) -> str:
    tripped = Counter(one.criterion)
    del tripped[STABLE], tripped[NO_TRUTH]
    return tripped.most_common(1)[0][0] if tripped else STABLE
