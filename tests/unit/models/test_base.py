import dataclasses

import numpy as np
import pytest

from tests.builders import HUMIDITY, SUNSHINE, TEMPERATURE
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.models.base import Forecaster
from triton_earth.models.reference import Persistence

GRID = PeriodicGrid(4, 4)
RAIN = Variable("rain", "mm", role=Role.DIAGNOSTIC)
OROGRAPHY = Variable("orography", "m", role=Role.STATIC)
MODEL = Persistence(Variables((TEMPERATURE, RAIN, SUNSHINE, OROGRAPHY)), GRID, 0.1, name="triton")


def refusal(variables=None, grid=GRID, time_step=0.1):
    with pytest.raises(UserError) as caught:
        MODEL.require_fit(variables or MODEL.variables, grid, time_step, "a.zarr")
    return str(caught.value)


def test_variables_by_role():
    assert MODEL.prognostic.names == ["temperature"]
    assert MODEL.predicted.names == ["temperature", "rain"]
    assert MODEL.forcing.names == ["sunshine", "orography"]


def test_data_with_more_variables_in_another_order_fit():
    more = Variables((OROGRAPHY, HUMIDITY, RAIN, SUNSHINE, TEMPERATURE))
    MODEL.require_fit(more, GRID, 0.1 + 1e-12, "a.zarr")


def test_missing_variables_are_named():
    text = refusal(Variables((TEMPERATURE, RAIN)))
    assert text.startswith(
        "a.zarr: the model 'triton' needs variables ['sunshine', 'orography'], which are not there; found "
        "['temperature', 'rain']."
    )


def test_other_units_are_refused():
    celsius = dataclasses.replace(TEMPERATURE, units="degC")
    text = refusal(Variables((celsius, RAIN, SUNSHINE, OROGRAPHY)))
    assert "'temperature' is in 'degC', but the model 'triton' was trained on 'K'" in text


def test_another_grid_is_refused():
    text = refusal(grid=PeriodicGrid(4, 4, 1.0))
    assert "the grid is periodic box 4 x 4, sides 1 x 6.283, but the model 'triton'" in text
    assert "periodic box 4 x 4, sides 6.283 x 6.283." in text


@pytest.mark.parametrize(
    ("step", "words"), [(0.2, "0.2"), (np.timedelta64(6, "h"), "6 h"), (0.1 * (1 + 1e-4), "0.1")]
)
def test_another_time_step_is_refused(step, words):
    assert f"the time step is {words}" in refusal(time_step=step)


def test_a_forecaster_must_say_how_it_steps():
    class Idle(Forecaster):
        pass

    with pytest.raises(TypeError, match="abstract method"):
        Idle()
