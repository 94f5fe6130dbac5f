"""The simulations that a recipe can name by `kind`."""

from typing import Annotated

import pydantic

from triton_earth.data.simulated.double_gyre import DoubleGyre
from triton_earth.physics.solvers.kolmogorov import KolmogorovFlow
from triton_earth.physics.solvers.mcwilliams import DecayingTurbulence

AnySimulation = Annotated[
    DecayingTurbulence | KolmogorovFlow | DoubleGyre, pydantic.Field(discriminator="kind")
]
"""A field of this type in a configuration is read as the class whose `kind` it holds."""
