"""The labels of an axis as one artist, of which each text is laid out once for all pictures of a page."""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox, IdentityTransform

Renderer = RendererBase | MixedModeRenderer
"""What draws, or draws parts of a picture without pixels as pixels."""

_ALIKE = 1e-3
"""Points by which the outline of a letter may differ beside others."""


class Box(NamedTuple):
    """Where a text lies about its anchor, in pixels.

    Attributes:
        left: Left end.
        bottom: Lower end.
        width: Width.
        height: Height.
        depth: How far the line that letters stand on lies above the lower end.
    """

    left: float
    bottom: float
    width: float
    height: float
    depth: float


class Labels(Artist):
    """Level texts of one line that look alike.

    Attributes:
        words: What they say.
    """

    def __init__(
        self, places: Float64[np.ndarray, "label 2"], words: Sequence[str], model: Text
    ) -> None:
        """Make labels.

        Args:
            places: Their anchors, in the coordinates of the model.
            words: What they say.
            model: A text that looks like them.
        """
        super().__init__()
        self.words = tuple(words)
        self._places = places
        self._font = model.get_fontproperties().copy()
        self._colour = to_rgba(model.get_color(), model.get_alpha())
        self._sides = (model.get_horizontalalignment(), model.get_verticalalignment())
        self.set_transform(model.get_transform())

    def get_window_extent(self, renderer: Renderer | None = None) -> Bbox:
        """Return the smallest rectangle around all labels, in pixels."""
        if renderer is None:
            raise TypeError("expected a renderer, which knows how large letters are; found none.")
        anchors, boxes = self._laid_out(renderer)
        low = anchors + boxes[:, :2]
        high = low + boxes[:, 2:4]
        return Bbox([low.min(axis=0), high.max(axis=0)])

    def draw(self, renderer: Renderer) -> None:
        """Draw all labels: as letters that fit the pixels, in pictures without pixels as outlines."""
        if not (self.get_visible() and self.words):
            return
        anchors, boxes = self._laid_out(renderer)
        places = anchors + boxes[:, :2]
        places[:, 1] += boxes[:, 4]
        context = renderer.new_gc()
        context.set_foreground(self._colour, isRGBA=True)
        context.set_linewidth(0.0)
        if renderer.option_scale_image():
            level = IdentityTransform()
            for letter, spots in self._by_letter(places).items():
                outline, where = _outline(letter, self._font), Path(np.array(spots))
                renderer.draw_markers(context, outline, level, where, level, self._colour)
        else:
            if renderer.flipy():
                places[:, 1] = renderer.get_canvas_width_height()[1] - places[:, 1]
            for words, (x, y) in zip(self.words, places.tolist(), strict=True):
                renderer.draw_text(context, x, y, words, self._font, 0.0, ismath=False)
        context.restore()
        self.stale = False

    def _by_letter(
        self, places: Float64[np.ndarray, "label 2"]
    ) -> dict[str, list[Float64[np.ndarray, "2"]]]:
        """Return where each letter stands, in all labels that begin at some places."""
        found: dict[str, list[Float64[np.ndarray, "2"]]] = {}
        for words, place in zip(self.words, places, strict=True):
            for letter, beyond in _letters(words, self._font):
                found.setdefault(letter, []).append(place + beyond)
        return found

    def _laid_out(
        self, renderer: Renderer
    ) -> tuple[Float64[np.ndarray, "label 2"], Float64[np.ndarray, "label 5"]]:
        """Return the anchors in pixels, and the boxes about them."""
        figure = self.get_figure(root=True)
        if figure is None:
            raise TypeError("expected labels of a figure, which knows its pixels; found none.")
        sharp, dpi = renderer.option_scale_image(), float(figure.dpi)
        boxes = [box(words, self._font, self._sides, dpi, sharp) for words in self.words]
        return self.get_transform().transform(self._places), np.array(boxes)


@lru_cache(maxsize=4096)
def box(words: str, font: FontProperties, sides: tuple[str, str], dpi: float, sharp: bool) -> Box:
    """Return where a text of one line lies about its anchor.

    Args:
        words: The text.
        font: Its letters.
        sides: Which of its sides is at the anchor, as matplotlib calls them: across, and up.
        dpi: Pixels in an inch.
        sharp: Whether it is drawn as outlines, so that letters do not fit the pixels.
    """
    figure, renderer = _measure(dpi, sharp)
    text = Text(0.0, 0.0, words, fontproperties=font, parse_math=False)
    text.set(figure=figure, horizontalalignment=sides[0], verticalalignment=sides[1])
    around = text.get_window_extent(renderer)
    text.set_verticalalignment("baseline")
    depth = -text.get_window_extent(renderer).y0
    return Box(around.x0, around.y0, around.width, around.height, depth)


@lru_cache(maxsize=8)
def _measure(dpi: float, sharp: bool) -> tuple[Figure, RendererBase]:
    """Return a figure that holds nothing, and what measures letters on it."""
    figure = Figure(figsize=(1, 1), dpi=dpi)
    if sharp:
        return figure, RendererSVG(dpi, dpi, io.StringIO(), image_dpi=dpi)
    return figure, FigureCanvasAgg(figure).get_renderer()


@lru_cache(maxsize=4096)
def _outline(words: str, font: FontProperties) -> Path:
    """Return the outlines of letters in points, from where they stand."""
    if not words.strip():
        return Path(np.empty((0, 2)))
    made = TextPath((0, 0), words, prop=font)
    return Path(made.vertices, made.codes)


@lru_cache(maxsize=4096)
def _letters(words: str, font: FontProperties) -> tuple[tuple[str, Float64[np.ndarray, "2"]], ...]:
    """Return the letters of a text and by how many points each stands beyond the first.

    A text whose letters change beside one another is returned as one.
    """
    whole, begin = np.asarray(_outline(words, font).vertices), 0
    letters: list[tuple[str, Float64[np.ndarray, "2"]]] = []
    for letter in words:
        alone = np.asarray(_outline(letter, font).vertices)
        part = whole[begin : begin + len(alone)]
        begin += len(alone)
        if not len(alone):
            continue
        if len(part) < len(alone) or np.ptp(part - alone, axis=0).max() > _ALIKE:
            return ((words, np.zeros(2)),)
        letters.append((letter, part[0] - alone[0]))
    return tuple(letters) if begin == len(whole) else ((words, np.zeros(2)),)
