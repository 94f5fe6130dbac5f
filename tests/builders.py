"""Small exact data for tests: advected waves, tiny stores and tiny forecasters."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from triton_earth.core.grid import LatLonGrid, PeriodicGrid
from triton_earth.core.state import State
from triton_earth.core.variables import VORTICITY, Role, Variable, Variables
from triton_earth.data.sources.values.derived import derived_fields, derived_variables
from triton_earth.data.statistics.normalization import Normalizer, compute_normalizer
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster

SPLITS = ("train", "train", "train", "valid", "test", "test")

TEMPERATURE = Variable("temperature", "K", "temperature")
HUMIDITY = Variable("humidity", "1", "humidity")
HEIGHT = Variable("height", "m", role=Role.STATIC)
SUNSHINE = Variable("sunshine", "W m-2", "sunshine", role=Role.FORCING)

TINY_NETWORK = {
    "name": "triton",
    "spatial_hidden_dim": 8,
    "temporal_hidden_dim": 8,
    "num_spatial_layers": 2,
    "num_temporal_layers": 2,
    "drop_path": 0.1,
}

TINY_RECIPE = [
    "data.source.grid=16",
    "data.source.simulation_grid=32",
    "data.source.time_step=0.05",
    "data.source.warm_up=0.5",
    "data.source.snapshots=8",
    "data.splits={train: 4, valid: 2, test: 2}",
    "data.batch_size=4",
    "model.network.widths=[8]",
    "model.network.temporal_hidden_dim=8",
    "model.network.num_temporal_layers=2",
    "train.steps=6",
    "train.batch_size=4",
    "train.warmup_steps=2",
    "train.validate_every=3",
    "train.device=cpu",
    "train.report=false",
    "forecast.steps=7",
]
"""Overrides that make `turbulence_small` a matter of seconds."""


WEATHER_DATA = (
    "data={kind: gridded, path: none.nc, variables: [temperature, {name: sunshine, role: forcing}], "
    "splits: {train: ['2000', '2000'], valid: ['2001', '2001'], test: ['2002', '2002']}}"
)
"""Override that makes a recipe one of the variables of `weather_store`."""


def advected_wave(grid: PeriodicGrid, times: np.ndarray, phase: float) -> np.ndarray:
    """sin(x − t + phase) + ½ cos(y + t) as [time, channel, y, x]."""
    t = times[:, None, None]
    wave = np.sin(grid.x - t + phase) + 0.5 * np.cos(grid.y[:, None] + t)
    return wave[:, None].astype(np.float32)


def wave_store(path: Path, *, cells: int = 8, times: int = 12, splits=SPLITS) -> TrainingStore:
    """A store of advected waves on a periodic box, one variable, model time in steps of 0.1."""
    grid = PeriodicGrid(cells, cells)
    time_axis = 0.1 * np.arange(times)
    create_store(
        path,
        variables=Variables((VORTICITY,)),
        grid=grid,
        times=time_axis,
        splits=list(splits),
        provenance={"source": "advected waves"},
    )
    hashes = [
        write_trajectory(path, number, advected_wave(grid, time_axis, float(number)))
        for number in range(len(splits))
    ]
    finish_store(path, hashes)
    return TrainingStore.open(path)


def weather_grid() -> LatLonGrid:
    return LatLonGrid(tuple(np.arange(-52.5, 60.0, 15.0)), tuple(np.arange(0.0, 360.0, 45.0)))


def weather_times(times: int) -> np.ndarray:
    return np.datetime64("2000-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h")


def land_mask(grid: LatLonGrid) -> np.ndarray:
    """Temperature is defined everywhere but in one corner, sunshine everywhere."""
    mask = np.ones((2, *grid.shape), dtype=bool)
    mask[0, :3, :4] = False
    return mask


def weather_fields(grid: LatLonGrid, times: int, seed: int) -> np.ndarray:
    """Temperature that sunshine heats; NaN over land."""
    generator = np.random.default_rng(seed)
    sunshine = generator.normal(300.0, 50.0, (times, *grid.shape))
    temperature = 280 + np.cumsum(0.01 * (sunshine - 300), axis=0)
    fields = np.stack([temperature, sunshine], axis=1).astype(np.float32)
    return np.where(land_mask(grid), fields, np.nan).astype(np.float32)


def weather_store(path: Path, *, times: int = 10, splits=SPLITS) -> TrainingStore:
    """A calendar store on a latitude-longitude grid with a valid mask and a forcing."""
    grid = weather_grid()
    create_store(
        path,
        variables=Variables((TEMPERATURE, SUNSHINE)),
        grid=grid,
        times=weather_times(times),
        splits=list(splits),
        provenance={"source": "random weather"},
        valid_mask=land_mask(grid),
    )
    hashes = [
        write_trajectory(path, number, weather_fields(grid, times, number))
        for number in range(len(splits))
    ]
    finish_store(path, hashes)
    return TrainingStore.open(path)


def daily_store(
    path: Path, times: np.ndarray, *, sunshine=True, splits=("train", "test"), season=0.0
) -> TrainingStore:
    """Temperature with a season, insolation, a height and, if wanted, sunshine that is the number of its day."""
    grid = weather_grid()
    derived = ["insolation", "sine_of_longitude"]
    own = (TEMPERATURE, HEIGHT, *([SUNSHINE] if sunshine else []))
    variables = Variables((*own, *derived_variables(derived)))
    create_store(
        path, variables=variables, grid=grid, times=times, splits=list(splits), provenance={}
    )
    shape = (len(times), *grid.shape)
    generator = np.random.default_rng(0)
    wave = season * np.cos(2 * np.pi * np.arange(len(times)) / 365.25)
    hashes = []
    for number in range(len(splits)):
        fields = [
            280 + wave[:, None, None] + generator.standard_normal(shape),
            np.broadcast_to(np.arange(64.0).reshape(8, 8), shape),
        ]
        if sunshine:
            fields.append(np.broadcast_to(np.arange(len(times), dtype=float)[:, None, None], shape))
        given = np.stack(fields, axis=1).astype(np.float32)
        whole = np.concatenate([given, derived_fields(derived, times, grid)], axis=1)
        hashes.append(write_trajectory(path, number, whole))
    finish_store(path, hashes)
    return TrainingStore.open(path)


def statistics(store: TrainingStore) -> Normalizer:
    return compute_normalizer(
        (store.read(int(number), slice(None)) for number in store.trajectories_in("train")),
        store.variables,
        store.valid_mask,
    )


def tiny_forecaster(
    store: TrainingStore,
    *,
    history: int = 1,
    prediction: str = "tendency",
    seed: int = 0,
    mask_input: bool = False,
    noise: dict | None = None,
) -> NetworkForecaster:
    """A forecaster of the store's variables with a small random network, in evaluation mode."""
    torch.manual_seed(seed)
    config = ModelConfig(
        network=TINY_NETWORK,
        history=history,
        prediction=prediction,
        mask_input=mask_input,
        noise=noise,
    )
    forecaster = NetworkForecaster(
        config, store.variables, store.grid, store.time_step, statistics(store)
    )
    if store.valid_mask is not None:
        predicted = store.variables.indices(forecaster.predicted.names)
        forecaster.valid_mask = torch.from_numpy(store.valid_mask[predicted])
        given = store.variables.indices(forecaster.forcing.names)
        forecaster.forcing_mask = torch.from_numpy(store.valid_mask[given])
    forecaster.network.eval()
    return forecaster


class ScaledSum(nn.Module):
    """Every output channel is factor × the sum of the input channels: an exactly known network."""

    def __init__(self, factor: float, outputs: int = 1) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.outputs = outputs
        self.inputs: list[torch.Tensor] = []

    def forward(self, x):
        self.inputs.append(x.detach().clone())
        return (self.factor * x.sum(dim=2, keepdim=True)).expand(-1, -1, self.outputs, -1, -1)


def random_state(
    grid, variables: Variables, *, batch: int = 2, times: int = 1, seed: int = 0, valid_mask=None
) -> State:
    data = torch.randn(
        batch, times, len(variables), *grid.shape, generator=torch.Generator().manual_seed(seed)
    )
    valid_times = np.tile(0.1 * np.arange(times), (batch, 1))
    return State(data, variables, grid, valid_times, valid_mask)


def files_below(folder: Path) -> dict[str, bytes]:
    """Name and content of every file and the name of every folder, to see that nothing changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
