"""The verdict in words: what the scores say about each model, with the numbers that say it, good or bad."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import xarray as xr

from triton_earth.core.lead_times import LeadTimes, lead_times
from triton_earth.core.wording import interval, is_baseline, number, one_variable, units_of
from triton_earth.evaluation.aggregator import TRUTH_NAME
from triton_earth.evaluation.metrics.errors import difference_name
from triton_earth.evaluation.metrics.possible_ranges import impossible_ranges
from triton_earth.evaluation.predictability import flattered_by_climatology, predictable
from triton_earth.evaluation.remarks import REMARKS

FINDINGS = "findings"
"""Attribute of the scores that holds the verdict as JSON."""

_NAMED_VARIABLES = 4
_FACTOR = 2.0
_CRITERION_NONE = {"", "none", "nan"}


@dataclass(frozen=True)
class Finding:
    """One sentence of the verdict.

    Attributes:
        kind: Whether it speaks for the model, against it, or does neither.
        subject: What it is about.
        text: The sentence, plain text.
    """

    kind: Literal["good", "bad", "note"]
    subject: Literal[
        "finite", "range", "climate", "stability", "rmse", "correlation", "small scales"
    ]
    text: str


def verdict(scores: xr.Dataset) -> dict[str, list[Finding]]:
    """Return what the scores say about each model; numbers are read and compared, none is computed.

    Args:
        scores: Scores as evaluation gives them, from `triton_earth.evaluate` or a score file; what is not there is not
            spoken of.

    Returns:
        Findings on each model, by name: finite or not, variables with impossible values (in the truth too), climate,
        stability, each baseline and other model, correlation, small scales. Of a long run the verdict has two parts:
        whether it stays in the training climate, in place of the stability of single leads, and how it compares with
        others as far as the truth can be predicted at all.

    Example:
        scores = triton_earth.load_scores("report")
        for finding in next(iter(triton_earth.verdict(scores).values())):
            print(finding.kind, finding.text)
    """
    leads = lead_times(scores["lead_time"])
    judges = (_finite, _range, _climate, _stability, _opponents, _correlation, _small_scales)
    return {
        name: [finding for judge in judges for finding in judge(scores, name, leads)]
        for name in models(scores)
    }


def findings_attribute(scores: xr.Dataset) -> str:
    """Return the verdict as JSON, as the attribute `FINDINGS` of score files holds it."""
    found = {
        name: [asdict(finding) for finding in findings]
        for name, findings in verdict(scores).items()
    }
    return json.dumps(found, ensure_ascii=False)


def relative_difference(scores: xr.Dataset, opponent: str) -> xr.DataArray:
    """Return by how many percent the mean square error of every forecast differs from that of an opponent.

    It is NaN where the opponent has no error.
    """
    mse = scores["mse"]
    held = mse.sel(forecast=opponent, drop=True)
    return 100 * (mse / held.where(held > 0) - 1)


def beyond_chance(scores: xr.Dataset, opponent: str, suffix: str = "") -> xr.DataArray:
    """Return whether the mean square error of every forecast surely differs from that of an opponent.

    Args:
        scores: Scores with the interval of the paired difference.
        opponent: A baseline or another model.
        suffix: Ending of the names of scores that have another dimension, such as ``_by_region``.

    Returns:
        −1 where the whole interval of the difference is below zero (better), 1 where it is above (worse), else 0.

    Raises:
        KeyError: if the difference from the opponent is not in `scores`.
    """
    bounds = scores[f"{difference_name(opponent)}{suffix}_interval"]
    below = bounds.sel(bound="upper", drop=True) < 0
    above = bounds.sel(bound="lower", drop=True) > 0
    return above.astype(np.int64) - below.astype(np.int64)


def against_baselines(scores: xr.Dataset, suffix: str = "") -> xr.DataArray | None:
    """Return −1 where a forecast is surely better than every baseline, 1 where surely worse than any, else 0.

    Args:
        scores: Scores with the intervals of paired differences.
        suffix: As for `beyond_chance`.

    Returns:
        As `beyond_chance`; None where no difference from a baseline is in `scores`.
    """
    names = [str(name) for name in scores["forecast"].values if is_baseline(str(name))]
    there = [name for name in names if f"{difference_name(name)}{suffix}_interval" in scores]
    found = [beyond_chance(scores, name, suffix) for name in there]
    return xr.concat(found, dim="baseline").max("baseline") if found else None


def models(scores: xr.Dataset) -> list[str]:
    """Return the forecasts that are judged: all but the baselines, or all where there is nothing else."""
    names = [str(name) for name in scores["forecast"].values]
    return [name for name in names if not is_baseline(name)] or names


def remarks(scores: xr.Dataset) -> list[str]:
    """Return the sentences on what was scored, and what was not."""
    return str(scores.attrs.get(REMARKS, "")).splitlines()


def cases(scores: xr.Dataset) -> int | None:
    """Return how many initial conditions were scored, or None where that is not said."""
    if "initial_conditions" in scores and scores["initial_conditions"].size:
        return int(scores["initial_conditions"].max())
    return scores.sizes.get("init")


def _finite(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    if "rmse" not in scores:
        return []
    values = scores["rmse"].sel(forecast=forecast).transpose("variable", "lead_time").values
    lost = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if not lost.size:
        return []
    return [
        Finding(
            "bad",
            "finite",
            f"In at least one case the forecast is not finite, first at {leads.title(int(lost[0]))}.",
        )
    ]


def _range(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    own = [Finding("bad", "range", text) for text in impossible_ranges(scores, [forecast])]
    return own + [
        Finding("note", "range", text) for text in impossible_ranges(scores, [TRUTH_NAME])
    ]


def _climate(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    if not has_climate(scores, forecast):
        return []
    own = scores.sel(model=forecast)
    failed = own["climate_failure"].values
    runs, left = len(failed), int(failed.any(axis=1).sum())
    bounds = own["climate_skill_interval"].values
    words = interval(float(bounds[0]), float(bounds[1]))
    skill = (
        f"climate skill {_said(float(own['climate_skill']))}{f' [{words}]' if words else ''}, of the worst run "
        f"{_said(float(own['climate_skill_worst']))}"
    )
    if not left:
        return [
            Finding(
                "good", "climate", f"Stays in the training climate in all {runs} runs; {skill}."
            )
        ]
    ways = ", ".join(
        f"{str(name).replace('_', ' ')} in {int(count)}"
        for name, count in zip(own["failure"].values, failed.sum(axis=0), strict=True)
        if count
    )
    first = float(own["climate_horizon"].min())
    return [
        Finding(
            "bad",
            "climate",
            f"Leaves the training climate in {left} of {runs} runs ({ways}), the first by step {first:g}; {skill}.",
        )
    ]


def has_climate(scores: xr.Dataset, forecast: str) -> bool:
    """Return whether a forecast was held against the training climate as a long run."""
    return "climate_failure" in scores and forecast in scores["model"].values


def _stability(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    # A mean over the members of an ensemble loses variance by design.
    is_mean = "ensemble_spread" in scores and not is_baseline(forecast)
    if "stable_fraction" not in scores or has_climate(scores, forecast) or is_mean:
        return []
    fraction = float(scores["stable_fraction"].sel(forecast=forecast))
    if np.isnan(fraction):
        return [Finding("note", "stability", "Stability could not be judged.")]
    total = cases(scores)
    share = (
        f"{fraction:.0%} of the cases"
        if total is None
        else f"{round(fraction * total)} of {total} cases"
    )
    last = leads.steps[-1]
    sentence = f"Stable for all {last} steps in {share}{_others_stable(scores, forecast, total)}"
    if fraction == 1.0:
        return [Finding("good", "stability", f"{sentence}.")]
    horizon = _horizon(scores, "stability_horizon", forecast, leads)
    if horizon:
        sentence += f"; the median forecast leaves the reference band at {horizon}"
    criterion = _text(scores, "stability_criterion", forecast)
    if criterion.lower() not in _CRITERION_NONE:
        sentence += f"; first outside the reference band: {criterion}"
    return [Finding("bad", "stability", f"{sentence}.")]


def _others_stable(scores: xr.Dataset, forecast: str, total: int | None) -> str:
    """Return in brackets how many cases of each baseline are stable."""
    parts = []
    for name in (str(name) for name in scores["forecast"].values):
        fraction = float(scores["stable_fraction"].sel(forecast=name))
        if name == forecast or not is_baseline(name) or np.isnan(fraction):
            continue
        count = f"{fraction:.0%}" if total is None else f"{round(fraction * total)}"
        parts.append(f"{name.replace('_', ' ')} in {count}")
    return f" ({', '.join(parts)})" if parts else ""


def _opponents(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    if "rmse" not in scores:
        return []
    rivals = [str(name) for name in scores["forecast"].values]
    findings = []
    every = "at every lead"
    if has_climate(scores, forecast):
        scores = scores.isel(lead_time=slice(0, predictable(scores)))
        every = f"up to step {leads.steps[scores.sizes['lead_time'] - 1]}, as far as the truth is predictable"
    variables = [str(name) for name in scores["variable"].values]
    for rival in rivals:
        if rival == forecast:
            continue
        smaller = {
            variable: scores["rmse"].sel(forecast=forecast, variable=variable).values
            < scores["rmse"].sel(forecast=rival, variable=variable).values
            for variable in variables
        }
        lost = [variable for variable in variables if not smaller[variable].all()]
        if len(variables) > _NAMED_VARIABLES:
            better = len(variables) - len(lost)
            sentence = f"RMSE is smaller at every lead for {better} of {len(variables)} variables"
        else:
            sentence = "; ".join(
                _against(scores, forecast, rival, variable, smaller[variable], leads)
                for variable in (lost or variables)
            )
        answer = "no" if lost else "yes"
        words = rival.replace("_", " ") if is_baseline(rival) else rival
        findings.append(
            Finding(
                ("bad" if is_baseline(rival) else "note") if lost else "good",
                "rmse",
                f"Beats {words} {every}: {answer}. {sentence}.{_beyond_chance(scores, forecast, rival)}",
            )
        )
    return findings


def _against(
    scores: xr.Dataset,
    forecast: str,
    rival: str,
    variable: str,
    smaller: np.ndarray,
    leads: LeadTimes,
) -> str:
    units = units_of(one_variable(scores["rmse"], variable))
    prefix = f"{variable}: " if scores.sizes["variable"] > 1 else ""
    if smaller.all():
        ends = dict.fromkeys((0, len(smaller) - 1))
        pairs = ", ".join(
            f"{_value(scores, forecast, variable, end)} against {_value(scores, rival, variable, end)} "
            f"{units}".rstrip()
            + f" at step {leads.steps[end]}"
            for end in ends
        )
        return f"{prefix}RMSE is {pairs}"
    first = int(np.flatnonzero(~smaller)[0])
    return (
        f"{prefix}RMSE is smaller at {int(smaller.sum())} of {len(smaller)} leads, "
        f"first not at {leads.title(first)} ("
        + f"{_value(scores, forecast, variable, first)} against {_value(scores, rival, variable, first)} "
        f"{units}".rstrip()
        + ")"
    )


def _beyond_chance(scores: xr.Dataset, forecast: str, rival: str) -> str:
    """Return a sentence: at how many leads the interval of the difference from another forecast lies below zero."""
    name = f"{difference_name(rival)}_interval"
    if name not in scores:
        return ""
    upper = (
        scores[name].sel(forecast=forecast, bound="upper").transpose("variable", "lead_time").values
    )
    if np.isnan(upper).all():
        return " Chance is not told apart: there are too few independent cases for an interval."
    clear = int((upper < 0).all(axis=0).sum())
    every = " of every variable" if scores.sizes["variable"] > 1 else ""
    return f" The 95 % interval of the difference in MSE{every} is below zero at {clear} of {upper.shape[1]} leads."


def _value(scores: xr.Dataset, forecast: str, variable: str, index: int) -> str:
    return _said(float(scores["rmse"].sel(forecast=forecast, variable=variable)[index]))


def _said(value: float) -> str:
    return "undefined" if np.isnan(value) else number(value)


def _correlation(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    findings = []
    horizon = _horizon(scores, "skill_horizon", forecast, leads)
    flattered = flattered_by_climatology(scores)
    if "skill_horizon" in scores and not flattered:
        sentence = (
            f"Useful skill is lost at {horizon}{_variable(scores, 'skill_horizon', forecast)}"
            if horizon
            else "Useful skill lasts to the end"
        )
        findings.append(
            Finding("note", "correlation", f"{sentence} (criterion under Definitions).")
        )
    lost = _horizon(scores, "acc_horizon", forecast, leads)
    if "acc_horizon" in scores:
        words = (
            f"falls below 0.6 at {lost}{_variable(scores, 'acc_horizon', forecast)}"
            if lost
            else "stays above 0.6 to the end"
        )
        findings.append(Finding("note", "correlation", f"Anomaly correlation {words}."))
    if "correlation" in scores and scores.sizes["variable"] <= _NAMED_VARIABLES:
        for score, words in (("correlation", "Correlation"), ("acc", "Anomaly correlation")):
            parts = []
            for variable in (str(name) for name in scores["variable"].values):
                if (variable in flattered) == (score == "acc"):
                    where = {"forecast": forecast, "variable": variable}
                    value = float(scores[score].sel(where)[-1])
                    parts.append(f"{variable} {_said(value)}{_interval(scores, score, where)}")
            if parts:
                sentence = f"{words} with the truth at {leads.title(-1)}: {', '.join(parts)}."
                findings.append(Finding("note", "correlation", sentence))
    return findings


def _small_scales(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    name = "small_scale_enstrophy"
    if name not in scores or forecast not in scores["source"].values:
        return []
    array = scores[name].isel(lead_time=-1)
    value, truth = (float(array.sel(source=source)) for source in (forecast, "truth"))
    within = truth / _FACTOR <= value <= truth * _FACTOR
    units = units_of(array)
    sentence = (
        f"Small-scale enstrophy is within a factor {_FACTOR:g} of the truth at step {leads.steps[-1]}: "
        f"{'yes' if within else 'no'} ({_said(value)}{_interval(scores, name, {'source': forecast})} "
        f"against {number(truth)} {units}".rstrip()
    )
    return [Finding("good" if within else "bad", "small scales", f"{sentence}).")]


def _interval(scores: xr.Dataset, name: str, where: dict[str, str]) -> str:
    if f"{name}_interval" not in scores:
        return ""
    bounds = scores[f"{name}_interval"].sel(where).isel(lead_time=-1)
    words = interval(*(float(bounds.sel(bound=bound)) for bound in ("lower", "upper")))
    return f" [{words}]" if words else ""


def _horizon(scores: xr.Dataset, name: str, forecast: str, leads: LeadTimes) -> str:
    """Return a horizon (a step) in words with its interval, or nothing where it was not reached."""
    if name not in scores:
        return ""
    value = float(scores[name].sel(forecast=forecast))
    if not np.isfinite(value):
        return ""
    step = round(value)
    words = leads.title(leads.steps.index(step)) if step in leads.steps else f"step {value:g}"
    if f"{name}_interval" not in scores:
        return words
    bounds = scores[f"{name}_interval"].sel(forecast=forecast)
    lower, upper = (float(bounds.sel(bound=bound)) for bound in ("lower", "upper"))
    if not np.isfinite(lower):
        return words
    end = f"{upper:g}" if np.isfinite(upper) else "beyond the end"
    return f"{words} [{lower:g} to {end}]"


def _variable(scores: xr.Dataset, name: str, forecast: str) -> str:
    """Return in brackets which of several variables reaches a horizon first, and where the others do."""
    if scores.sizes["variable"] < 2 or f"{name}_variable" not in scores:
        return ""
    worst = _text(scores, f"{name}_variable", forecast)
    each = scores[f"{name}_by_variable"].sel(forecast=forecast)
    if scores.sizes["variable"] > _NAMED_VARIABLES:
        return f" ({worst})"
    parts = []
    for variable in scores["variable"].values:
        value = float(each.sel(variable=variable))
        words = f"step {value:g}" if np.isfinite(value) else "not reached"
        parts.append(f"{variable}: {words}")
    return f" (first {worst}; {', '.join(parts)})"


def _text(scores: xr.Dataset, name: str, forecast: str) -> str:
    return str(scores[name].sel(forecast=forecast).values) if name in scores else ""
