"""Forecasts and truth in memory, with the interface of the stores."""

import numpy as np
import pytest

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import VORTICITY, Variables


class MemoryTruth:
    """Truth [trajectory, time, channel, y, x]."""

    def __init__(self, fields, *, variables=None, grid=None, times=None, valid_mask=None):
        self.fields = fields.astype(np.float32)
        self.variables = variables or Variables((VORTICITY,))
        self.grid = grid or PeriodicGrid(*fields.shape[-2:])
        self.times = np.arange(fields.shape[1]) * 0.5 if times is None else times
        self.time_units = "1"
        self.time_step = self.times[1] - self.times[0]
        self.valid_mask = valid_mask
        self.recorded = np.ones(fields.shape[1], dtype=bool)
        self.content_hash = "0123"
        self.provenance = {"source": "memory"}
        self.reads = 0

    @property
    def trajectories(self):
        return np.arange(len(self.fields))

    def read(self, trajectory, times):
        self.reads += 1
        return self.fields[trajectory, times]

    def find_time(self, time):
        distance = np.abs((self.times - time) / self.time_step)
        return int(distance.argmin()) if distance.min() < 1e-3 else None


class MemoryForecasts:
    """Forecasts [init, lead, channel, y, x]."""

    def __init__(
        self,
        fields,
        *,
        variables=None,
        grid=None,
        init_times=None,
        trajectories=None,
        time_step=0.5,
        chunk=2,
        model="triton",
        leads=None,
    ):
        self.fields = fields.astype(np.float32)
        self.variables = variables or Variables((VORTICITY,))
        self.grid = grid or PeriodicGrid(*fields.shape[-2:])
        self.time_step = time_step
        numbers = np.arange(1, fields.shape[1] + 1) if leads is None else np.asarray(leads)
        self.lead_times = numbers * time_step
        self.init_times = np.zeros(len(fields)) if init_times is None else init_times
        self.trajectories = np.arange(len(fields)) if trajectories is None else trajectories
        self.chunk_inits = chunk
        self.provenance = {"model": model, "seed": 3}

    def read(self, inits, lead):
        return self.fields[inits, lead]


@pytest.fixture
def truth_of():
    return MemoryTruth


@pytest.fixture
def forecasts_of():
    return MemoryForecasts


@pytest.fixture
def flow():
    """Six trajectories of eight smooth, decaying vorticity fields with all scales, 16 x 16."""
    generator = np.random.default_rng(5)
    k = np.hypot(
        *np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.fft.rfftfreq(16, 1 / 16), indexing="ij")
    )
    noise = np.fft.rfft2(generator.standard_normal((6, 8, 16, 16)))
    drift = np.cumsum(0.3 * noise, axis=1) + 2 * noise[:, :1]
    return np.fft.irfft2(drift / (1 + k**2) * (k > 0), s=(16, 16))[:, :, None].astype(np.float32)
