"""Opening what the verbs have written: training stores, forecasts, scores."""

from pathlib import Path

import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.scores_file import NETCDF
from triton_earth.rollout.storage.forecast_store import ForecastStore


def open_store(path: str | Path) -> TrainingStore:
    """Open a training store for reading.

    Args:
        path: Folder that `prepare` wrote.

    Raises:
        UserError: if there is no store, it is unfinished, or files of it are missing or damaged.

    Example:
        store = triton_earth.open_store("truth.zarr")
        store.times.shape, store.variables.names, store.grid
    """
    return TrainingStore.open(path)


def open_forecast(path: str | Path) -> ForecastStore:
    """Open a forecast store for reading.

    Args:
        path: Folder that `forecast` wrote.

    Raises:
        UserError: if there is none, it is unfinished, or it is damaged.

    Example:
        stored = triton_earth.open_forecast("forecast.zarr")
        stored.read(slice(0, 1), lead=0).shape  # [init, channel, y, x]
    """
    return ForecastStore.open(path)


def load_scores(path: str | Path) -> xr.Dataset:
    """Load the scores of an evaluation.

    Args:
        path: Folder that `evaluate` or `compare` wrote, or the file ``scores.nc`` in it.

    Returns:
        What these functions returned; each score says in its attribute ``definition`` what it is.

    Raises:
        UserError: if there are no scores, or the file is damaged.

    Example:
        scores = triton_earth.load_scores("report")
        scores["rmse"].to_dataframe().to_csv("rmse.csv")
    """
    path = Path(path)
    file = path / NETCDF if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"{file}: there are no scores; make them with `triton-earth evaluate FORECAST TRUTH --out {path}`."
        )
    try:
        with xr.open_dataset(file, engine="netcdf4") as scores:
            return scores.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{file}: cannot be read ({str(error).splitlines()[0]}). Evaluate the forecast again."
        ) from error
