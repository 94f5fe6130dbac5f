import numpy as np
import pytest

from triton_earth.plots.sections.totals import budgets


def test_truth_in_black_beside_every_forecast(scores):
    axes = budgets(scores).axes
    assert [a.get_title(loc="left") for a in axes] == [
        "Energy (s⁻²)",
        "Enstrophy (s⁻²)",
        "Small scale enstrophy (s⁻²)",
    ]
    curves = {line.get_label(): line for line in axes[2].lines}
    assert curves["truth"].get_color() == "#000000"
    np.testing.assert_allclose(
        curves["triton"].get_ydata(), scores["small_scale_enstrophy"].sel(source="triton")
    )


def test_what_is_there_is_drawn(scores):
    figure = budgets(scores.drop_vars(["energy", "enstrophy"]))
    assert figure.axes[0].get_title(loc="left") == "Small scale enstrophy (s⁻²)"


def test_a_blow_up_does_not_flatten_the_truth(scores):
    scores["energy"].loc[{"source": "triton"}][60:] = np.inf
    scores["energy"].loc[{"source": "triton"}][50:60] = 1e20
    top = budgets(scores).axes[0].get_ylim()[1]
    assert top < 4 * float(scores["energy"].sel(source="truth").max())


def test_nothing_to_draw(scores):
    with pytest.raises(ValueError, match="expected one of energy, enstrophy"):
        budgets(scores[["rmse"]])
