"""Set-up of every test: one torch thread, quiet OpenMP, array shapes checked at every public border."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Before the first import of the package, so that every annotation is checked.
install_import_hook("triton_earth", "beartype.beartype")

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_fixed_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)
