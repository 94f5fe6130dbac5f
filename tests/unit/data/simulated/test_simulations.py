"""The union of the simulations is read by `kind`."""

import pytest

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.data.simulated.double_gyre import DoubleGyre
from triton_earth.data.simulated.simulations import AnySimulation
from triton_earth.physics.solvers.kolmogorov import KolmogorovFlow
from triton_earth.physics.solvers.mcwilliams import DecayingTurbulence


class Recipe(StrictConfig):
    simulation: AnySimulation


@pytest.mark.parametrize("kind", [DecayingTurbulence, KolmogorovFlow, DoubleGyre])
def test_the_kind_chooses_the_class(kind):
    recipe = Recipe.parse({"simulation": {"kind": kind().kind, "grid": 32}}, "recipe.yaml")
    assert recipe.simulation == kind(grid=32)


def test_an_unknown_kind_is_refused():
    with pytest.raises(
        UserError,
        match=r"simulation.kind.*'rotating'; known are decaying_turbulence, double_gyre, kol",
    ):
        Recipe.parse({"simulation": {"kind": "rotating"}}, "recipe.yaml")
