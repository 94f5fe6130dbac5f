"""Ticks, grid and labels of finished axes as a few plain artists, which are drawn in a fraction of the time.

matplotlib keeps five artists for each tick and measures all of them several times for every layout. A picture of a page
is drawn once and never changes: its grid is one artist, its tick marks are one, and so are its labels.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox, ScaledTranslation

from triton_earth.plots.light.labels import Labels
from triton_earth.plots.light.looks import Look, look_of

_ROUGH: dict[str, Any] = {
    "left": 0.06,
    "right": 0.99,
    "bottom": 0.07,
    "top": 0.95,
    "wspace": 0.17,
    "hspace": 0.37,
}
"""Margins and gaps of panels, about, before their layout: the number of ticks depends on the size of the axes."""

_BELOW = 0.5
"""Order of drawing of grid and ticks: below everything else, as `axes.axisbelow` has it."""

_CLOSE = 1e-10
"""Part of an axis by which a tick at its end may lie beyond it."""

Value = TypeVar("Value")


def lighten(figure: Figure) -> None:
    """Replace the furniture of straight axes without minor ticks by plain artists that look the same.

    A power of ten that all ticks share stands left of the axes and not above them, where the title is.

    Args:
        figure: A figure that is drawn once and does not change any more.
    """
    chosen = [
        (axes, axis)
        for axes in figure.axes
        if axes.name == "rectilinear" and axes.axison and axes.get_visible()
        for axis in (axes.xaxis, axes.yaxis)
        if axis.get_visible() and not axis.get_minorticklocs().size
    ]
    for _, axis in chosen:
        axis.set_visible(False)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for axes in figure.axes:
        _size(axes, figure)
    for axes, axis in chosen:
        _furnish(axes, axis, renderer)


def _size(axes: Axes, figure: Figure) -> None:
    """Give a panel about the size that it will have."""
    place, grid = axes.get_subplotspec(), axes.get_gridspec()
    if place is None or not isinstance(grid, GridSpec) or axes.get_aspect() != "auto":
        return
    about = GridSpec(*grid.get_geometry(), **_ROUGH)
    axes.set_position(SubplotSpec(about, place.num1, place.num2).get_position(figure))
    axes.set_in_layout(True)  # the position is not final


def _furnish(axes: Axes, axis: XAxis | YAxis, renderer: RendererBase) -> None:
    """Add what an axis that is not visible any more would draw."""
    places, words = _ticks(axis)
    look = look_of(axis)
    _draw_grid(axes, axis, places, look)
    reach = [0.0, 0.0]
    for side in (0, 1):
        beside = np.full(len(places), float(side))
        if look.marks[side].get_visible() and len(places):
            marks = Line2D(*_ordered(axis, places, beside))
            marks.update_from(look.marks[side])
            marks.set_transform(look.along_marks[side])
            _add(axes, marks)
        if look.labels[side].get_visible():
            reach[side] = _label_ticks(axes, axis, look, side, places, words, renderer)
    _draw_label(axes, axis, reach)
    _draw_offset(axes, axis)


def _ticks(axis: XAxis | YAxis) -> tuple[Float64[np.ndarray, " tick"], list[str]]:
    """Return the ticks that lie within the axis, and their labels."""
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    words = axis.get_major_formatter().format_ticks(places.tolist())
    transform = axis.get_transform()
    low, high = np.sort(transform.transform(np.asarray(axis.get_view_interval())))
    room = _CLOSE * (high - low)
    there = transform.transform(places)
    inside = (there >= low - room) & (there <= high + room)
    return places[inside], [word for word, kept in zip(words, inside, strict=True) if kept]


def _ordered(axis: XAxis | YAxis, along: Value, across: Value) -> tuple[Value, Value]:
    """Return a place as x and y."""
    return (along, across) if isinstance(axis, XAxis) else (across, along)


def _add(axes: Axes, artist: Artist) -> None:
    artist.set_zorder(_BELOW)
    artist.set_in_layout(False)
    axes.add_artist(artist)
    artist.set_clip_on(False)


def _draw_grid(
    axes: Axes, axis: XAxis | YAxis, places: Float64[np.ndarray, " tick"], look: Look
) -> None:
    model = look.grid
    if not (model.get_visible() and len(places)):
        return
    along = np.repeat(places[:, None], 2, axis=1)
    across = np.broadcast_to([0.0, 1.0], along.shape)
    lines = LineCollection(
        list(np.stack(_ordered(axis, along, across), axis=-1)),
        colors=model.get_color(),
        linewidths=model.get_linewidth(),
        linestyles=model.get_linestyle(),
        alpha=model.get_alpha(),
        transform=look.along_grid,
    )
    _add(axes, lines)


def _text(axes: Axes, model: Text, x: float, y: float, words: str) -> Text:
    text = Text(x, y, words)
    text.update_from(model)
    text.set(rotation=model.get_rotation(), rotation_mode=model.get_rotation_mode())
    _add(axes, text)
    return text


def _label_ticks(
    axes: Axes,
    axis: XAxis | YAxis,
    look: Look,
    side: int,
    places: Float64[np.ndarray, " tick"],
    words: Sequence[str],
    renderer: RendererBase,
) -> float:
    """Add the labels of the ticks on one side, and return by how many points they stick out."""
    model = look.labels[side]
    shown = [place for place, text in zip(places.tolist(), words, strict=True) if text]
    texts = [text for text in words if text]
    if not texts:
        return 0.0
    beside = [float(side)] * len(shown)
    if _is_plain(model, texts):
        where = np.array(_ordered(axis, shown, beside)).T
        labels: list[Artist] = [Labels(where, texts, model)]
        _add(axes, labels[0])
    else:
        labels = [
            _text(axes, model, *_ordered(axis, place, float(side)), text)
            for place, text in zip(shown, texts, strict=True)
        ]
    for label in labels:
        label.set_transform(look.along_labels[side])
        label.set_in_layout(True)
    box = Bbox.union([label.get_window_extent(renderer) for label in labels])
    frame = axes.bbox
    if isinstance(axis, XAxis):
        pixels = frame.y0 - box.y0 if side == 0 else box.y1 - frame.y1
    else:
        pixels = frame.x0 - box.x0 if side == 0 else box.x1 - frame.x1
    return max(0.0, float(pixels)) * 72 / axes.figure.dpi


def _is_plain(model: Text, texts: Sequence[str]) -> bool:
    """Return whether labels are level, of one line, and no formulas."""
    formulas = model.get_parse_math() and any("$" in text for text in texts)
    return not (model.get_rotation() or formulas or any("\n" in text for text in texts))


def _draw_label(axes: Axes, axis: XAxis | YAxis, reach: Sequence[float]) -> None:
    """Put the title of an axis beyond the labels of its ticks."""
    words = axis.get_label_text()
    if not words:
        return
    second = axis.get_label_position() in ("top", "right")
    points = (reach[second] + axis.labelpad) * (1 if second else -1) / 72
    where = axis.label.get_position()[0 if isinstance(axis, XAxis) else 1]
    place = _ordered(axis, where, float(second))
    text: Artist
    if _is_plain(axis.label, [words]):
        text = Labels(np.array([place]), [words], axis.label)
        _add(axes, text)
    else:
        text = _text(axes, axis.label, *place, words)
    beside = ScaledTranslation(*_ordered(axis, 0.0, points), axes.figure.dpi_scale_trans)
    text.set_transform(axes.transAxes + beside)
    text.set_in_layout(True)


def _draw_offset(axes: Axes, axis: XAxis | YAxis) -> None:
    """Put the power of ten that all labels share at the end of the axis."""
    words = axis.get_major_formatter().get_offset()
    if not words:
        return
    model = axis.get_offset_text()
    along = ScaledTranslation(-3 / 72, 3 / 72, axes.figure.dpi_scale_trans)
    text = _text(axes, model, *_ordered(axis, 1.0, 0.0), words)
    if isinstance(axis, XAxis):
        along = ScaledTranslation(0, -22 / 72, axes.figure.dpi_scale_trans)
    text.set_transform(axes.transAxes + along)
    text.set_horizontalalignment("right")
    text.set_verticalalignment("top" if isinstance(axis, XAxis) else "bottom")
    text.set_in_layout(True)
