"""Mean spectra, and which scales forecasts still have and still get right, with intervals."""

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int

from triton_earth.evaluation.aggregator import TRUTH, Aggregator, Batch, Case, Finished
from triton_earth.evaluation.alignment import spread_leads
from triton_earth.evaluation.regions.places import box_of
from triton_earth.evaluation.results import join_units
from triton_earth.evaluation.spectra.names import WAVELENGTH, SpectrumNames
from triton_earth.evaluation.spectra.scales import (
    COHERENT,
    FACTOR,
    coherence,
    decorrelation_wavenumber,
    effective_wavenumber,
    spectral_error,
    spectrum_ratio,
)
from triton_earth.evaluation.spectra.transform import (
    Scale,
    Spectra,
    SpectralQuantity,
    SpectralTransform,
    cut_to,
)

BAND = "latitude_band"

VALUES_PER_INIT = 2**17
"""Values of one kind of spectra that are kept of each initial condition (1 MB), unless those of one lead are more."""


VALUES_TOGETHER = 2**15
"""Values of one kind of resampled spectra that are judged at a time."""


class SpectrumSums(Aggregator):
    """Keeps spectra of every source (models, baselines, truth) and quantity.

    The mean over forecasts needs sums alone. Intervals need the spectra of each initial condition: those are kept at as
    many leads, evenly spread, as `VALUES_PER_INIT` hold, 1 MB for each initial condition and kind of spectrum, or at
    the last lead alone where it has more. Zonal spectra of 69 variables on one degree then take 6 MB, a third of a
    state.

    Attributes:
        scale: What the spectra are functions of.
        quantities: What has a spectrum.
        leads: Positions of the leads that spectra are kept of.
        leads_per_init: Which of those the spectra of each initial condition are kept of.
        sums: Spectra added over initial conditions.
        per_init: Spectra of each initial condition; NaN where there is no truth.
    """

    INIT_AXES: ClassVar = {"sums": None, "per_init": 3}

    def __init__(
        self,
        case: Case,
        transform: SpectralTransform,
        leads: Int[np.ndarray, " kept"] | None = None,
    ) -> None:
        """Begin without spectra.

        Args:
            case: The case.
            transform: How spectra are taken.
            leads: Positions of the leads to keep them of; None: `MOST_LEADS` of them.
        """
        self._transform = transform
        self._cut = cut_to(box_of(case.region), case.grid)[1]
        self.scale, self.quantities = transform.scale, tuple(transform.quantities)
        self.leads = spread_leads(case.shape[1]) if leads is None else leads
        one, shape = (2, case.sources, len(self.quantities)), self.scale.shape
        count = max(1, VALUES_PER_INIT // (math.prod(one) * math.prod(shape)))
        self.leads_per_init = spread_leads(len(self.leads), count)
        self.sums: Float64[np.ndarray, "2 source quantity kept *scale"] = np.zeros(
            (*one, len(self.leads), *shape)
        )
        self.per_init: Float64[np.ndarray, "2 source quantity init some *scale"] = np.full(
            (*one, case.shape[0], len(self.leads_per_init), *shape), np.nan
        )

    def add(self, batch: Batch) -> None:
        """Keep the spectra of some initial conditions, where the lead is one of those kept."""
        if (self.leads == batch.lead).any():
            self.put(batch, self._transform.spectra([self._cut(field) for field in batch.sources]))

    def put(self, batch: Batch, spectra: Spectra) -> None:
        """Keep spectra of some initial conditions at one of the kept leads."""
        (position,) = np.flatnonzero(self.leads == batch.lead)
        self.sums[:, :, :, position] += spectra.sum(axis=3)
        for place in np.flatnonzero(self.leads_per_init == position):
            self.per_init[:, :, :, batch.rows, place] = spectra

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return mean spectra of forecasts, baselines and truth, and what follows from them.

        For every `SpectrumNames`: the spectrum (source, variable or velocity, lead, scale); where there are names for
        them ratio, error and coherence (forecast, …, scale), effective and decorrelation scale (forecast, …, lead);
        each with NAME_interval (…, bound), which is missing at leads at which the spectra of each initial condition
        were not kept. Zonal spectra have a dimension `latitude_band` before that of the leads.
        """
        scores = xr.Dataset()
        for names in dict.fromkeys(quantity.names for quantity in self.quantities):
            part = _of_names(self, names, finished)
            if names.label == "variable":
                part = part.reindex(variable=finished.case.variables.names)
            scores = scores.merge(part)
        return scores


def _of_names(kept: SpectrumSums, names: SpectrumNames, finished: Finished) -> xr.Dataset:
    """Return the scores of the quantities that share their names."""
    numbers = [at for at, quantity in enumerate(kept.quantities) if quantity.names == names]
    quantities = [kept.quantities[number] for number in numbers]
    bootstrap = finished.bootstrap
    scale = kept.scale
    count = bootstrap.available.sum(axis=0)[kept.leads]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = kept.sums / count.reshape(-1, *[1] * len(scale.shape))
    found: dict[str, list[list[np.ndarray]]] = {}
    for number in numbers:
        row: dict[str, list[np.ndarray]] = {}
        for source in range(kept.sums.shape[1]):
            own, cross = means[:, source, number]
            estimates = _judge(names, own, means[0, TRUTH, number], cross, scale)
            for name, estimate in estimates.items():
                row.setdefault(name, []).append(estimate)
                row.setdefault(f"{name}_interval", []).append(np.full((*estimate.shape, 2), np.nan))
        for place, lead in enumerate(kept.leads_per_init):
            here = bootstrap.at(kept.leads[lead : lead + 1])
            each = kept.per_init[:, :, number, :, place : place + 1]
            of_truth = here.means(each[0, TRUTH])
            for source in range(kept.sums.shape[1]):
                if source == kept.sums.shape[1] - 1:  # of the truth there is a spectrum alone
                    judged = {names.spectrum: of_truth}
                else:
                    own, cross = (here.means(one) for one in each[:, source])
                    judged = _judge_samples(names, own, of_truth, cross, scale)
                for name, samples in judged.items():
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
        array = array if score == names.spectrum else array[:TRUTH]
        if name == names.decorrelation:
            array = np.where(array < np.inf, array, np.nan)
        elif score == names.decorrelation:
            array = np.minimum(array, largest)
        data[name] = _described(name, array, names, kept, quantities)
    lead_times = finished.case.lead_times
    return xr.Dataset(data, coords=_coordinates(names, kept, quantities, lead_times))


def _judge(
    names: SpectrumNames,
    own: Float64[np.ndarray, "*shape wavenumber"],
    truth: Float64[np.ndarray, "*shape wavenumber"],
    cross: Float64[np.ndarray, "*shape wavenumber"],
    scale: Scale,
) -> dict[str, np.ndarray]:
    """Return every score of a spectrum, by name."""
    found = {names.spectrum: own}
    if not names.ratio:
        return found
    inside = scale.resolved
    numbers = scale.numbers[inside]
    ratio, coherent = spectrum_ratio(own, truth), coherence(own, truth, cross)
    return {
        **found,
        names.ratio: ratio,
        names.error: spectral_error(own, truth, cross),
        names.coherence: coherent,
        names.effective: effective_wavenumber(ratio[..., inside], numbers),
        names.decorrelation: decorrelation_wavenumber(coherent[..., inside], numbers),
    }


def _judge_samples(
    names: SpectrumNames,
    own: Float64[np.ndarray, "sample *shape wavenumber"],
    truth: Float64[np.ndarray, "sample *shape wavenumber"],
    cross: Float64[np.ndarray, "sample *shape wavenumber"],
    scale: Scale,
) -> dict[str, np.ndarray]:
    """Return every score of many samples, of which a few at a time stay near the processor."""
    together = max(1, VALUES_TOGETHER // math.prod(own.shape[1:]))
    parts = []
    for first in range(0, len(own), together):
        some = slice(first, first + together)
        parts.append(_judge(names, own[some], truth[some], cross[some], scale))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _described(
    name: str,
    array: np.ndarray,
    names: SpectrumNames,
    kept: SpectrumSums,
    quantities: Sequence[SpectralQuantity],
) -> xr.DataArray:
    """Return an array [source, label, lead, *scale (, bound)] with its dimensions and words."""
    score, title = name.removesuffix("_interval"), kept.scale.title
    units = join_units(quantity.units for quantity in quantities)
    words = {
        names.spectrum: (
            names.title,
            units,
            f"{quantities[0].definition}; averaged over initial conditions",
        ),
        names.ratio: (
            f"ratio of {names.title.removesuffix('um')}a",
            "1",
            f"{names.spectrum} of the forecast divided by that of the truth",
        ),
        names.error: (
            "relative spectral error",
            "1",
            f"{names.spectrum} of (forecast - truth) divided by that of the truth: 0 is perfect, 1 is a forecast of "
            "nothing, 2 is the right spectrum in unrelated waves",
        ),
        names.coherence: (
            "coherence",
            "1",
            "correlation of forecast and truth at each scale, over all its waves and initial conditions: the "
            f"cross-spectrum divided by the root of the product of both {names.spectrum}",
        ),
        names.effective: (
            f"effective {title}",
            kept.scale.units,
            f"largest resolved {title} up to which {names.ratio} is within a factor {FACTOR:g} of 1; the effective "
            "resolution is the length of its waves",
        ),
        names.decorrelation: (
            f"decorrelation {title}",
            kept.scale.units,
            f"smallest resolved {title} at which {names.coherence} is below {COHERENT}; missing where all are still "
            "correlated or none can be judged (in the interval that counts as the largest)",
        ),
    }
    long_name, unit, definition = words[score]
    by_scale = score not in (names.effective, names.decorrelation)
    dimensions = [
        "source" if score == names.spectrum else "forecast",
        names.label or "variable",
        names.lead,
        *([BAND] if kept.scale.bands else []),
        *([names.scale] if by_scale else []),
    ]
    if name != score:
        some, leads = len(kept.leads_per_init), len(kept.leads)
        where = "" if some == leads else f", at {some} of {leads} leads"
        dimensions.append("bound")
        long_name = f"95 % interval of the {long_name}"
        definition = f"95 % bootstrap interval of {score} over initial conditions{where}"
    made = xr.DataArray(
        array,
        dims=dimensions,
        attrs={"long_name": long_name, "units": unit, "definition": definition},
    )
    if not names.label:
        made = made.isel(variable=0)
    order = (dimensions[0], names.label, BAND, names.lead, names.scale, "bound")
    return made.transpose(*(name for name in order if name in made.dims))


def _coordinates(
    names: SpectrumNames,
    kept: SpectrumSums,
    quantities: Iterable[SpectralQuantity],
    lead_times: np.ndarray,
) -> dict[str, tuple]:
    scale = kept.scale
    about = {"long_name": scale.title, "units": scale.units}
    resolved = {} if scale.largest is None else {"resolved_wavenumber": scale.largest}
    length = {} if scale.wavelength is None else {WAVELENGTH: scale.wavelength}
    found: dict[str, tuple] = {
        names.scale: (names.scale, scale.numbers, {**about, **resolved, **length})
    }
    if names.lead != "lead_time":
        title = {"long_name": f"lead time of the {names.title.removesuffix('um')}a"}
        found[names.lead] = (names.lead, lead_times[kept.leads], title)
    if names.label:
        labels = [quantity.label for quantity in quantities]
        found[names.label] = (names.label, labels, {"long_name": names.label})
    if scale.bands:
        found[BAND] = (BAND, list(scale.bands), {"long_name": "latitude band"})
    return found
