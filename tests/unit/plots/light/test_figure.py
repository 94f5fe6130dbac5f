"""Figures with less work against matplotlib's own."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from triton_earth.plots.light.figure import LightAxes, LightFigure, LightLayout
from triton_earth.plots.style import style


def filled(figure):
    panels = figure.subplots(2, 2).ravel()
    for number, axes in enumerate(panels):
        axes.plot([0, 7, 20], [0, 10.0**number, 3])
        axes.set(title=f"Panel {number}", xlabel="lead time (days)", ylabel="error (K)")
    heat = panels[3].pcolormesh(np.arange(4), np.arange(3), np.arange(6.0).reshape(2, 3))
    figure.colorbar(heat, ax=[panels[3]])
    return figure


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


def test_pictures_are_those_of_matplotlib():
    """Two implementations, whose layouts differ by less than a pixel."""
    with style():
        light = filled(LightFigure((8.0, 5.0)))
        plain = filled(Figure(figsize=(8, 5), layout="constrained"))
        one, other = pixels(light), pixels(plain)
    for axes, same in zip(light.axes, plain.axes, strict=True):
        np.testing.assert_allclose(axes.bbox.extents, same.bbox.extents, atol=1.0)
    assert (abs(one - other).max(axis=-1) > 64).mean() < 0.01


def test_gaps_are_those_of_the_layout():
    with style():
        light, plain = LightFigure((4.0, 3.0), gaps=(0.3, 0.4)), Figure(figsize=(4, 3))
        plain.set_layout_engine("constrained", w_pad=0.3, h_pad=0.4)
        for figure in (light, plain):
            figure.subplots(1, 2)
            pixels(figure)
    for axes, same in zip(light.axes, plain.axes, strict=True):
        np.testing.assert_allclose(axes.bbox.extents, same.bbox.extents, atol=1.0)


def test_no_tick_is_made_before_it_is_asked_for_and_it_looks_as_was_said():
    axes = LightFigure((3.0, 2.0)).subplots()
    axes.tick_params(axis="x", length=11.0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    assert not {"majorTicks", "minorTicks"} & (vars(axes.xaxis).keys() | vars(axes.yaxis).keys())
    tick = axes.xaxis.get_major_ticks(1)[0]
    assert tick.tick1line.get_markersize() == 11.0
    assert tick.gridline.get_visible()
    assert not axes.yaxis.get_major_ticks(1)[0].gridline.get_visible()
    axes.tick_params(axis="x", length=5.0)
    assert tick.tick1line.get_markersize() == 5.0


def test_axes_are_measured_once_for_a_layout_and_again_for_the_next(monkeypatch):
    figure = LightFigure((4.0, 3.0))
    axes = figure.subplots()
    FigureCanvasAgg(figure)
    measured = []
    inside = axes.get_window_extent
    monkeypatch.setattr(
        axes, "get_window_extent", lambda *args: measured.append(1) or inside(*args)
    )
    engine = figure.get_layout_engine()
    assert isinstance(engine, LightLayout)
    engine.execute(figure)
    first, left = len(measured), axes.bbox.x0
    axes.set_ylabel("a title that takes room")
    engine.execute(figure)
    assert len(measured) == 2 * first == 2
    assert axes.bbox.x0 > left + 5


@pytest.mark.parametrize("kind", [{"projection": "polar"}, {"polar": True}])
def test_axes_of_another_kind_stay_what_they_are(kind):
    figure = LightFigure((3.0, 3.0))
    assert figure.add_subplot(**kind).name == "polar"
    assert isinstance(figure.add_axes((0.1, 0.1, 0.2, 0.2)), LightAxes)
