"""Scores: mean spectra, and which scales forecasts still have and still get right, with intervals."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.variables import Variables
from triton_earth.evaluation.resampling import Resampling
from triton_earth.evaluation.spectra.names import Family
from triton_earth.evaluation.spectra.records import Quantity, Scale, SpectrumRecords
from triton_earth.evaluation.spectra.scales import (
    COHERENT,
    FACTOR,
    coherence,
    decorrelation_wavenumber,
    effective_wavenumber,
    spectral_error,
    spectrum_ratio,
)

TRUTH = -1
"""Position of the truth among the sources."""

BAND = "latitude_band"


def score_spectra(
    kinds: Iterable[SpectrumRecords],
    variables: Variables,
    resampling: Resampling,
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return mean spectra of forecasts, references and truth, and what follows from them.

    Args:
        kinds: What was kept of each kind of spectrum.
        variables: Variables of the forecast.
        resampling: Bootstrap of the initial conditions.
        lead_times: Lead times that were scored.

    Returns:
        For every `Family` of each kind: the spectrum (source, variable or velocity, lead, scale); where the family has
        them ratio, error and coherence (forecast, …, scale), effective and decorrelation scale (forecast, …, lead);
        each with NAME_interval (…, bound), which is missing at leads at which the spectra of each initial condition
        were not kept. Zonal ones have a dimension `latitude_band` before that of the leads.
    """
    scores = xr.Dataset()
    for records in kinds:
        for family in dict.fromkeys(quantity.family for quantity in records.quantities):
            part = _of_family(records, family, resampling, lead_times)
            if family.label == "variable":
                part = part.reindex(variable=variables.names)
            scores = scores.merge(part)
    return scores


def _of_family(
    records: SpectrumRecords, family: Family, resampling: Resampling, lead_times: np.ndarray
) -> xr.Dataset:
    chosen = {
        number: quantity
        for number, quantity in enumerate(records.quantities)
        if quantity.family == family
    }
    scale = records.scale
    count = resampling.available.sum(axis=0)[records.leads]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = records.total / count.reshape(-1, *[1] * len(scale.shape))
    found: dict[str, list[list[np.ndarray]]] = {}
    for number in chosen:
        row: dict[str, list[np.ndarray]] = {}
        for source in range(records.total.shape[1]):
            own, cross = means[:, source, number]
            estimates = _judge(family, own, means[0, TRUTH, number], cross, scale)
            for name, estimate in estimates.items():
                row.setdefault(name, []).append(estimate)
                row.setdefault(f"{name}_interval", []).append(np.full((*estimate.shape, 2), np.nan))
        for place, lead in enumerate(records.apart):
            here = resampling.at(records.leads[lead : lead + 1])
            each = records.each[:, :, number, :, place : place + 1]
            of_truth = here.means(each[0, TRUTH])
            for source in range(records.total.shape[1]):
                own, cross = (here.means(one) for one in each[:, source])
                for name, samples in _judge(family, own, of_truth, cross, scale).items():
                    known = np.isfinite(row[name][source][lead])[..., None]
                    bounds = np.where(known, here.interval(samples)[0], np.nan)
                    row[f"{name}_interval"][source][lead] = bounds
        for name, values in row.items():
            found.setdefault(name, []).append(values)
    largest = scale.numbers[scale.resolved][-1]
    data = {}
    for name, arrays in found.items():
        score = name.removesuffix("_interval")
        array = np.swapaxes(np.array(arrays), 0, 1)
        array = array if score == family.spectrum else array[:TRUTH]
        if name == family.decorrelation:
            array = np.where(array < np.inf, array, np.nan)
        elif score == family.decorrelation:
            array = np.minimum(array, largest)
        data[name] = _described(name, array, family, records, list(chosen.values()))
    return xr.Dataset(data, coords=_coordinates(family, records, chosen.values(), lead_times))


def _judge(
    family: Family,
    own: Float64[np.ndarray, "*shape wavenumber"],
    truth: Float64[np.ndarray, "*shape wavenumber"],
    cross: Float64[np.ndarray, "*shape wavenumber"],
    scale: Scale,
) -> dict[str, np.ndarray]:
    """Return every score of a spectrum, by name."""
    found = {family.spectrum: own}
    if not family.ratio:
        return found
    inside = scale.resolved
    numbers = scale.numbers[inside]
    ratio, coherent = spectrum_ratio(own, truth), coherence(own, truth, cross)
    return {
        **found,
        family.ratio: ratio,
        family.error: spectral_error(own, truth, cross),
        family.coherence: coherent,
        family.effective: effective_wavenumber(ratio[..., inside], numbers),
        family.decorrelation: decorrelation_wavenumber(coherent[..., inside], numbers),
    }


def _described(
    name: str,
    array: np.ndarray,
    family: Family,
    records: SpectrumRecords,
    quantities: Sequence[Quantity],
) -> xr.DataArray:
    """Return an array [source, label, lead, *scale (, bound)] with its dimensions and words."""
    score, title = name.removesuffix("_interval"), records.scale.title
    each = [quantity.units for quantity in quantities]
    units = each[0] if len(set(each)) == 1 else "; ".join(each)
    words = {
        family.spectrum: (
            family.title,
            units,
            f"{quantities[0].definition}; averaged over initial conditions",
        ),
        family.ratio: (
            f"ratio of {family.title.removesuffix('um')}a",
            "1",
            f"{family.spectrum} of the forecast divided by that of the truth",
        ),
        family.error: (
            "relative spectral error",
            "1",
            f"{family.spectrum} of (forecast - truth) divided by that of the truth: 0 is perfect, 1 is a forecast of "
            "nothing, 2 is the right spectrum in unrelated waves",
        ),
        family.coherence: (
            "coherence",
            "1",
            "correlation of forecast and truth at each scale, over all its waves and initial conditions: the "
            f"cross-spectrum divided by the root of the product of both {family.spectrum}",
        ),
        family.effective: (
            f"effective {title}",
            records.scale.units,
            f"largest resolved {title} up to which {family.ratio} is within a factor {FACTOR:g} of 1; the effective "
            "resolution is the length of its waves",
        ),
        family.decorrelation: (
            f"decorrelation {title}",
            records.scale.units,
            f"smallest resolved {title} at which {family.coherence} is below {COHERENT}; missing where all are still "
            "correlated or none can be judged (in the interval that counts as the largest)",
        ),
    }
    long_name, unit, definition = words[score]
    by_scale = score not in (family.effective, family.decorrelation)
    dimensions = [
        "source" if score == family.spectrum else "forecast",
        family.label or "variable",
        family.lead,
        *([BAND] if records.scale.bands else []),
        *([family.scale] if by_scale else []),
    ]
    if name != score:
        kept, leads = len(records.apart), len(records.leads)
        where = "" if kept == leads else f", at {kept} of {leads} leads"
        dimensions.append("bound")
        long_name = f"95 % interval of the {long_name}"
        definition = f"95 % bootstrap interval of {score} over initial conditions{where}"
    made = xr.DataArray(
        array,
        dims=dimensions,
        attrs={"long_name": long_name, "units": unit, "definition": definition},
    )
    if not family.label:
        made = made.isel(variable=0)
    order = (dimensions[0], family.label, BAND, family.lead, family.scale, "bound")
    return made.transpose(*(name for name in order if name in made.dims))


def _coordinates(
    family: Family, records: SpectrumRecords, quantities: Iterable[Quantity], lead_times: np.ndarray
) -> dict[str, tuple]:
    scale = records.scale
    about = {"long_name": scale.title, "units": scale.units}
    resolved = {} if scale.largest is None else {"resolved_wavenumber": scale.largest}
    found: dict[str, tuple] = {family.scale: (family.scale, scale.numbers, {**about, **resolved})}
    if family.lead != "lead_time":
        title = {"long_name": f"lead time of the {family.title.removesuffix('um')}a"}
        found[family.lead] = (family.lead, lead_times[records.leads], title)
    if family.label:
        labels = [quantity.label for quantity in quantities]
        found[family.label] = (family.label, labels, {"long_name": family.label})
    if scale.bands:
        found[BAND] = (BAND, list(scale.bands), {"long_name": "latitude band"})
    return found
