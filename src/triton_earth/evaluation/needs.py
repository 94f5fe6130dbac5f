"""What an evaluation takes of memory and disk, from sizes alone: what cannot fit is refused before it starts."""

import math
from collections.abc import Sequence

from triton_earth.core.processes.machine import Needs
from triton_earth.evaluation.alignment import Ensembles, Forecasts
from triton_earth.evaluation.metrics.error_maps import MOST_LEADS, mapped_variables

REFERENCES = 3
"""Persistence, damped persistence and climatology."""

_SUMS, _SINGLE, _DOUBLE = 6, 4.0, 8.0
_DAYS = 366
_PICTURES = 2e7


def needs_of(models: Sequence[Forecasts], regions: int = 0) -> Needs:
    """Return the needs of an evaluation: one block of fields, the climatology, the sums that are kept to the end.

        memory = 4 b v c (Σ mᵢ + 2 (M + 3)) + 4 · 366 v c + k + 16 M · 3 u c,      k = 8 (M + 3) n l (6 v (1 + r) + K)

    with b forecasts of one stored chunk, v variables, c cells, mᵢ members of model i of M, n initial conditions, l
    leads, r regions, u variables with maps and K = ½ √c wavenumbers; the climatology is that of a calendar. It is a
    bound from below: tables of single scores and libraries are left out.

    Args:
        models: What is judged, over the same initial conditions, variables and leads.
        regions: Regions with scores of their own.
    """
    first = models[0]
    variables, cells = len(first.variables), math.prod(first.grid.shape)
    inits, leads = len(first.init_times), len(first.lead_times)
    members = sum(model.members if isinstance(model, Ensembles) else 1 for model in models)
    compared = len(models) + REFERENCES
    block = min(inits, max(1, first.chunk_inits))
    fields = _SINGLE * block * variables * cells * (members + 2 * compared)
    climatology = _SINGLE * _DAYS * variables * cells if first.init_times.dtype.kind == "M" else 0.0
    kept_of_each = _SUMS * variables * (1 + regions) + math.sqrt(cells) / 2
    kept = _DOUBLE * compared * inits * leads * kept_of_each
    mapped = mapped_variables(len(models), variables, cells)
    maps = 2 * _DOUBLE * len(models) * MOST_LEADS * mapped * cells
    return Needs(fields + climatology + kept + maps, kept / inits + maps / 2 + _PICTURES)
