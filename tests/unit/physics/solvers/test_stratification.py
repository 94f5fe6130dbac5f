"""Vertical modes of a stack of layers."""

import numpy as np
import pytest

from triton_earth.core.errors import UserError
from triton_earth.physics.solvers.stratification import Stratification

GYRE = Stratification((400.0, 1100.0, 2600.0), (0.025, 0.0125), 9.4e-5)


def test_modes_are_the_eigenvectors_of_the_stretching():
    to_layers, to_modes = GYRE.to_layers, GYRE.to_modes
    assert np.allclose(to_layers @ to_modes, np.eye(3), atol=1e-14)
    assert np.allclose(GYRE.stretching @ to_layers, to_layers * GYRE.eigenvalues, rtol=1e-10)
    assert np.all(np.diff(GYRE.eigenvalues) > 0)


def test_the_radii_are_those_of_a_mid_latitude_gyre():
    # Hogg et al. (2003) give 39 and 22 km for the same layers at slightly weaker stratification.
    radii = GYRE.eigenvalues**-0.5
    assert radii[1:] / 1e3 == pytest.approx([41.4, 25.5], abs=0.1)
    assert radii[0] == pytest.approx(np.sqrt(9.81 * 4100) / 9.4e-5, rel=1e-2)


def test_two_layers_have_their_closed_form():
    # With a lid instead of a free surface: λ = 0 and f₀²/g' (1/H₁ + 1/H₂).
    layers = Stratification((500.0, 1500.0), (0.02,), 1e-4, gravity=1e12)
    expected = 1e-8 / 0.02 * (1 / 500 + 1 / 1500)
    assert layers.eigenvalues[1] == pytest.approx(expected, rel=1e-9)
    assert layers.eigenvalues[0] == pytest.approx(0, abs=1e-20)
    barotropic, baroclinic = layers.to_layers.T
    assert barotropic[0] == pytest.approx(barotropic[1])
    assert baroclinic[0] / baroclinic[1] == pytest.approx(-3)


@pytest.mark.parametrize(
    ("depths", "gravities"), [((400.0, 100.0), (0.02, 0.01)), ((400.0, -1.0), (0.02,)), ((), ())]
)
def test_layers_that_do_not_fit_are_refused(depths, gravities):
    with pytest.raises(UserError, match=r"expected positive depths and, between each two layers"):
        Stratification(depths, gravities, 1e-4)


def test_the_equator_is_refused():
    with pytest.raises(UserError, match=r"Coriolis parameter other than 0"):
        Stratification((400.0, 100.0), (0.02,), 0.0)
