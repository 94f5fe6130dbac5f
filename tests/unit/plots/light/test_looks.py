"""The look of ticks without ticks."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from triton_earth.plots.light.figure import LightFigure
from triton_earth.plots.light.looks import look_of
from triton_earth.plots.style import style


def axes_with(figure):
    axes = figure.add_subplot()
    axes.tick_params(axis="both", length=7.0, labelsize=6.0, labelcolor="red", pad=5.0)
    axes.tick_params(axis="x", labelbottom=False, labeltop=True, top=True, bottom=False)
    axes.tick_params(axis="y", labelrotation=30.0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color="blue", linewidth=2.0)
    return axes


@pytest.mark.parametrize("name", ["xaxis", "yaxis"])
def test_it_is_that_of_matplotlibs_ticks(name):
    with style():
        light = getattr(axes_with(LightFigure((4.0, 3.0))), name)
        plain = getattr(axes_with(Figure(figsize=(4.0, 3.0))), name)
        look, tick = look_of(light), plain.get_major_ticks(1)[0]
    assert "majorTicks" not in vars(light)
    for mine, other in (
        (look.grid, tick.gridline),
        (look.marks[0], tick.tick1line),
        (look.marks[1], tick.tick2line),
    ):
        for what in ("visible", "color", "linewidth", "linestyle", "marker", "markersize"):
            assert getattr(mine, f"get_{what}")() == getattr(other, f"get_{what}")(), what
    for mine, other in zip(look.labels, (tick.label1, tick.label2), strict=True):
        for what in ("visible", "color", "fontsize", "rotation", "ha", "va"):
            assert getattr(mine, f"get_{what}")() == getattr(other, f"get_{what}")(), what
    places = [
        (look.along_grid, tick.gridline),
        *zip(look.along_marks, (tick.tick1line, tick.tick2line), strict=True),
        *zip(look.along_labels, (tick.label1, tick.label2), strict=True),
    ]
    for along, artist in places:
        np.testing.assert_allclose(
            along.transform((0.3, 0.6)), artist.get_transform().transform((0.3, 0.6))
        )


def test_ticks_that_are_there_are_taken():
    axes = LightFigure((4.0, 3.0)).add_subplot()
    axes.set_yticks([0.0, 0.5])
    axes.yaxis.get_major_ticks(1)[0].label1.set_color("green")
    assert look_of(axes.yaxis).labels[0].get_color() == "green"
