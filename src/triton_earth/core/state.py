"""State: fields in physical units together with what they are, where they are and when they are valid."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid, LatLonGrid, box_of, grid_from_dict
from triton_earth.core.time import describe_time
from triton_earth.core.variables import Role, Variable, Variables

ValidTimes = Shaped[np.ndarray, "batch time"]
"""Times as datetime64 or, for model time without a calendar, as float64."""


@dataclass(frozen=True)
class State:
    """Fields at one or several times.

    Attributes:
        data: Fields in physical units; NaN only where the valid mask is false.
        variables: What each channel is.
        grid: Where the cells are.
        valid_times: When each field is valid.
        valid_mask: True where a channel is defined; None where every channel is defined everywhere.

    Example:
        state = store.windows(trajectories=[0], starts=[0], length=2)
        state.data.shape, state.valid_times  # [batch, time, channel, y, x], [batch, time]
    """

    data: Float[Tensor, "batch time channel y x"]
    variables: Variables
    grid: Grid
    valid_times: ValidTimes
    valid_mask: Bool[Tensor, "channel y x"] | None = None

    def __post_init__(self) -> None:
        batch, time, channels, *shape = self.data.shape
        if channels != len(self.variables):
            raise ValueError(
                f"the tensor has {channels} channels but {len(self.variables)} variables are named: "
                f"{self.variables.names}."
            )
        if tuple(shape) != self.grid.shape:
            raise ValueError(f"the tensor's fields are {tuple(shape)} but the grid is {self.grid}.")
        if self.valid_times.shape != (batch, time):
            raise ValueError(
                f"expected valid times of shape {(batch, time)}, found {self.valid_times.shape}."
            )

    @classmethod
    def from_xarray(cls, dataset: xr.Dataset, variables: Variables | None = None) -> "State":
        """Make a state of a dataset, such as `to_xarray` gives.

        Args:
            dataset: One array for each variable, over ``time``, the axes of the grid, and ``batch`` where there are
                several states, in any order. Latitude may descend; longitudes of the whole circle may start anywhere.
                A box says in the attributes ``grid_kind``, ``grid_length_y`` and ``grid_length_x`` what it is. Times
                are those of ``valid_time``, or of the coordinate ``time``.
            variables: Which ones are wanted, in order; None: all, with the attributes ``units``, ``long_name``,
                ``level`` and ``role`` of the arrays.

        Returns:
            The state; cells without a value at any time are not valid.

        Raises:
            UserError: if a variable, time or grid is missing, or units are missing or not those wanted.

        Example:
            again = triton_earth.State.from_xarray(state.to_xarray())
            again.variables == state.variables and again.grid == state.grid
        """
        dataset, grid = _on_grid(dataset)
        if variables is None:
            variables = Variables(tuple(_described(array) for array in dataset.data_vars.values()))
        missing = [name for name in variables.names if name not in dataset.data_vars]
        if missing:
            raise UserError(
                f"the dataset lacks the variables {missing}; it has {[str(name) for name in dataset.data_vars]}. "
                "Rename its variables (xarray: ds.rename)."
            )
        for variable in variables:
            if _described(dataset[variable.name]).units != variable.units:
                raise UserError(
                    f"'{variable.name}' is in '{dataset[variable.name].attrs['units']}' in the dataset, but in "
                    f"'{variable.units}' is wanted. Convert it."
                )
        if "batch" not in dataset.dims:
            dataset = dataset.expand_dims("batch")
        order = ("batch", "time", *grid.axes)
        for name in variables.names:
            if set(dataset[name].dims) != set(order):
                raise UserError(
                    f"'{name}' has dimensions {dataset[name].dims}; expected {order}, without batch for a single "
                    "state. Rename or select (xarray: ds.rename, ds.isel)."
                )
        if "valid_time" not in dataset.coords and "time" not in dataset.coords:
            raise UserError(
                "the dataset has no coordinate 'time' or 'valid_time'. Say when its fields are valid (xarray: "
                "ds.assign_coords(time=...))."
            )
        times = dataset["valid_time" if "valid_time" in dataset.coords else "time"]
        size = (dataset.sizes["batch"], dataset.sizes["time"])
        valid_times = np.broadcast_to(times.to_numpy(), size).copy()
        fields = [dataset[name].transpose(*order).to_numpy() for name in variables.names]
        data = torch.from_numpy(np.stack(fields, axis=2).astype(np.float32))
        mask = ~torch.isnan(data).all(dim=0).all(dim=0)
        return cls(data, variables, grid, valid_times, None if bool(mask.all()) else mask)

    def to_xarray(self) -> xr.Dataset:
        """Return the state as a dataset with one array [batch, time, y, x] for each variable.

        Valid times are the coordinate ``valid_time``, cells that are not valid are NaN, and the attributes of the
        arrays say units, long name, level and role.

        Example:
            fields = state.to_xarray()
            fields["vorticity"].isel(batch=0, time=-1).std().item()
        """
        dims = ("batch", "time", *self.grid.axes)
        values = self.masked().data.detach().float().cpu().numpy()
        arrays = {
            variable.name: (dims, values[:, :, channel], _attributes(variable))
            for channel, variable in enumerate(self.variables)
        }
        y_name, x_name = self.grid.axes
        dataset = xr.Dataset(
            arrays,
            {
                "valid_time": (("batch", "time"), self.valid_times),
                y_name: (y_name, self.grid.y, _AXIS_ATTRIBUTES.get(y_name, {})),
                x_name: (x_name, self.grid.x, _AXIS_ATTRIBUTES.get(x_name, {})),
            },
        )
        if not isinstance(self.grid, LatLonGrid):
            dataset.attrs = {f"grid_{key}": value for key, value in self.grid.to_dict().items()}
        return dataset

    def select(self, names: Iterable[str]) -> "State":
        """Return the state of the named variables, in the order of `names`.

        Raises:
            UserError: if one is missing; the message names both sets.
        """
        names = list(names)
        if names == self.variables.names:
            return self
        indices = self.variables.indices(names)
        return replace(
            self,
            data=self.data[:, :, indices],
            variables=self.variables.select(names),
            valid_mask=None if self.valid_mask is None else self.valid_mask[indices],
        )

    def last(self, times: int) -> "State":
        """Return the newest `times` times."""
        return self.at(slice(self.data.shape[1] - times, None))

    def at(self, times: slice) -> "State":
        """Return the times in a slice of the time axis."""
        return replace(self, data=self.data[:, times], valid_times=self.valid_times[:, times])

    def append(self, newer: "State") -> "State":
        """Return this state followed in time by the same variables of a newer one."""
        newer = newer.select(self.variables.names)
        return replace(
            self,
            data=torch.cat([self.data, newer.data], dim=1),
            valid_times=np.concatenate([self.valid_times, newer.valid_times], axis=1),
        )

    def masked(self) -> "State":
        """Return the state with NaN in every cell where its variable is not defined."""
        if self.valid_mask is None:
            return self
        return replace(self, data=torch.where(self.valid_mask, self.data, torch.nan))

    def to(self, device: torch.device | str) -> "State":
        """Return the state on another device; from pinned memory it goes there while the caller goes on."""
        mask = None if self.valid_mask is None else self.valid_mask.to(device)
        data = self.data.to(device, non_blocking=self.data.is_pinned())
        return replace(self, data=data, valid_mask=mask)

    def pinned(self) -> "State":
        """Return the state in memory that a GPU can fetch by itself."""
        return replace(self, data=self.data.pin_memory())

    def require_finite(self, what: str) -> None:
        """Refuse values that are not finite in cells where their variable is defined.

        Args:
            what: What this state is, for the message.

        Raises:
            UserError: naming the variable, time and cell of the first such value and how many there are.
        """
        bad = ~torch.isfinite(self.data)
        if self.valid_mask is not None:
            bad &= self.valid_mask
        count = int(bad.sum())
        if count == 0:
            return
        batch, time, channel, y, x = (int(index) for index in torch.nonzero(bad)[0])
        raise UserError(
            f"{what} holds {count} values that are not finite, the first in "
            f"'{self.variables.names[channel]}' at time {describe_time(self.valid_times[batch, time])}, cell ({y}, "
            f"{x}). "
            "Repair the data, or mark those cells as undefined in the valid mask."
        )


_AXIS_ATTRIBUTES = {
    "latitude": {"units": "degrees_north", "standard_name": "latitude"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude"},
}


def _attributes(variable: Variable) -> dict[str, str | float]:
    """Return a variable as attributes that NetCDF can hold."""
    level = {} if variable.level is None else {"level": variable.level}
    return {
        "units": variable.units,
        "long_name": variable.long_name or variable.name,
        "role": str(variable.role),
        **level,
    }


def _described(array: xr.DataArray) -> Variable:
    """Return the variable that the attributes of an array describe."""
    attributes = array.attrs
    if "units" not in attributes:
        raise UserError(
            f"'{array.name}' does not say its units. Add them (xarray: ds['{array.name}'].attrs['units'] = 'K')."
        )
    level = attributes.get("level")
    return Variable(
        str(array.name),
        str(attributes["units"]),
        str(attributes.get("long_name", array.name)),
        None if level is None else float(level),
        Role(attributes.get("role", Role.PROGNOSTIC)),
    )


def _on_grid(dataset: xr.Dataset) -> tuple[xr.Dataset, Grid]:
    """Return a dataset from south to north and west to east, and its grid."""
    if "latitude" in dataset.coords and "longitude" in dataset.coords:
        dataset = dataset.sortby("latitude")
        grid = LatLonGrid(
            tuple(dataset["latitude"].values),
            tuple(dataset.sortby("longitude")["longitude"].values),
        )
        if grid.is_global_in_longitude:
            eastward = dataset["longitude"] % 360
            dataset = dataset.assign_coords(longitude=eastward)
        dataset = dataset.sortby("longitude")
        axes = (dataset["latitude"].values, dataset["longitude"].values)
        return dataset, LatLonGrid(tuple(axes[0]), tuple(axes[1]))
    described = box_of(dataset.attrs)
    if described is None:
        raise UserError(
            "the dataset has no coordinates 'latitude' and 'longitude', and no attributes grid_kind, grid_length_y and "
            "grid_length_x of a box. Rename its coordinates (xarray: ds.rename(lat='latitude', lon='longitude'))."
        )
    sizes = {name: int(dataset.sizes[name[-1]]) for name in ("ny", "nx")}
    return dataset, grid_from_dict({**described, **sizes})
