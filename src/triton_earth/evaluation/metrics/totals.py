"""Energy and enstrophy of flows, in total and at the small scales, from their spectra."""

from typing import ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float64

from triton_earth.core.variables import VORTICITY
from triton_earth.evaluation.aggregator import Batch, Case, Finished
from triton_earth.evaluation.results import Results
from triton_earth.evaluation.spectra.flow import ENERGY, ENSTROPHY, SMALL_SCALES, FlowSpectra
from triton_earth.evaluation.spectra.scores import SpectrumSums
from triton_earth.evaluation.spectra.transform import Spectra

WORDS = {
    "energy": ("kinetic energy", "half the mean square velocity, from vorticity"),
    "enstrophy": ("enstrophy", "half the mean square vorticity"),
    "small_scale_enstrophy": ("small-scale enstrophy", SMALL_SCALES),
}
"""Title and definition of each total."""

Total = Float64[np.ndarray, "source init lead"]


class Totals(SpectrumSums):
    """Keeps the spectra of flows on a doubly periodic box at every lead, and the totals of each initial condition.

    Attributes:
        energy: Kinetic energy ½⟨|u|²⟩; NaN, as all totals, where there is no truth to compare with.
        enstrophy: Enstrophy ½⟨ω²⟩.
        small_scale_enstrophy: Enstrophy of the upper half of the resolved wavenumbers.
    """

    INIT_AXES: ClassVar = {**SpectrumSums.INIT_AXES, **dict.fromkeys(WORDS, 1)}

    def __init__(self, case: Case, transform: FlowSpectra) -> None:
        """Begin without spectra."""
        super().__init__(case, transform, np.arange(case.shape[1]))
        self._small_scales = transform.small_scales
        shape = (case.sources, *case.shape)
        self.energy: Total = np.full(shape, np.nan)
        self.enstrophy: Total = np.full(shape, np.nan)
        self.small_scale_enstrophy: Total = np.full(shape, np.nan)

    def put(self, batch: Batch, spectra: Spectra) -> None:
        """Keep spectra and totals of some initial conditions at one lead."""
        super().put(batch, spectra)
        energy, enstrophy = spectra[0, :, ENERGY], spectra[0, :, ENSTROPHY]
        self.energy[:, batch.rows, batch.lead] = energy.sum(axis=-1)
        self.enstrophy[:, batch.rows, batch.lead] = enstrophy.sum(axis=-1)
        small = enstrophy[..., self._small_scales].sum(axis=-1)
        self.small_scale_enstrophy[:, batch.rows, batch.lead] = small

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return `energy`, `enstrophy` and `small_scale_enstrophy` (source, lead_time) beside the spectra."""
        results, bootstrap = Results(finished.bootstrap), finished.bootstrap
        (vorticity,) = finished.case.variables.select([VORTICITY.name])
        for name, (long_name, definition) in WORDS.items():
            # Of a dimensionless flow all units are 1.
            units = "m2 s-2" if name == "energy" else "s-2"
            results.add(
                name,
                ("lead_time", "source"),
                bootstrap.means(np.moveaxis(getattr(self, name), 0, -1)),
                long_name=long_name,
                units=units if vorticity.units == VORTICITY.units else "1",
                definition=f"{definition}; averaged over initial conditions",
            )
        return results.dataset().merge(super().scores(finished))
