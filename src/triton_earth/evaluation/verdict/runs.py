"""Runs: whether their values are sound, whether they stay in the climate, and what they keep of variance and scales."""

import numpy as np
import xarray as xr
from scipy.stats import binom

from triton_earth.core.lead_times import LeadTimes
from triton_earth.core.wording import (
    interval,
    is_baseline,
    number,
    units_of,
    variable_names,
    variable_words,
)
from triton_earth.evaluation.aggregator import TRUTH_NAME
from triton_earth.evaluation.metrics.possible_ranges import impossible_ranges
from triton_earth.evaluation.verdict.comparison import cases
from triton_earth.evaluation.verdict.finding import Finding, Kind
from triton_earth.evaluation.verdict.predictability import predictable
from triton_earth.evaluation.verdict.wording import MOST_NAMED, bracketed, horizon, said, text

_FACTOR = 2.0
_KEPT = (0.8, 1.25)
_TRUTH_INSIDE = 0.95
"""Part of the runs of another truth that stay inside the bands."""

_CHANCE = 0.05
_CRITERION_NONE = {"", "none", "nan"}


def finite(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return the first lead at which a forecast is not finite; nothing where it always is."""
    if "rmse" not in scores:
        return []
    values = scores["rmse"].sel(forecast=forecast).transpose("variable", "lead_time").values
    lost = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if not lost.size:
        return []
    details = (
        f"In at least one case the forecast is not finite, first at {leads.title(int(lost[0]))}."
    )
    return [Finding("bad", "finite", "All values are finite", "no", details)]


def possible(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return the variables of a forecast and of the truth with values that they cannot have on Earth."""
    question = "All values are possible on Earth"
    return [
        *(
            Finding("bad", "range", question, "no", words)
            for words in impossible_ranges(scores, [forecast])
        ),
        *(
            Finding("note", "range", f"{question}, those of the truth", "no", words)
            for words in impossible_ranges(scores, [TRUTH_NAME])
        ),
    ]


def climate(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return whether the long runs of a forecast stay in the training climate, and how they leave it."""
    if not has_climate(scores, forecast):
        return []
    own = scores.sel(model=forecast)
    failed = own["climate_failure"].values
    runs, left = len(failed), int(failed.any(axis=1).sum())
    bounds = own["climate_skill_interval"].values
    words = interval(float(bounds[0]), float(bounds[1]))
    ratio = (
        f"Climate skill {said(float(own['climate_skill']))}{f' [{words}]' if words else ''}, of the worst run "
        f"{said(float(own['climate_skill_worst']))}."
    )
    question = "Stays in the training climate"
    if not left:
        return [Finding("good", "climate", question, f"in all {runs} runs", ratio)]
    ways = ", ".join(
        f"{str(name).replace('_', ' ')} in {int(count)}"
        for name, count in zip(own["failure"].values, failed.sum(axis=0), strict=True)
        if count
    )
    first = leads.of_step(float(own["climate_horizon"].min()))
    answer = f"in {runs - left} of {runs} runs"
    details = f"The others leave it ({ways}), the first by {first}. {ratio}"
    blown_up = bool(own["climate_failure"].sel(failure="blow_up").any())
    if not blown_up and _as_many_as_of_truth(runs - left, runs):
        details = f"{_AS_OF_TRUTH} {details}"
        return [Finding("note", "climate", question, answer, details)]
    return [Finding("bad", "climate", question, answer, details)]


_AS_OF_TRUTH = "Another truth stays inside in 95 % of the cases, so this may be chance."


def _as_many_as_of_truth(inside: int, total: int) -> bool:
    """Return whether so few runs inside may be chance where 95 of 100 are expected."""
    return bool(binom.cdf(inside, total, _TRUTH_INSIDE) > _CHANCE)


def has_climate(scores: xr.Dataset, forecast: str) -> bool:
    """Return whether a forecast was held against the training climate as a long run."""
    return "climate_failure" in scores and forecast in scores["model"].values


def stability(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return in how many cases a forecast stays within the bands around the truth."""
    if "stable_fraction" not in scores or has_climate(scores, forecast):
        return []
    if _is_mean(scores, forecast):
        return []
    fraction = float(scores["stable_fraction"].sel(forecast=forecast))
    question, total = f"Stable up to {leads.title(-1)}", cases(scores)
    if np.isnan(fraction):
        return [Finding("note", "stability", question, "could not be judged")]
    share = (
        f"in {fraction:.0%} of the cases"
        if total is None
        else f"in {round(fraction * total)} of {total} cases"
    )
    details = [_others_stable(scores, forecast, total)]
    if fraction == 1.0:
        return [Finding("good", "stability", question, share, " ".join(filter(None, details)))]
    left = horizon(scores, "stability_horizon", forecast, leads)
    if left:
        details.append(f"The median forecast leaves the band around the truth at {left}.")
    criterion = text(scores, "stability_criterion", forecast)
    if criterion.lower() not in _CRITERION_NONE:
        quantity, of, variable = criterion.rpartition(" of ")
        details.append(f"First outside the band: {quantity}{of}{variable_words(scores, variable)}.")
    if total is not None and _as_many_as_of_truth(round(fraction * total), total):
        details.insert(0, _AS_OF_TRUTH)
        return [Finding("note", "stability", question, share, " ".join(filter(None, details)))]
    return [Finding("bad", "stability", question, share, " ".join(filter(None, details)))]


def _is_mean(scores: xr.Dataset, forecast: str) -> bool:
    """Return whether a forecast is the mean over members, which loses variance by design."""
    return "ensemble_spread" in scores and not is_baseline(forecast)


def _others_stable(scores: xr.Dataset, forecast: str, total: int | None) -> str:
    """Return in a sentence how many cases of each baseline are stable."""
    parts = []
    for name in (str(name) for name in scores["forecast"].values):
        fraction = float(scores["stable_fraction"].sel(forecast=name))
        if name == forecast or not is_baseline(name) or np.isnan(fraction):
            continue
        count = f"{fraction:.0%}" if total is None else f"{round(fraction * total)}"
        parts.append(f"{name.replace('_', ' ')} in {count}")
    words = ", ".join(parts)
    return f"{words[:1].upper()}{words[1:]}." if parts else ""


def variance(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return whether a forecast keeps the variance of anomalies where errors cannot be compared any more."""
    beyond = predictable(scores) < scores.sizes["lead_time"]
    if "activity" not in scores or not beyond or has_climate(scores, forecast):
        return []
    if _is_mean(scores, forecast):
        return []
    kept = {
        variable: float(scores["activity"].sel(forecast=forecast, variable=variable)[-1])
        for variable in variable_names(scores)
    }
    inside = [value for value in kept.values() if _KEPT[0] <= value <= _KEPT[1]]
    question = f"Variance of anomalies at {leads.title(-1)}, over that of the truth"
    answer = f"within {_KEPT[0]:g} to {_KEPT[1]:g} for {len(inside)} of {len(kept)} variables"
    if len(kept) <= MOST_NAMED:
        answer = ", ".join(
            f"{variable_words(scores, variable)} {said(value)}"
            f"{bracketed(scores, 'activity', {'forecast': forecast, 'variable': variable})}"
            for variable, value in kept.items()
        )
    kind: Kind = "good" if len(inside) == len(kept) else "bad"
    details = f"It counts as kept within {_KEPT[0]:g} to {_KEPT[1]:g}."
    return [Finding(kind, "variance", question, answer, details)]


def small_scales(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return whether the small-scale enstrophy at the last lead is near that of the truth."""
    name = "small_scale_enstrophy"
    if name not in scores or forecast not in scores["source"].values:
        return []
    array = scores[name].isel(lead_time=-1)
    value, truth = (float(array.sel(source=source)) for source in (forecast, TRUTH_NAME))
    within = truth / _FACTOR <= value <= truth * _FACTOR
    details = (
        f"It is {said(value)}{bracketed(scores, name, {'source': forecast})} against {number(truth)} "
        f"{units_of(array)}".rstrip()
    )
    question = (
        f"Small-scale enstrophy within a factor {_FACTOR:g} of the truth at {leads.title(-1)}"
    )
    return [
        Finding(
            "good" if within else "bad",
            "small scales",
            question,
            "yes" if within else "no",
            f"{details}.",
        )
    ]
