"""How the ticks of an axis look, known from a tick of other axes that look the same."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.axis import Tick, XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Transform

from triton_earth.plots.style import style


@dataclass(frozen=True)
class Look:
    """How the ticks of an axis look, and the coordinates that their parts are placed in.

    Attributes:
        grid: Line across the axes.
        along_grid: Coordinates of the grid.
        marks: Marks on the first side, below or left, and on the second.
        along_marks: Coordinates of the marks on either side.
        labels: Labels on either side.
        along_labels: Coordinates of the labels on either side.
    """

    grid: Line2D
    along_grid: Transform
    marks: tuple[Line2D, Line2D]
    along_marks: tuple[Transform, Transform]
    labels: tuple[Text, Text]
    along_labels: tuple[Transform, Transform]


def look_of(axis: XAxis | YAxis) -> Look:
    """Return how the ticks of an axis look; one that has no tick yet gets none."""
    if "majorTicks" in vars(axis):
        tick = axis.get_major_ticks(1)[0]
    else:
        wanted = frozenset(axis.get_tick_params(which="major").items())
        tick = _tick(isinstance(axis, XAxis), wanted)
    axes = axis.axes
    beyond = float(cast(Any, tick).get_pad()) + tick.get_tick_padding()
    name = "x" if isinstance(axis, XAxis) else "y"
    along = getattr(axes, f"get_{name}axis_transform")
    labels = [getattr(axes, f"get_{name}axis_text{side}_transform")(beyond)[0] for side in (1, 2)]
    return Look(
        tick.gridline,
        along(which="grid"),
        (tick.tick1line, tick.tick2line),
        (along(which="tick1"), along(which="tick2")),
        (tick.label1, tick.label2),
        (labels[0], labels[1]),
    )


@lru_cache(maxsize=64)
def _tick(across: bool, wanted: frozenset[tuple[str, Any]]) -> Tick:
    """Return a tick of empty axes that looks as wanted."""
    with style():
        axes: Axes = Figure().add_subplot()
        axis = axes.xaxis if across else axes.yaxis
        axis.set_tick_params(which="major", **dict(wanted))
        return axis.get_major_ticks(1)[0]
