"""Energy and enstrophy of many forecasts, in total and at the small scales."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64, Int

from triton_earth.evaluation.spectra.flow import ENERGY, ENSTROPHY, FlowSpectra
from triton_earth.evaluation.spectra.records import Spectra


@dataclass(frozen=True)
class Totals:
    """Totals of each forecast at each lead; NaN where there is no truth to compare with.

    Attributes:
        energy: Kinetic energy ½⟨|u|²⟩.
        enstrophy: Enstrophy ½⟨ω²⟩.
        small_scale_enstrophy: Enstrophy of the upper half of the resolved wavenumbers.
    """

    energy: Float64[np.ndarray, "source init lead"]
    enstrophy: Float64[np.ndarray, "source init lead"]
    small_scale_enstrophy: Float64[np.ndarray, "source init lead"]

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the totals."""
        return [field.name for field in fields(cls)]

    @classmethod
    def empty(cls, *, sources: int, inits: int, leads: int) -> "Totals":
        """Return records to put totals into."""
        return cls(*(np.full((sources, inits, leads), np.nan) for _ in cls.names()))

    @classmethod
    def join(cls, parts: Sequence["Totals"]) -> "Totals":
        """Return the totals of consecutive initial conditions."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=1)
                for name in cls.names()
            )
        )

    def put(
        self, inits: Int[np.ndarray, " batch"], lead: int, kind: FlowSpectra, found: Spectra
    ) -> None:
        """Keep the totals of some forecasts at one lead.

        Args:
            inits: Which forecasts.
            lead: Position of the lead.
            kind: What gave the spectra.
            found: Their spectra.
        """
        energy, enstrophy = found[0, :, ENERGY], found[0, :, ENSTROPHY]
        self.energy[:, inits, lead] = energy.sum(axis=-1)
        self.enstrophy[:, inits, lead] = enstrophy.sum(axis=-1)
        small = enstrophy[..., kind.small_scales].sum(axis=-1)
        self.small_scale_enstrophy[:, inits, lead] = small
