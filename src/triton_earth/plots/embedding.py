"""Pictures as text inside a page: data URIs, so that a report is one file."""

import base64
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from triton_earth.plots.light.furniture import lighten
from triton_earth.plots.style import style

DPI = 130
PAGE_WIDTH = 10.4
"""Width of the page in inches, as figures count them."""

_PACKED = 4
"""How hard a PNG is packed: in half of the time of 6, and one hundredth larger."""


def svg_uri(figure: Figure) -> str:
    """Return a figure, which is not used any more, as a data URI of an SVG with letters as outlines, sharp on paper."""
    buffer = io.BytesIO()
    with style():
        lighten(figure)
        # `savefig` would draw all of it once more, for the layout.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return data_uri(buffer.getvalue(), "image/svg+xml")


def png_uri(figure: Figure, dpi: int = DPI) -> str:
    """Return a figure, which is not used any more, as a data URI of a PNG, for figures that hold fields."""
    buffer = io.BytesIO()
    with style():
        figure.set_dpi(dpi)
        lighten(figure)
        packed = {"compress_level": _PACKED}
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None}, pil_kwargs=packed)
    return data_uri(buffer.getvalue(), "image/png")


def part_of_page(uri: str) -> float:
    """Return how much of the width of the page a picture takes: one that holds few cells is not blown up.

    Args:
        uri: Data URI; only of those of `png_uri` less than all is taken.
    """
    kind, _, content = uri.partition(";base64,")
    if kind != "data:image/png":
        return 1.0
    head = base64.b64decode(content[:32])
    return min(1.0, int.from_bytes(head[16:20], "big") / (DPI * PAGE_WIDTH))


def data_uri(content: bytes, media_type: str) -> str:
    """Return bytes as a base64 data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
