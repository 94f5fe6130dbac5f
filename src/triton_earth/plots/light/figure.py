"""Figures whose axes make no tick before it is drawn, and are measured once for a layout and not twice."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.spines import Spine
from matplotlib.transforms import Bbox

_TICKS = ("majorTicks", "minorTicks")
"""Where an axis keeps its ticks; matplotlib makes a first one when it looks there."""

_CHOICES = {"axes_class", "projection", "polar"}
"""What says that axes are of another kind."""


class _LazyAxis(Axis):
    """An axis that keeps how ticks look, and what bounds them, for the ticks that are made later."""

    def set_tick_params(self, *args: Any, **kwargs: Any) -> None:
        with _no_new_ticks(self):
            super().set_tick_params(*args, **kwargs)

    def set_clip_path(self, *args: Any, **kwargs: Any) -> None:
        with _no_new_ticks(self):
            super().set_clip_path(*args, **kwargs)


class _LazyXAxis(_LazyAxis, XAxis):
    pass


class _LazyYAxis(_LazyAxis, YAxis):
    pass


@contextmanager
def _no_new_ticks(axis: Axis) -> Iterator[None]:
    """Let matplotlib go through the ticks that an axis has, of which there are none at first."""
    absent = [name for name in _TICKS if name not in vars(axis)]
    for name in absent:
        setattr(axis, name, [])
    yield
    for name in absent:
        vars(axis).pop(name, None)


class LightAxes(Axes):
    """Straight axes of a figure that is drawn once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make axes as matplotlib does."""
        self._kept: list[tuple[float, float, float, float]] | None = None
        super().__init__(*args, **kwargs)

    def _init_axis(self) -> None:
        """Make both axes; matplotlib has this for kinds of axes to fill in."""
        self.xaxis = _LazyXAxis(self, clear=False)
        self.yaxis = _LazyYAxis(self, clear=False)
        for axis, sides in ((self.xaxis, ("bottom", "top")), (self.yaxis, ("left", "right"))):
            for side in sides:
                self.spines[side].register_axis(axis)

    @contextmanager
    def measured_once(self) -> Iterator[None]:
        """Keep what stands around the axes, in pixels, from the first measurement on."""
        self._kept = []
        try:
            yield
        finally:
            self._kept = None

    def get_tightbbox(
        self, renderer: Any = None, *, for_layout_only: bool = False, **kwargs: Any
    ) -> Bbox | None:
        """Return the rectangle around the axes and what stands around them, in pixels.

        Within `measured_once` what stands around axes of any shape keeps its size, wherever a layout puts them; half
        of the width of a frame's lines is left out.
        """
        free = (
            self.get_aspect() == "auto"
            and self.get_box_aspect() is None
            and self.get_axes_locator() is None
        )
        if self._kept is None or not (free and for_layout_only) or kwargs:
            return super().get_tightbbox(renderer, for_layout_only=for_layout_only, **kwargs)
        if self._kept:
            left, bottom, right, top = self._kept[0]
            frame = self.bbox
            return Bbox.from_extents(
                frame.x0 - left, frame.y0 - bottom, frame.x1 + right, frame.y1 + top
            )
        beyond = [
            one
            for one in self.get_default_bbox_extra_artists()
            if one is not self.patch and not isinstance(one, Spine)
        ]
        around = super().get_tightbbox(renderer, for_layout_only=True, bbox_extra_artists=beyond)
        if around is not None:
            frame = self.bbox
            self._kept.append(
                (
                    frame.x0 - around.x0,
                    frame.y0 - around.y0,
                    around.x1 - frame.x1,
                    around.y1 - frame.y1,
                )
            )
        return around


class LightLayout(ConstrainedLayoutEngine):
    """matplotlib's constrained layout, which measures all axes twice, with axes that are measured once."""

    def execute(self, fig: Figure) -> Any:
        """Lay out a figure."""
        with ExitStack() as stack:
            for axes in fig.axes:
                if isinstance(axes, LightAxes):
                    stack.enter_context(axes.measured_once())
            return super().execute(fig)


class LightFigure(Figure):
    """A figure that is drawn once and does not change after that."""

    def __init__(self, size: tuple[float, float], gaps: tuple[float, float] | None = None) -> None:
        """Make an empty figure.

        Args:
            size: Width and height in inches.
            gaps: Inches around axes, from side to side and from top to bottom; None: as matplotlib has them.
        """
        padding: dict[str, Any] = {} if gaps is None else {"w_pad": gaps[0], "h_pad": gaps[1]}
        super().__init__(figsize=size, layout=LightLayout(**padding))

    def add_axes(self, *args: Any, **kwargs: Any) -> Axes:
        """Add axes as matplotlib does, of the light kind unless another is wanted."""
        return super().add_axes(*args, **_light(args, kwargs))

    def add_subplot(self, *args: Any, **kwargs: Any) -> Axes:
        """Add a subplot as matplotlib does, of the light kind unless another is wanted."""
        return super().add_subplot(*args, **_light(args, kwargs))


def _light(args: tuple[Any, ...], wanted: dict[str, Any]) -> dict[str, Any]:
    if _CHOICES & wanted.keys() or any(isinstance(one, Axes) for one in args):
        return wanted
    return {**wanted, "axes_class": LightAxes}
