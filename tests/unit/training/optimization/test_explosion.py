from pathlib import Path

import pytest

from triton_earth.core.errors import UserError
from triton_earth.training.config import TrainConfig
from triton_earth.training.optimization.explosion import require_sound

ROWS = [
    {"lead": lead, "variable": variable, "loss": loss}
    for lead, variable, loss in (
        (1, "salinity", 2.0), (1, "temperature", 3e5), (2, "salinity", 4.0),
    )
]  # fmt: skip


def check(loss, norm=1.0, first_loss=0.5, rows=ROWS):
    config = TrainConfig(validate_every=4)
    require_sound(6, loss, norm, first_loss, config, Path("RUN"), lambda: rows)


def test_a_loss_may_grow_a_lot():
    check(4999.0)
    check(1e30, first_loss=float("inf"))  # an older run that goes on


def test_an_exploding_loss_names_step_variable_and_lead():
    with pytest.raises(UserError) as caught:
        check(5001.0)
    assert str(caught.value) == (
        "the training loss is 5e+03, more than 10000 times the 0.5 of the first step with this horizon "
        "(train.explosion), at step 7, largest in 'temperature' at lead 1. The weights that did best until "
        "step 4 are kept: start a new run from them in another folder, with train.init_from=RUN, with a lower "
        "train.learning_rate or train.clip_norm, and look for outliers in the data."
    )


@pytest.mark.parametrize(
    ("loss", "norm", "what"),
    [
        (float("nan"), float("nan"), "loss is nan"),
        (float("inf"), 1.0, "loss is inf"),
        (1.0, float("inf"), "gradient's norm is inf"),
    ],
)
def test_what_is_no_number_is_refused(loss, norm, what):
    with pytest.raises(UserError, match=f"the training {what} at step 7, largest in 'temperature'"):
        check(loss, norm)


def test_the_first_loss_that_is_no_number_is_named():
    rows = [*ROWS, {"lead": 2, "variable": "temperature", "loss": float("nan")}]
    with pytest.raises(UserError, match="first in 'temperature' at lead 2"):
        check(float("nan"), rows=rows)
