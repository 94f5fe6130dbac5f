"""How many forecasts are made together: as many as memory allows."""

import math
import os
from pathlib import Path

import numpy as np
import torch

from triton_earth.core.errors import UserError
from triton_earth.core.state import State
from triton_earth.core.variables import Variables
from triton_earth.models.base import Forecaster

SHARE = {"cuda": 0.6, "cpu": 0.25}
"""Part of the memory that forecasts may take; the rest is for the guard, files and others."""

MOST = {"cuda": 256, "cpu": 16}
"""Most forecasts together; more would not be faster."""


def parse_batch_size(text: str) -> int | None:
    """Read a batch size; ``auto`` is None, as many as memory allows.

    Raises:
        UserError: if it is neither that nor a positive number.
    """
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"--batch-size: expected auto or a number of at least 1, found {text}.")
    return int(text)


def find_batch_size(forecaster: Forecaster, rows: int, device: torch.device) -> int:
    """Return how many forecasts to make together, a power of two.

    On a GPU the peak memory of one application with one and with two forecasts is measured, and extrapolated. On a CPU,
    where forecasts go through the network one after the other, it is their fields that count. All of the memory counts,
    not what happens to be free, so that the same command makes the same batches.

    Args:
        forecaster: The model, on the device.
        rows: Forecasts to make; no batch is larger.
        device: Where they are made.
    """
    if device.type == "cuda":
        one, two = (gpu_peak(forecaster, batch, device) for batch in (1, 2))
        each, fixed = max(1, two - one), max(0, 2 * one - two)
    else:
        each, fixed = row_bytes(forecaster), 0
    budget = SHARE[device.type] * total_memory(device) - fixed
    fitting = max(1, min(int(budget // each), MOST[device.type], rows))
    return int(2 ** math.floor(math.log2(fitting)))


def gpu_peak(forecaster: Forecaster, batch: int, device: torch.device) -> int:
    """Return the most bytes that a GPU holds while the model is applied to so many states of zeros."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    calendar = isinstance(forecaster.time_step, np.timedelta64)

    def zeros(variables: Variables, times: int) -> State:
        data = torch.zeros(batch, times, len(variables), *forecaster.grid.shape, device=device)
        valid = np.zeros((batch, times), dtype="datetime64[ns]" if calendar else np.float64)
        return State(data, variables, forecaster.grid, valid)

    with torch.inference_mode():
        forcing = zeros(forecaster.forcing, forecaster.block) if len(forecaster.forcing) else None
        forecaster(zeros(forecaster.prognostic, forecaster.history), forcing)
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device))


def row_bytes(forecaster: Forecaster) -> int:
    """Return the bytes of the fields that one forecast holds at once, the guard's among them."""
    prognostic, predicted = len(forecaster.prognostic), len(forecaster.predicted)
    fields = 2 * forecaster.history * prognostic + 8 * prognostic
    fields += forecaster.block * (3 * predicted + len(forecaster.forcing))
    return 4 * fields * math.prod(forecaster.grid.shape)


def total_memory(device: torch.device) -> int:
    """Return the bytes of memory of a GPU, or of this machine or the control group that confines us."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(physical, int(text)) if text.isdigit() else physical
