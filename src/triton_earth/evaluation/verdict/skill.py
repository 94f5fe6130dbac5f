"""Skill: how a forecast compares with baselines and other models, and its correlation with the truth.

Errors are compared up to the lead where anything still tells more than the climatology. Later nothing does, and a
perfect model loses to climatology too: its weather is right, but at other times.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool

from triton_earth.core.lead_times import LeadTimes
from triton_earth.core.wording import (
    is_baseline,
    one_variable,
    units_of,
    variable_names,
    variable_words,
)
from triton_earth.evaluation.metrics.errors import difference_name
from triton_earth.evaluation.verdict.finding import Finding, Kind
from triton_earth.evaluation.verdict.predictability import flattered_by_climatology, predictable
from triton_earth.evaluation.verdict.wording import (
    MOST_NAMED,
    bracketed,
    by_variable,
    horizon,
    said,
)


def skill(scores: xr.Dataset, forecast: str, leads: LeadTimes) -> list[Finding]:
    """Return the findings on the skill of one forecast."""
    told = predictable(scores)
    within = scores.isel(lead_time=slice(0, told))
    found = []
    where = "at every lead"
    if told < scores.sizes["lead_time"]:
        where = f"up to {leads.title(told - 1)}"
        found.append(
            Finding(
                "note",
                "rmse",
                "Errors can be compared",
                where,
                "Later no forecast here has an RMSE 2 % below that of the climatology, and a perfect model loses to "
                "it too: there the climate of a forecast counts.",
            )
        )
    if "rmse" in scores:
        rivals = [str(name) for name in scores["forecast"].values if str(name) != forecast]
        found += [_against(within, forecast, rival, leads, where) for rival in rivals]
    return found + _correlation(scores, forecast, leads, told)


@dataclass(frozen=True)
class _Chance:
    """What the intervals of a paired difference in mean square error tell."""

    known: Bool[np.ndarray, "variable lead"]
    better: Bool[np.ndarray, "variable lead"]
    worse: Bool[np.ndarray, "variable lead"]

    @classmethod
    def of(
        cls,
        scores: xr.Dataset,
        forecast: str,
        rival: str,
        finite: Bool[np.ndarray, "variable lead"],
    ) -> "_Chance":
        name = f"{difference_name(rival)}_interval"
        if name not in scores:
            nothing = np.zeros((scores.sizes["variable"], scores.sizes["lead_time"]), bool)
            return cls(nothing, nothing, nothing)
        bounds = scores[name].sel(forecast=forecast).transpose("bound", "variable", "lead_time")
        lower, upper = (bounds.sel(bound=end).values for end in ("lower", "upper"))
        return cls(finite & ~(np.isnan(lower) | np.isnan(upper)), upper < 0, lower > 0)

    @property
    def surely_better(self) -> int:
        """Leads at which every variable is better."""
        return int(self.better.all(axis=0).sum())

    def sentence(self) -> str:
        """Return at how many of the leads that have an interval the difference is more than chance."""
        with_interval = int(self.known.all(axis=0).sum())
        total = self.known.shape[1]
        if not with_interval:
            return "Chance is not told apart: there are too few independent cases for an interval."
        several = len(self.known) > 1
        leads = (
            f"{total} leads"
            if with_interval == total
            else f"the {with_interval} of {total} leads that have one"
        )
        worse = int(self.worse.any(axis=0).sum())
        above = f", above zero{' of any' if several else ''} at {worse}" if worse else ""
        return (
            f"The 95 % interval of the difference in MSE{' of every variable' if several else ''} is below zero at "
            f"{self.surely_better} of {leads}{above}."
        )


def _against(
    scores: xr.Dataset, forecast: str, rival: str, leads: LeadTimes, where: str
) -> Finding:
    """Return whether the errors of a forecast are smaller than those of another."""
    rmse = scores["rmse"].transpose("forecast", "variable", "lead_time")
    own, other = (rmse.sel(forecast=name).values for name in (forecast, rival))
    smaller = own < other
    variables = variable_names(scores)
    lost = [index for index in range(len(variables)) if not smaller[index].all()]
    if len(variables) > MOST_NAMED:
        better = len(variables) - len(lost)
        sentence = f"RMSE is smaller {where} for {better} of {len(variables)} variables"
    else:
        sentence = "; ".join(
            _of_variable(scores, forecast, rival, variables[index], smaller[index], leads)
            for index in (lost or range(len(variables)))
        )
    chance = _Chance.of(scores, forecast, rival, np.isfinite(own))
    told = chance.sentence() if f"{difference_name(rival)}_interval" in scores else ""
    answer, kind = _answer(smaller, chance, leads, is_baseline(rival))
    words = rival.replace("_", " ") if is_baseline(rival) else rival
    details = f"{sentence[:1].upper() if len(variables) == 1 else sentence[:1]}{sentence[1:]}. {told}".rstrip()
    return Finding(kind, "rmse", f"Beats {words} {where}", answer, details)


def _answer(
    smaller: np.ndarray, chance: _Chance, leads: LeadTimes, baseline: bool
) -> tuple[str, Kind]:
    """Return the answer and whether it speaks for the forecast; what may be chance speaks neither way."""
    if smaller.all():
        if chance.surely_better:
            return "yes", "good"
        known = chance.known.all(axis=0).any()
        return ("yes, but it may be chance" if known else "yes"), "note"
    lost = ~smaller
    doubtful = bool(chance.known[lost].all() and not chance.worse[lost].any())
    first = int(np.flatnonzero(lost.any(axis=0))[0])
    to_the_end = bool(lost[:, first:].any(axis=0).all())
    until = bool(first) and to_the_end
    answer = f"until {leads.brief(first - 1)}" if until else "no"
    if doubtful:
        answer += "; later it may be chance" if until else "; it may be chance"
    return answer, "bad" if baseline and not doubtful else "note"


def _of_variable(
    scores: xr.Dataset,
    forecast: str,
    rival: str,
    variable: str,
    smaller: np.ndarray,
    leads: LeadTimes,
) -> str:
    units = units_of(one_variable(scores["rmse"], variable))
    prefix = f"{variable_words(scores, variable)}: " if scores.sizes["variable"] > 1 else ""

    def both(lead: int) -> str:
        own, other = (
            said(float(scores["rmse"].sel(forecast=name, variable=variable)[lead]))
            for name in (forecast, rival)
        )
        return f"{own} against {other} {units}".rstrip()

    if smaller.all():
        ends = dict.fromkeys((0, len(smaller) - 1))
        pairs = ", ".join(f"{both(end)} at {leads.brief(end)}" for end in ends)
        return f"{prefix}RMSE is {pairs}"
    lost, count = np.flatnonzero(~smaller), len(smaller)
    first = int(lost[0])
    if len(lost) == count:
        return f"{prefix}loses at all {count} leads (RMSE {both(first)} at {leads.brief(first)})"
    if len(lost) == count - first:
        return f"{prefix}loses from {leads.title(first)} on (RMSE {both(first)})"
    return (
        f"{prefix}loses at {len(lost)} of {count} leads, first at {leads.title(first)} "
        f"(RMSE {both(first)})"
    )


def _correlation(scores: xr.Dataset, forecast: str, leads: LeadTimes, told: int) -> list[Finding]:
    """Return up to which lead correlations last, and what they are at the last lead that can be predicted."""
    flattered = flattered_by_climatology(scores)
    horizons = {"acc_horizon": "Anomaly correlation above 0.6"}
    if not flattered:
        horizons = {"skill_horizon": "Pattern correlation above 0.5", **horizons}
    findings = []
    for name, words in horizons.items():
        if name not in scores:
            continue
        lost = horizon(scores, name, forecast, leads)
        details = by_variable(scores, name, forecast, leads) if lost else ""
        answer = f"lost at {lost}" if lost else "to the end"
        findings.append(Finding("note", "correlation", words, answer, details))
    if "correlation" not in scores or scores.sizes["variable"] > MOST_NAMED:
        return findings
    for score, words in (("correlation", "Correlation"), ("acc", "Anomaly correlation")):
        parts = []
        for variable in variable_names(scores):
            if (variable in flattered) == (score == "acc"):
                where = {"forecast": forecast, "variable": variable}
                value = float(scores[score].sel(where)[told - 1])
                words_of = variable_words(scores, variable)
                parts.append(f"{words_of} {said(value)}{bracketed(scores, score, where, told - 1)}")
        if parts:
            question = f"{words} with the truth at {leads.title(told - 1)}"
            findings.append(Finding("note", "correlation", question, ", ".join(parts)))
    return findings
