"""The verdict in words: what the scores say about each model, with the numbers that say it, good or bad."""

import json

import xarray as xr

from triton_earth.core.lead_times import lead_times
from triton_earth.evaluation.verdict.comparison import models
from triton_earth.evaluation.verdict.finding import Finding
from triton_earth.evaluation.verdict.runs import (
    climate,
    finite,
    possible,
    small_scales,
    stability,
    variance,
)
from triton_earth.evaluation.verdict.skill import skill

FINDINGS = "findings"
"""Attribute of the scores that holds the verdict as JSON."""

_JUDGES = (finite, possible, skill, climate, stability, variance, small_scales)


def verdict(scores: xr.Dataset) -> dict[str, list[Finding]]:
    """Return what the scores say about each model; numbers are read and compared, none is computed.

    The verdict has parts: whether all values are sound; skill against each baseline and other model, as far as the
    truth can be predicted at all; and the climate of the runs, which is what counts beyond that lead.

    Args:
        scores: Scores as evaluation gives them, from `triton_earth.evaluate` or a score file; what is not there is not
            spoken of.

    Returns:
        Findings on each model, by name. What may be chance speaks neither for a model nor against it.

    Example:
        scores = triton_earth.load_scores("report")
        for finding in next(iter(triton_earth.verdict(scores).values())):
            print(finding.kind, finding.text)
    """
    leads = lead_times(scores["lead_time"])
    return {
        name: [finding for judge in _JUDGES for finding in judge(scores, name, leads)]
        for name in models(scores)
    }


def findings_attribute(scores: xr.Dataset) -> str:
    """Return the verdict as JSON, as the attribute `FINDINGS` of score files holds it."""
    found = {
        name: [finding.to_dict() for finding in findings]
        for name, findings in verdict(scores).items()
    }
    return json.dumps(found, ensure_ascii=False)
