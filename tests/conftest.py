"""Set-up of every test: one torch thread, quiet OpenMP, array shapes checked at every public border."""

import logging
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "Agg")

from tests.shape_checks import begin_test, check_sparingly

# Before the first import of the package, so that every annotation is checked.
check_sparingly("triton_earth", "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402

# Fixtures that live longer than a test are made before the one below comes to it.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread_and_fixed_seed():
    begin_test()
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _messages_as_on_import():
    """Tests come in any order: the command line sets how much is said, and leaves it so."""
    ours, root = logging.getLogger("triton_earth"), logging.getLogger()
    guard = logging.getLogger("triton_earth.guard")
    before = ours.level, root.level, list(root.handlers)
    yield
    ours.setLevel(before[0])
    guard.setLevel(logging.NOTSET)
    root.setLevel(before[1])
    root.handlers[:] = before[2]


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


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory):
    """The training store of the tiny recipe, as `prepare` makes it; not to be changed."""
    from tests.builders import TINY_RECIPE
    from triton_earth.workflow.prepare import prepare

    out = tmp_path_factory.mktemp("tiny") / "truth.zarr"
    prepare("turbulence_small", out, TINY_RECIPE)
    return out


@pytest.fixture(scope="session")
def tiny_run(tiny_store, tmp_path_factory):
    """The run folder of the tiny recipe, as `train` makes it; not to be changed."""
    from tests.builders import TINY_RECIPE
    from triton_earth.workflow.train import train

    out = tmp_path_factory.mktemp("tiny") / "run"
    train("turbulence_small", tiny_store, out, TINY_RECIPE)
    return out


@pytest.fixture(scope="session")
def tiny_forecast(tiny_run, tiny_store, tmp_path_factory):
    """The forecast of the tiny recipe, as `forecast` makes it; not to be changed."""
    from triton_earth.workflow.forecast import forecast

    out = tmp_path_factory.mktemp("tiny") / "forecast.zarr"
    forecast(tiny_run, tiny_store, out)
    return out


@pytest.fixture(scope="module")
def dask_address():
    """The address of a Dask scheduler with two workers in this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
    ) as cluster:
        yield cluster.scheduler_address
