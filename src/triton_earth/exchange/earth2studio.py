"""A model of ours as a prognostic model of earth2studio, which is not needed for it: its interface is a protocol.

Source: documentation of earth2studio 0.19, "Prognostic models" (interface, coordinate systems), and its lexicon.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.core.standard_names import base_name
from triton_earth.core.state import State
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.sources.values.derived import DerivedName, derived_fields
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.base import Forecaster
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.models.forecaster import NetworkForecaster
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster

CoordSystem = OrderedDict[str, np.ndarray]
"""Values of every dimension of a tensor, in the order of its dimensions."""
Hook = Callable[[Tensor, CoordSystem], tuple[Tensor, CoordSystem]]

DIMENSIONS = ("time", "lead_time", "variable", "lat", "lon")
FOR_EVER = 2**62
NAMES = {
    "10m_u_component_of_wind": "u10m",
    "10m_v_component_of_wind": "v10m",
    "2m_temperature": "t2m",
    "2m_dewpoint_temperature": "d2m",
    "surface_pressure": "sp",
    "mean_sea_level_pressure": "msl",
    "total_column_water_vapour": "tcwv",
    "sea_surface_temperature": "sst",
    "sea_surface_temperature_anomaly": "ssta",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "temperature": "t",
    "geopotential": "z",
    "specific_humidity": "q",
    "relative_humidity": "r",
    "vertical_velocity": "w",
}
"""Names of earth2studio, without the pressure that follows them; other variables keep ours."""


def their_name(variable: Variable) -> str:
    """Return the name of a variable in earth2studio: ``t850`` for ``temperature_850``."""
    short = NAMES.get(base_name(variable))
    if short is None or (variable.level is None) != (len(short) > 1):
        return variable.name
    return short if variable.level is None else f"{short}{variable.level:g}"


class Earth2StudioModel:
    """A forecaster with the interface of earth2studio's prognostic models.

    Tensors are [..., time, lead_time, variable, lat, lon] with latitude from north to south; what stands before `time`,
    such as an ensemble, is any number of dimensions. Forcings that follow from time and place are computed; static ones
    come from a training store.

    Attributes:
        front_hook: Is given the states before each application of the model, and returns those that it sees.
        rear_hook: Is given the states after each application, and returns those that are yielded and fed back.

    Example:
        model = Earth2StudioModel("weather-small", static="truth.zarr")
        earth2studio.run.deterministic(["2004-07-01"], 20, model, data, io)
    """

    def __init__(
        self, model: str | Path | Forecaster, *, static: str | Path | None = None, seed: int = 0
    ) -> None:
        """Wrap a model.

        Args:
            model: Forecaster, or what `load_forecaster` takes.
            static: Training store with the static variables of the model.
            seed: Seed of the noise of a stochastic model; its rows differ.

        Raises:
            UserError: if the model is on a box or has no calendar, or needs variables that nobody gives here.
        """
        self._model = model if isinstance(model, Forecaster) else load_forecaster(model)
        self._seed = seed
        if not isinstance(self._model.grid, LatLonGrid):
            raise UserError(
                f"earth2studio: has fields on latitude and longitude; the model is on a {self._model.grid}. Choose "
                "another model."
            )
        self._grid = self._model.grid
        if not isinstance(self._model.time_step, np.timedelta64):
            raise UserError(
                "earth2studio: wants dates; the model has model times (numbers). Choose another model."
            )
        self._step = self._model.time_step.astype("timedelta64[ns]")
        self._static = self._static_fields(static)
        self.front_hook: Hook = _as_it_is
        self.rear_hook: Hook = _as_it_is

    def input_coords(self) -> CoordSystem:
        """Return the coordinates of what the model starts from; dimensions of any size are empty."""
        model = self._model
        return OrderedDict(
            batch=np.empty(0),
            time=np.empty(0),
            lead_time=self._step * np.arange(1 - model.history, 1),
            variable=np.array([their_name(one) for one in model.prognostic]),
            lat=self._grid.y[::-1].copy(),
            lon=self._grid.x.copy(),
        )

    def output_coords(self, input_coords: CoordSystem) -> CoordSystem:
        """Return the coordinates of a step from some coordinates.

        Raises:
            UserError: a ValueError, if these are not what the model starts from; the message names the dimension.
        """
        own, names = self.input_coords(), list(input_coords)
        if tuple(names[-5:]) != DIMENSIONS:
            raise UserError(
                f"earth2studio: expected the dimensions (..., {', '.join(DIMENSIONS)}), found ({', '.join(names)})."
            )
        for name in ("lead_time", "variable", "lat", "lon"):
            found = np.asarray(input_coords[name])
            if name == "lead_time" and len(found):
                found = found - found[-1]
            if found.shape != own[name].shape or not np.array_equal(found, own[name]):
                raise UserError(
                    f"earth2studio: the coordinate '{name}' is not that of the model, which has {len(own[name])} "
                    f"values from {own[name][0]} to {own[name][-1]}. Map the data onto model.input_coords()."
                )
        made = OrderedDict(input_coords)
        made["lead_time"] = np.asarray(input_coords["lead_time"])[-1:] + self._step
        made["variable"] = np.array([their_name(one) for one in self._model.predicted])
        return made

    def __call__(self, x: Tensor, coords: CoordSystem) -> tuple[Tensor, CoordSystem]:
        """Return the state after one time step, and its coordinates.

        Args:
            x: States [..., time, lead_time, variable, lat, lon].
            coords: Their coordinates.

        Raises:
            UserError: if the coordinates are not those that the model starts from.
        """
        states = self.create_iterator(x, coords)
        next(states)
        return next(states)

    def create_iterator(
        self, x: Tensor, coords: CoordSystem
    ) -> Iterator[tuple[Tensor, CoordSystem]]:
        """Yield the newest initial state, then the state after each time step, for ever.

        Args:
            x: States [..., time, lead_time, variable, lat, lon].
            coords: Their coordinates.

        Raises:
            UserError: while iterating, if the coordinates are not those that the model starts from.
        """
        after = self.output_coords(coords)
        window = self._window(x, coords)
        rows = RowForecaster(
            self._model,
            one_by_one=False,
            noise_seeds=[[self._seed, row] for row in range(len(window.data))],
        )
        hooked = _Hooked(self, rows, coords)
        start = OrderedDict(after, lead_time=np.asarray(coords["lead_time"])[-1:])
        yield self._theirs(self._initial(window), start), start
        newest = start["lead_time"]
        with torch.inference_mode():
            for number, state in enumerate(
                rollout(hooked, window, self._forcings(window), FOR_EVER), start=1
            ):
                made = OrderedDict(after, lead_time=newest + number * self._step)
                yield self._theirs(state, made), made

    def to(self, device: torch.device | str) -> "Earth2StudioModel":
        """Put the weights on a device and return the model."""
        if isinstance(self._model, NetworkForecaster):
            self._model.network.to(device)
        return self

    def _window(self, x: Tensor, coords: CoordSystem) -> State:
        """Return their tensor as states, a row for each of the leading dimensions and times."""
        sizes = [len(np.asarray(values)) for values in coords.values()]
        if list(x.shape) != sizes:
            raise UserError(
                f"earth2studio: a tensor of the shape {list(x.shape)} has coordinates of {sizes} values."
            )
        flat = x.flatten(0, len(sizes) - 5).flip(-2)
        leads = np.asarray(coords["lead_time"]).astype("timedelta64[ns]")
        times = np.asarray(coords["time"]).astype("datetime64[ns]")[:, None] + leads
        rows = len(flat) // max(1, len(times))
        mask = None
        if isinstance(self._model, NetworkForecaster) and self._model.valid_mask is not None:
            channels = self._model.predicted.indices(self._model.prognostic.names)
            mask = self._model.valid_mask[channels].to(x.device)
        state = State(flat, self._model.prognostic, self._grid, np.tile(times, (rows, 1)), mask)
        state.require_finite("earth2studio: the initial state")
        return state

    def _initial(self, window: State) -> State:
        """Return the newest state with all that is predicted, NaN where that is not known at the start."""
        predicted = self._model.predicted
        newest = window.last(1).data
        data = newest.new_full((*newest.shape[:2], len(predicted), *newest.shape[3:]), torch.nan)
        data[:, :, predicted.indices(self._model.prognostic.names)] = newest
        return State(data, predicted, self._grid, window.valid_times[:, -1:])

    def _theirs(self, state: State, coords: CoordSystem) -> Float[Tensor, "..."]:
        leading = [len(np.asarray(values)) for values in list(coords.values())[:-4]]
        return state.data.flip(-2).reshape(*leading, *state.data.shape[1:])

    def _forcings(self, window: State) -> Iterator[State] | None:
        return self._computed(window) if len(self._model.forcing) else None

    def _computed(self, window: State) -> Iterator[State]:
        """Yield the forcings of each application, computed or static."""
        forcing, step = self._model.forcing, self._step
        derived = [name for name in forcing.names if name not in self._static]
        times = window.valid_times[:, -1:] + step * np.arange(1, self._model.block + 1)
        while True:
            fields = np.empty((*times.shape, len(forcing), *self._grid.shape), np.float32)
            for row, dates in zip(fields, times, strict=True):
                if derived:
                    row[:, forcing.indices(derived)] = derived_fields(derived, dates, self._grid)
                for name, field in self._static.items():
                    row[:, forcing.names.index(name)] = field
            given = torch.from_numpy(fields).to(window.data.device)
            yield State(given, forcing, self._grid, times, self._forcing_mask(window))
            times = times + step * self._model.block

    def _forcing_mask(self, window: State) -> Tensor | None:
        model = self._model
        if not isinstance(model, NetworkForecaster) or model.forcing_mask is None:
            return None
        return model.forcing_mask.to(window.data.device)

    def _static_fields(self, static: str | Path | None) -> dict[str, np.ndarray]:
        """Return the fields of the static variables that are not computed, by name."""
        known = get_args(DerivedName)
        wanted = Variables(tuple(one for one in self._model.forcing if one.name not in known))
        given = [one.name for one in wanted if one.role != Role.STATIC]
        if given:
            raise UserError(
                f"earth2studio: the model needs {given} at every time, which are neither computed from time and place "
                "nor static. Choose a model without them."
            )
        if not len(wanted):
            return {}
        if static is None:
            raise UserError(
                f"earth2studio: the model needs the static fields {wanted.names}; name the training store that has "
                "them with static=."
            )
        store = TrainingStore.open(Path(static))
        if store.grid != self._grid:
            raise UserError(
                f"static={static}: is on the grid {store.grid}, the model on {self._grid}. Name the store that it was "
                "trained on."
            )
        fields = store.read(0, slice(0, 1))[0]
        return dict(zip(wanted.names, fields[store.variables.indices(wanted.names)], strict=True))


class _Hooked(Forecaster):
    """A forecaster whose states pass through the hooks of a wrapped model, in the layout of earth2studio."""

    def __init__(self, wrapped: Earth2StudioModel, model: Forecaster, coords: CoordSystem) -> None:
        self.variables, self.grid, self.name = model.variables, model.grid, model.name
        self.time_step, self.history, self.block = model.time_step, model.history, model.block
        self._wrapped, self._model, self._coords = wrapped, model, coords

    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the states that follow the window."""
        seen = self._through(self._wrapped.front_hook, window)
        return self._through(self._wrapped.rear_hook, self._model(seen, forcing))

    def _through(self, hook: Hook, state: State) -> State:
        if hook is _as_it_is:
            return state
        started = np.asarray(self._coords["time"]).astype("datetime64[ns]")
        coords = OrderedDict(
            self._coords,
            lead_time=state.valid_times[0] - started[0],
            variable=np.array([their_name(one) for one in state.variables]),
        )
        changed, _ = hook(self._wrapped._theirs(state, coords), coords)
        data = changed.reshape(state.data.shape).flip(-2)
        return State(data, state.variables, state.grid, state.valid_times, state.valid_mask)


def _as_it_is(x: Tensor, coords: CoordSystem) -> tuple[Tensor, CoordSystem]:
    return x, coords
