"""The reference forecasts by name: what `forecast` and `evaluate` fit to a training split when they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.time import Duration, describe_duration
from triton_earth.core.variables import Role, Variables
from triton_earth.data.statistics.damping import DampingConfig, without_waves
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.climatology import TRAIN, Climatology, fit_climatology
from triton_earth.models.damped_linear import fit_damped_linear
from triton_earth.models.lag_correlation import fit_lag_correlation
from triton_earth.models.linear_inverse import fit_linear_inverse
from triton_earth.models.reference import (
    ClimatologyForecast,
    DampedPersistence,
    Persistence,
    Reference,
)

PERSISTENCE = "persistence"

REFERENCES = {
    PERSISTENCE: "the truth at the initial time, held",
    "damped_persistence": "climatology and what is left of the initial anomaly on average at each place and lead (lag "
    "correlation over the training split)",
    "climatology": "the mean of the training split at each time of the year and of the day",
    "linear_inverse": "the 20 leading patterns of the anomalies (empirical orthogonal functions of the training split) "
    "advanced by the matrix that is best from one step to the next",
    "damped_linear": "climatology and what is left of the initial anomaly wave by wave: zonal wavenumber and latitude "
    "around the globe, wavenumber on a doubly periodic box",
}
"""Names of the reference forecasts, and what each is in words."""

USUAL = (PERSISTENCE, "damped_persistence", "climatology")
"""Those that stand beside every model without being asked for."""


def require_known(names: Sequence[str], option: str) -> None:
    """Refuse names that no reference forecast has.

    Args:
        names: What the user wrote.
        option: Where, for the message.

    Raises:
        UserError: naming the nearest, or all.
    """
    for name in names:
        if name not in REFERENCES:
            raise UserError(
                f"{option}: '{name}' is no reference forecast; {nearest(name, REFERENCES)}"
            )


@dataclass(frozen=True)
class References:
    """Reference forecasts of some variables, each fitted to a training split when it is asked for.

    The same store gives the same forecasts to the last bit.

    Attributes:
        store: Store whose training split they are fitted to.
        variables: What they forecast, all of them in the store.
        time_step: Step between their leads, a multiple of the store's.
        steps: Most leads that are asked of them.
    """

    store: TrainingStore
    variables: Variables
    time_step: Duration
    steps: int

    @cached_property
    def climatology(self) -> Climatology:
        """Climatology of the training split."""
        return fit_climatology(self.store, self.variables.names)

    def fit(self, name: str) -> Reference:
        """Fit a reference forecast.

        Args:
            name: One of `REFERENCES`.

        Raises:
            UserError: if there is none of this name, the store has no training split or too little data for it, or
                nothing of its kind exists on this grid.
        """
        self.require_possible(name)
        variables, grid, time_step = self.variables, self.store.grid, self.time_step
        if name == PERSISTENCE:
            return Persistence(variables, grid, time_step)
        if name == "climatology":
            return ClimatologyForecast(variables, grid, time_step, climatology=self.climatology)
        if name == "damped_persistence":
            longest = round(self._store_steps * self.steps)
            correlation = fit_lag_correlation(
                self.store, variables.names, self.climatology, longest
            )
            return DampedPersistence(
                variables,
                grid,
                time_step,
                climatology=self.climatology,
                correlation=correlation,
                store_steps=self._store_steps,
            )
        return self._linear_inverse() if name == "linear_inverse" else self._damped_linear()

    def require_possible(self, name: str) -> None:
        """Refuse a reference forecast that the store cannot have, whatever its values are; nothing is fitted.

        Args:
            name: One of `REFERENCES`.

        Raises:
            UserError: if there is none of this name, the store has no training split, or nothing of its kind exists on
                this grid.
        """
        require_known([name], name)
        if name == PERSISTENCE:
            return
        if TRAIN not in self.store.split_names:
            raise UserError(
                f"{name}: expected a store with a training split to fit it to; {self.store.path} has "
                f"{self.store.split_names}. Take {PERSISTENCE}, or a store with a training split."
            )
        if name == "damped_linear":
            mask = self.store.valid_mask
            channels = self.store.variables.indices(self.variables.names)
            found = without_waves(self.store.grid, None if mask is None else mask[channels])
            if found:
                raise UserError(
                    "damped_linear: waves need fields that are defined everywhere, around the globe or on a doubly "
                    f"periodic box; found {found}. Take damped_persistence, which has a coefficient for each cell."
                )

    def _linear_inverse(self) -> Reference:
        fitted = fit_linear_inverse(self.store, self.variables.names)
        steps = self._whole_steps("linear_inverse")
        propagator = np.linalg.matrix_power(fitted.patterns.propagator, steps)
        patterns = replace(fitted.patterns, propagator=propagator)
        return replace(fitted, time_step=self.time_step, patterns=patterns)

    def _damped_linear(self) -> Reference:
        fitted = fit_damped_linear(self.store, DampingConfig(kind="waves"), self.variables.names)
        steps = self._whole_steps("damped_linear")
        return replace(fitted, time_step=self.time_step, store_steps=steps)

    @property
    def _store_steps(self) -> float:
        """Steps of the store in one of the forecast."""
        return float(np.asarray(self.time_step) / np.asarray(self.store.time_step))

    def _whole_steps(self, name: str) -> int:
        steps = self._store_steps
        if abs(steps - round(steps)) > 1e-3 or round(steps) < 1:
            raise UserError(
                f"{name}: its training split has steps of {describe_duration(self.store.time_step)}, of which the "
                f"forecast's {describe_duration(self.time_step)} is no multiple. Leave it out, or prepare a store with "
                "the forecast's step."
            )
        return round(steps)


def reference_forecaster(name: str, store: TrainingStore, steps: int) -> Reference:
    """Fit a reference forecast of all prognostic variables of a store, to be rolled out like a model.

    Args:
        name: One of `REFERENCES`.
        store: Store whose training split it is fitted to.
        steps: Leads that are forecast. Where each lead follows from the initial state and not from the lead before
            (damped persistence), one application gives all of them.

    Raises:
        UserError: as `References.fit`.
    """
    variables = store.variables.with_role(Role.PROGNOSTIC)
    found = References(store, variables, store.time_step, steps).fit(name)
    return replace(found, block=steps) if isinstance(found, DampedPersistence) else found
