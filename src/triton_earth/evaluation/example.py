"""One case of each model for pictures: truth, forecast and error, with what is marked in them."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from triton_earth.core.grid import LatLonGrid
from triton_earth.core.processes.tasks import Tasks
from triton_earth.core.wording import LONG_NAMES
from triton_earth.evaluation.aggregator import Aggregator, Batch, Case, Family, Finished
from triton_earth.evaluation.alignment import Alignment, Forecasts
from triton_earth.evaluation.metrics.eddies.sea_level import detect_sea_level_eddies
from triton_earth.models.climatology import Climatology

DIMENSIONS = ("variable", "lead_time", "y", "x")

EDDY = ("latitude", "longitude", "amplitude", "radius")
"""What is known of each eddy."""

HIDDEN = 0.5
"""Part of the variance of the fields below which the anomalies are shown too."""

Own = TypeVar("Own", bound="ExampleFields")

Fields = Float[np.ndarray, "lead channel y x"]


@dataclass(frozen=True)
class Examples(Family):
    """The fields of one initial condition, the first of those whose truth reaches furthest.

    Attributes:
        number: Which it is.
    """

    number: int = -1

    def fit(self, case: Case, tasks: Tasks) -> "Examples":
        """Return the family with the initial condition chosen."""
        return Examples(longest(case.alignment))

    def start(self, case: Case) -> list[Aggregator]:
        """Return the aggregator that keeps its fields."""
        return [ExampleFields(case, self.number)]


class ExampleFields(Aggregator):
    """Keeps the fields of one initial condition, at the leads that have a truth.

    Attributes:
        number: Which initial condition.
        fields: Fields of the models and, last, of the truth; None in a part without that initial condition.
    """

    def __init__(self, case: Case, number: int) -> None:
        """Begin without fields."""
        self.number = number
        numbers = np.arange(case.shape[0]) if case.numbers is None else case.numbers
        there = np.flatnonzero(numbers == number)
        self._row = int(there[0]) if there.size else -1
        self.fields: Float[np.ndarray, "model lead channel y x"] | None = None
        if there.size:
            leads = 1 + int(case.alignment.available[self._row].sum())
            shape = (len(case.models) + 1, leads, len(case.variables), *case.grid.shape)
            self.fields = np.empty(shape, np.float32)
        self._next = 1

    def add(self, batch: Batch) -> None:
        """Keep the fields of the initial condition, if they are among those that pass."""
        for place in np.flatnonzero(batch.rows == self._row):
            assert self.fields is not None
            if self._next == 1:
                self.fields[:, 0] = batch.initial[place]
            models = len(self.fields) - 1
            for model, field in enumerate((*batch.fields[:models], batch.truth)):
                self.fields[model, self._next] = field[place]
            self._next += 1

    def merge(self: Own, *others: Own) -> Own:
        """Return the part that has the initial condition."""
        return next(one for one in (self, *others) if one.fields is not None)

    def scores(self, finished: Finished) -> xr.Dataset:
        """Return no scores."""
        return xr.Dataset()

    def datasets(self, finished: Finished, eddies: str | None) -> list[xr.Dataset]:
        """Return the example of each model, as `example_dataset` gives it.

        With a calendar and a climatology it has anomalies, as `with_anomalies` gives them.

        Args:
            finished: Everything that was kept.
            eddies: Sea level in m whose eddies are marked, as `with_eddies` does; None: none are.
        """
        case = finished.case
        assert self.fields is not None
        *models, true = self.fields
        leads = np.flatnonzero(case.alignment.available[self.number])
        found = []
        for forecast, fields in zip(case.models, models, strict=True):
            example = example_dataset(case, forecast, self.number, leads, true, fields)
            climatology = case.baselines.climatology
            if climatology is not None and np.asarray(forecast.init_times).dtype.kind == "M":
                example = with_anomalies(example, climatology)
            if eddies is not None and isinstance(case.grid, LatLonGrid):
                example = with_eddies(example, eddies, case.grid)
            found.append(example)
        return found


def longest(alignment: Alignment) -> int:
    """Return the first of those initial conditions whose truth reaches furthest."""
    return int(alignment.available.sum(axis=1).argmax())


def example_dataset(
    case: Case,
    forecast: Forecasts,
    init: int,
    leads: Int[np.ndarray, " chosen"],
    true: Fields,
    fields: Fields,
) -> xr.Dataset:
    """Return truth, forecast and error = forecast − truth of one initial condition.

    Args:
        case: What all scores share.
        forecast: The forecasts.
        init: Which initial condition.
        leads: Positions of the leads among those that are scored.
        true: The truth at the initial time and at those leads.
        fields: The initial state and the forecast at those leads.

    Returns:
        `truth`, `forecast`, `error` (variable, lead_time, y, x) in physical units, with the initial state as lead 0;
        NaN in cells that are not valid.
    """
    truth, alignment, valid_mask = case.truth, case.alignment, case.defined
    if valid_mask is not None:
        true, fields = (np.where(valid_mask, field, np.nan) for field in (true, fields))
    lead_times = np.asarray(forecast.lead_times)[alignment.leads[leads]]
    y_name, x_name = forecast.grid.axes
    data = {
        "truth": (DIMENSIONS, np.swapaxes(true, 0, 1), {"long_name": "truth"}),
        "forecast": (DIMENSIONS, np.swapaxes(fields, 0, 1), {"long_name": "forecast"}),
        "error": (DIMENSIONS, np.swapaxes(fields - true, 0, 1), {"long_name": "forecast - truth"}),
    }
    units = {} if lead_times.dtype.kind == "m" else {"units": truth.time_units}
    coordinates = {
        "variable": ("variable", forecast.variables.names),
        LONG_NAMES: ("variable", [variable.long_name for variable in forecast.variables]),
        "units": ("variable", [variable.units for variable in forecast.variables]),
        "lead_time": ("lead_time", np.concatenate([lead_times[:1] * 0, lead_times]), units),
        "lead": ("lead_time", np.concatenate([[0], alignment.numbers[leads]])),
        "y": ("y", forecast.grid.y, {"long_name": y_name}),
        "x": ("x", forecast.grid.x, {"long_name": x_name}),
    }
    attributes = {
        "init": init,
        "init_time": str(forecast.init_times[init]),
        "trajectory": int(forecast.trajectories[init]),
        "grid": str(forecast.grid),
    }
    return xr.Dataset(data, coords=coordinates, attrs=attributes)


def with_anomalies(example: xr.Dataset, climatology: Climatology) -> xr.Dataset:
    """Return an example with the anomalies from climatology of truth and forecast.

    Args:
        example: What `example_dataset` gives.
        climatology: Mean at each time of the year.

    Returns:
        The example with `truth_anomaly` and `forecast_anomaly` (variable, lead_time, y, x). The attribute `anomalies`
        lists the variables whose anomalies have less than `HIDDEN` of the variance of the fields.
    """
    times = np.datetime64(example.attrs["init_time"]) + example["lead_time"].values
    mean = np.swapaxes(climatology.at(times), 0, 1)
    parts = {f"{name}_anomaly": example[name] - mean for name in ("truth", "forecast")}
    hidden = []
    for variable in example["variable"].values.tolist():
        field, anomaly = (
            one.sel(variable=variable).values for one in (example["truth"], parts["truth_anomaly"])
        )
        whole = np.nanvar(field)
        if whole > 0 and np.nanmean(anomaly**2) < HIDDEN * whole:
            hidden.append(variable)
    return example.assign(parts).assign_attrs(anomalies=hidden)


def with_eddies(example: xr.Dataset, variable: str, grid: LatLonGrid) -> xr.Dataset:
    """Return an example with the eddies of its truth and forecast.

    Args:
        example: What `example_dataset` gives.
        variable: Name of the sea level, in m.
        grid: Its grid.

    Returns:
        The example with `eddy_latitude`, `eddy_longitude` (degrees), `eddy_amplitude`, `eddy_radius` (m), `eddy_source`
        (``truth`` or ``forecast``) and `eddy_lead` (index of the lead) of each eddy; none of a map that is not finite.
        The attribute `eddies` is the name of the sea level.
    """
    rows = []
    for source in ("truth", "forecast"):
        fields = example[source].sel(variable=variable).values
        known = np.isfinite(example["truth"].sel(variable=variable).values)
        for lead, field in enumerate(fields):
            if not np.isfinite(field[known[lead]]).all():
                continue
            for eddy in detect_sea_level_eddies(field, grid):
                rows.append((source, lead, *(getattr(eddy, name) for name in EDDY)))
    found = {
        f"eddy_{name}": ("eddy", np.array([row[column] for row in rows]))
        for column, name in enumerate(("source", "lead", *EDDY))
    }
    return example.assign(found).assign_attrs(eddies=variable)
