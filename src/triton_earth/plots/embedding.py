"""Pictures as text inside a page: data URIs, so that a report is one file."""

import base64
import io

from matplotlib.figure import Figure

from triton_earth.plots.style import style


def svg_uri(figure: Figure) -> str:
    """Return a figure as a data URI of an SVG with its letters as outlines, sharp on paper."""
    return data_uri(
        _saved(figure, "svg", metadata={"Date": None, "Creator": None}), "image/svg+xml"
    )


def png_uri(figure: Figure, dpi: int = 130) -> str:
    """Return a figure as a data URI of a PNG, for figures that hold fields."""
    return data_uri(_saved(figure, "png", dpi=dpi, metadata={"Software": None}), "image/png")


def data_uri(content: bytes, media_type: str) -> str:
    """Return bytes as a base64 data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _saved(figure: Figure, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()
