"""The published scheme beside the library that made the published data."""

import math

import pytest
import torch

from triton_earth.physics.solvers.mcwilliams import DecayingTurbulence
from triton_earth.physics.solvers.published_scheme import PublishedNavierStokes, published_filter
from triton_earth.physics.solvers.time_stepping import LowStorageCrankNicolson

DT = 0.005


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def torch_cfd_solution(start, viscosity, steps, drag=0.0):
    """ω [member, y, x] after `steps` steps; their first axis is x."""
    pytest.importorskip("torch_cfd")
    from torch_cfd.grids import Grid
    from torch_cfd.spectral import NavierStokes2DSpectral, RK4CrankNicolsonStepper

    size = start.shape[-1]
    torch.set_default_dtype(torch.float64)
    try:
        grid = Grid((size, size), domain=((0, 2 * math.pi), (0, 2 * math.pi)))
        other = NavierStokes2DSpectral(
            viscosity, grid, drag=drag, smooth=True, step_fn=RK4CrankNicolsonStepper()
        )
        # Newer releases keep one row more than the one that made the data.
        rows = int(2 / 3 * size) // 2
        assert torch.equal(other.filter[:rows], published_filter((size, size))[:rows].double())
        other.filter[rows] = 0
        assert torch.equal(other.filter, published_filter((size, size)).double())
        waves, _ = other(torch.fft.rfft2(start.mT), DT, steps=steps)
    finally:
        torch.set_default_dtype(torch.float32)
    return torch.fft.irfft2(waves, s=(size, size)).mT


@pytest.mark.parametrize("size", [48, 64])
def test_all_waves_agree_with_torch_cfd_to_rounding(size):
    """Noise has all waves, so that those beyond the filter, their aliases and the row without partner take part."""
    start = torch.randn(2, size, size, dtype=torch.float64)
    start -= start.mean((-2, -1), keepdim=True)
    expected = torch_cfd_solution(start, 0.002, 40, drag=0.1)
    solver = PublishedNavierStokes((size, size), 0.002, drag=0.1, dtype=torch.float64)
    (found,) = solver.integrate(start, [40 * DT], DT, LowStorageCrankNicolson)
    assert relative(found, expected) < 1e-11


def test_a_recipe_can_ask_for_the_scheme_of_the_published_data():
    source = DecayingTurbulence(
        scheme="published",
        precision="float64",
        grid=64,
        simulation_grid=64,
        time_step=DT,
        warm_up=20 * DT - 5e-4,
        snapshots=2,
        interval=10 * DT,
        reynolds=1000,
    )
    found = source.trajectories([0, 1])
    start = source.initial_vorticity([0, 1])
    for number, steps in enumerate((20, 30)):
        expected = torch_cfd_solution(start, 1e-3, steps)
        assert relative(found[:, number].double(), expected) < 1e-7  # stored in float32


def test_the_schemes_differ_little_where_the_flow_is_resolved():
    common = {"grid": 32, "simulation_grid": 96, "time_step": DT, "warm_up": 0.5, "snapshots": 2}
    ours, theirs = (
        DecayingTurbulence(scheme=scheme, reynolds=300, **common).trajectories([0])
        for scheme in ("integrating_factor", "published")
    )
    assert 0 < relative(ours, theirs) < 1e-3


@pytest.mark.parametrize(("size", "rows", "columns"), [(48, 16, 16), (64, 21, 22), (512, 170, 171)])
def test_the_filter_keeps_the_rows_and_columns_of_the_specification(size, rows, columns):
    kept = published_filter((size, size))
    assert kept.shape == (size, size // 2 + 1)
    assert kept[:rows, :columns].all()
    assert kept[-rows:, :columns].all()
    assert kept.sum() == 2 * rows * columns
