"""Set-up of every test: one torch thread, quiet OpenMP, array shapes checked at every public border."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Before the first import of the package, so that every annotation is checked.
install_import_hook("triton_earth", "beartype.beartype")

import pytest
import torch

# Fixtures that live longer than a test are made before the one below comes to it.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread_and_fixed_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def waves(tmp_path_factory):
    """A training store of advected waves on a periodic box; not to be changed."""
    from tests.builders import wave_store

    return wave_store(tmp_path_factory.mktemp("waves") / "waves.zarr")


@pytest.fixture(scope="session")
def weather(tmp_path_factory):
    """A calendar training store with a valid mask and a forcing; not to be changed."""
    from tests.builders import weather_store

    return weather_store(tmp_path_factory.mktemp("weather") / "weather.zarr")
