"""Labels as one artist against matplotlib's texts."""

import io
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from triton_earth.plots.light.labels import Labels, _letters
from triton_earth.plots.style import style

WORDS = ("0", "1/8", "−20", "30°N")
PLACES = np.array([[0.2, 0.3], [0.4, 0.3], [0.6, 0.31], [0.85, 0.8]])
SIDES = [("center", "top"), ("right", "center_baseline"), ("left", "bottom"), ("center", "center")]


def texts(figure, sides) -> list[Text]:
    look = {"color": "#2b2f36", "fontsize": 8.5}
    return [
        figure.text(*place, words, horizontalalignment=sides[0], verticalalignment=sides[1], **look)
        for place, words in zip(PLACES.tolist(), WORDS, strict=True)
    ]


def drawn(sides, *, as_one: bool):
    """Return the figure with texts, or labels that look like them."""
    with style():
        figure = Figure(figsize=(3, 2), dpi=100)
        made = texts(figure, sides)
        if as_one:
            figure.add_artist(Labels(PLACES, WORDS, made[0]))
            for text in made:
                text.remove()
    return figure


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    with style():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


@pytest.mark.parametrize("sides", SIDES)
def test_every_pixel_is_that_of_texts(sides):
    """Two implementations."""
    one, other = (pixels(drawn(sides, as_one=as_one)) for as_one in (True, False))
    assert one.min() < 128
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sides", SIDES)
def test_they_reach_as_far_as_texts(sides):
    figure = Figure(figsize=(3, 2), dpi=100)
    renderer = FigureCanvasAgg(figure).get_renderer()
    with style():
        made = texts(figure, sides)
        labels = Labels(PLACES, WORDS, made[0])
        figure.add_artist(labels)
        expected = Bbox.union([text.get_window_extent(renderer) for text in made])
        np.testing.assert_allclose(labels.get_window_extent(renderer), expected)


def letters_of(svg):
    """Yield where the letters of matplotlib's texts stand."""
    number = r"(-?[.\d]+)"
    start = rf"translate\({number} {number}\) scale\({number} -{number}\)"
    for x, y, scale, _, inside in re.findall(rf'<g[^>]*{start}">(.*?)</g>', svg, re.DOTALL):
        for use in re.findall(r"<use [^>]*>", inside):
            moved = re.search(rf"translate\({number} {number}\)", use)
            beyond = float(scale) * float(moved[1]) if moved else 0.0
            yield str(float(x) + beyond), y


def test_letters_that_change_beside_others_stay_together(monkeypatch):
    font = Text().get_fontproperties()
    assert [letter for letter, _ in _letters("a b", font)] == ["a", "b"]
    outlines = {"fi": np.zeros((3, 2)), "f": np.zeros((2, 2)), "i": np.zeros((2, 2))}
    monkeypatch.setattr(
        "triton_earth.plots.light.labels._outline", lambda words, font: Path(outlines[words])
    )
    ((words, beyond),) = _letters("fi", font)
    assert words == "fi"
    assert not beyond.any()


def test_outlines_stand_where_matplotlib_puts_letters():
    buffers = [io.BytesIO(), io.BytesIO()]
    for buffer, as_one in zip(buffers, (True, False), strict=True):
        with style():
            FigureCanvasSVG(drawn(SIDES[0], as_one=as_one)).print_svg(buffer)
    one, other = (buffer.getvalue().decode() for buffer in buffers)
    found = sorted(re.findall(r'<use [^>]*x="([-.\d]+)" y="([-.\d]+)"', one))
    expected = sorted(letters_of(other))
    assert len(found) == sum(map(len, WORDS))
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), atol=2e-3)


def test_a_size_takes_a_renderer_and_a_figure():
    labels = Labels(PLACES, WORDS, Text())
    with pytest.raises(TypeError, match="expected a renderer"):
        labels.get_window_extent()
    with pytest.raises(TypeError, match="expected labels of a figure"):
        labels.get_window_extent(FigureCanvasAgg(Figure()).get_renderer())
