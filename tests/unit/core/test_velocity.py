import pytest

from triton_earth.core.variables import Variable, Variables
from triton_earth.core.velocity import velocity_pairs


@pytest.mark.parametrize(
    ("east", "north"),
    [
        ("u10", "v10"),
        ("u", "v"),
        ("uo_5", "vo_5"),
        ("ugos", "vgos"),
        ("eastward_wind_sigma835", "northward_wind_sigma835"),
        ("10m_u_component_of_wind", "10m_v_component_of_wind"),
        ("surface_geostrophic_eastward_velocity", "surface_geostrophic_northward_velocity"),
    ],
)
def test_names_of_a_pair(east, north):
    variables = Variables(
        (Variable("uv_index", "1"), Variable(north, "m s-1"), Variable(east, "m s-1"))
    )
    assert velocity_pairs(variables) == [(2, 1)]


def test_no_pair_without_the_other_its_level_or_units():
    def pairs(*variables):
        return velocity_pairs(Variables(variables))

    assert pairs(Variable("u10", "m s-1")) == []
    assert pairs(Variable("u_a", "m s-1", level=850.0), Variable("v_a", "m s-1", level=500.0)) == []
    assert pairs(Variable("u10", "m s-1"), Variable("v10", "K")) == []
