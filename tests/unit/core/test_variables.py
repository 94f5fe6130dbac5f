import json

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Role, Variable, Variables

T = Variable("temperature_850", "K", "temperature", level=850.0)
Q = Variable("humidity", "1", role=Role.DIAGNOSTIC)
S = Variable("sunshine", "W m-2", role=Role.FORCING)
Z = Variable("orography", "m", role=Role.STATIC)
ALL = Variables((T, Q, S, Z))


def test_channels_are_chosen_by_name_in_the_order_asked_for():
    assert ALL.indices(["sunshine", "temperature_850"]) == [2, 0]
    assert ALL.select(["sunshine", "temperature_850"]) == Variables((S, T))
    assert "sunshine" in ALL
    assert "rain" not in ALL
    assert len(ALL) == 4


def test_channels_are_chosen_by_role():
    assert ALL.with_role(Role.PROGNOSTIC).names == ["temperature_850"]
    assert ALL.with_role(Role.STATIC, Role.FORCING).names == ["sunshine", "orography"]


def test_variables_survive_json():
    again = Variables.from_list(json.loads(json.dumps(ALL.to_list())))
    assert again == ALL
    assert again.channels[1].role is Role.DIAGNOSTIC


def test_a_missing_variable_names_both_sets():
    with pytest.raises(UserError) as caught:
        ALL.select(["rain", "humidity", "snow"])
    assert "variables ['rain', 'snow'] are needed but not there" in str(caught.value)
    assert "found ['temperature_850', 'humidity', 'sunshine', 'orography']" in str(caught.value)


def test_a_repeated_name_is_refused():
    with pytest.raises(ValueError, match=r"names must differ; \['humidity'\] occur more than once"):
        Variables((Q, T, Q))


def test_a_variable_without_a_name_is_refused():
    with pytest.raises(ValueError, match="a variable needs a name"):
        Variable("", "K")


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="'passive' is not a valid Role"):
        Variables.from_list([{"name": "tracer", "units": "1", "role": "passive"}])


@pytest.mark.parametrize(
    "name",
    ["..", "../../x", ".", "zarr.json", "lead_time", "latitude", "statistics", "a/b", "a\nb", "é" * 101],
)  # fmt: skip
def test_names_that_a_store_cannot_hold_are_refused(name):
    with pytest.raises(UserError, match=r"stores use this name for something else, or cannot hold"):
        Variables((Variable(name, "1", ""),)).require_storable()
    Variables(
        (Variable("vorticity", "s-1", ""), Variable("température", "K", ""))
    ).require_storable()
