"""Plain artists in place of ticks, grid and labels."""

import base64
import io

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.light.furniture import lighten
from triton_earth.plots.light.labels import Labels
from triton_earth.plots.style import style


def two_panels() -> Figure:
    with style():
        figure = Figure(figsize=(8, 3), layout="constrained")
        for axes, top in zip(figure.subplots(1, 2), (1.0, 30.0), strict=True):
            axes.plot([0, 7, 20], [0, top, top / 3])
            axes.set(xlim=(0, 21), xlabel="lead time (days)", ylabel="error (K)", title="RMSE")
            axes.set_ylim(0, top)
    return figure


def texts(axes) -> list[str]:
    """Return the labels of the ticks, and all other texts."""
    labels = [one for one in axes.get_children() if isinstance(one, Labels)]
    return [words for one in labels for words in one.words] + [
        text.get_text() for text in axes.texts
    ]


def pixels(figure: Figure) -> np.ndarray:
    content = base64.b64decode(png_uri(figure, dpi=100).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=float)


def test_the_picture_is_that_of_matplotlib():
    """Two implementations: all but a fiftieth of the pixels are alike, and as many are dark."""
    figure, buffer = two_panels(), io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=100)
    whole = np.asarray(Image.open(buffer).convert("L"), dtype=float)
    light = pixels(two_panels())
    assert light.shape == whole.shape
    assert (abs(light - whole) > 64).mean() < 0.02
    assert (light < 128).sum() == pytest.approx((whole < 128).sum(), rel=0.1)


def test_labels_are_those_of_the_ticks_within_the_axes():
    figure = two_panels()
    first = figure.axes[0]
    first.set_xticks([-1, 0, 7, 14, 21, 28], ["before", "0", "7", "14", "21", "after"])
    first.set_xlim(0, 21)
    lighten(figure)
    assert [text for text in texts(first) if text in ("before", "0", "7", "14", "21", "after")] == [
        "0",
        "7",
        "14",
        "21",
    ]
    assert {"lead time (days)", "error (K)"} <= set(texts(first))
    grids = [one for one in first.collections if isinstance(one, LineCollection)]
    assert len(grids[0].get_segments()) == 4
    assert not first.xaxis.get_visible()


def test_a_shared_power_of_ten_stands_beside_the_title():
    figure = two_panels()
    axes = figure.axes[0]
    axes.set_ylim(0, 4e7)
    lighten(figure)
    power = next(text for text in axes.texts if text.get_text() == "1e7")
    assert power.get_window_extent().x1 <= axes.bbox.x0


def test_minor_ticks_and_round_axes_stay_as_they_are():
    with style():
        figure = Figure()
        first = figure.add_subplot(1, 2, 1)
        figure.add_subplot(1, 2, 2, projection="polar")
        first.set_yscale("log")
        first.set_ylim(1, 1000)
        lighten(figure)
        assert not first.xaxis.get_visible()
        assert first.yaxis.get_visible()
        assert figure.axes[1].xaxis.get_visible()


def test_labels_that_are_turned_or_of_two_lines_stay_texts():
    figure = two_panels()
    first, second = figure.axes
    first.set_xticks([0, 10], ["one\nline", "two"])
    first.tick_params(axis="y", labelrotation=90)
    lighten(figure)
    as_one = [one.words for one in first.get_children() if isinstance(one, Labels)]
    assert as_one == [("lead time (days)",)]
    assert {"one\nline", "two"} <= {text.get_text() for text in first.texts}
    assert len([one for one in second.get_children() if isinstance(one, Labels)]) == 3


def test_figures_of_others_without_a_layout_are_drawn_too():
    with style():
        figure = Figure()
        figure.subplots().plot([1, 2, 3])
    assert svg_uri(figure).startswith("data:image/svg+xml;base64,")
