"""Which spectra the fields of a case have."""

from triton_earth.evaluation.aggregator import Aggregator, Case
from triton_earth.evaluation.metrics.totals import Totals
from triton_earth.evaluation.regions.places import box_of
from triton_earth.evaluation.spectra.degree import degree_spectra
from triton_earth.evaluation.spectra.flow import flow_spectra
from triton_earth.evaluation.spectra.isotropic import isotropic_spectra
from triton_earth.evaluation.spectra.scores import SpectrumSums
from triton_earth.evaluation.spectra.transform import cut_to
from triton_earth.evaluation.spectra.zonal import zonal_spectra


def spectra(case: Case) -> list[Aggregator]:
    """Return the aggregators of the spectra of a case: of its flow with the totals, zonal, by degree and isotropic.

    In a region they are those of the box around it.
    """
    part, inside = cut_to(box_of(case.region), case.grid)
    mask = None if case.defined is None else inside(case.defined)
    flow = flow_spectra(case.variables, part, mask)
    others = [
        take(case.variables, part, mask)
        for take in (zonal_spectra, degree_spectra, isotropic_spectra)
    ]
    return [
        *([] if flow is None else [Totals(case, flow)]),
        *(SpectrumSums(case, transform) for transform in others if transform is not None),
    ]
