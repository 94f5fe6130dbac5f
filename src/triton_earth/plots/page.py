"""One self-contained HTML page from templates that escape every text: style inline, pictures inside, no script."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from triton_earth.plots.embedding import part_of_page

MOST_VARIABLES = 8
"""How many variables have pictures."""

CROSS = "A cross marks where a forecast stops being finite."

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("triton_earth.plots"), autoescape=True, undefined=StrictUndefined
    )


def render(template: str, **values: Any) -> Markup:
    """Return a template of `plots/templates` with values filled in; text among them is escaped, `Markup` is not."""
    return Markup(_templates().get_template(template).render(**values))


def together(parts: Iterable[Markup]) -> Markup:
    """Return several pieces of HTML as one."""
    return Markup("").join(parts)


def paragraph(text: str) -> Markup:
    """Return a paragraph of plain text."""
    return Markup("<p>{}</p>").format(text)


def heading(text: str) -> Markup:
    """Return the heading of a part of a section, plain text."""
    return Markup("<h3>{}</h3>").format(text)


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        uri: Data URI.
        alt: What the picture shows, for readers who do not see it; plain text.
        caption: What to know when reading it; plain text.
        moving: Whether it is an animation, which paper leaves out.
    """

    uri: str
    alt: str
    caption: str
    moving: bool = False

    @property
    def width(self) -> str:
        """Width in per cent of the page's; nothing where it takes all of it."""
        part = part_of_page(self.uri)
        return "" if part > 0.97 else f"{100 * part:.0f}%"

    def html(self) -> Markup:
        """Return the figure as HTML."""
        return render("picture.html", picture=self)


@dataclass(frozen=True)
class Cell:
    """A cell of a table; texts are plain unless they are `Markup`.

    Attributes:
        text: Content.
        small: Smaller text below it.
        kind: Class: ``good``, ``bad`` or none.
        scope: Of what it is the heading; empty where it is none.
        rowspan: Rows that it reaches over, where it heads a group of them.
    """

    text: str
    small: str = ""
    kind: str = ""
    scope: Literal["", "row", "rowgroup"] = ""
    rowspan: int = 0


def table(kind: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Markup:
    """Return a table as HTML.

    Args:
        kind: Its class in the style sheet.
        columns: What stands above each column; plain text.
        rows: Cells of each row; the first row of a group begins with the cell that heads the group.
    """
    return render("table.html", kind=kind, heading=columns, rows=rows)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Heading; plain text.
        body: Content as HTML; a plain string is escaped.
    """

    title: str
    body: Markup


def shading(scores: xr.Dataset) -> str:
    """Return a sentence on the shading of curves."""
    return f"Shading: {scores.attrs.get('interval', '95 % interval')}. "


def left_out(variables: list[str]) -> Markup:
    """Return, as HTML, which variables have no pictures; nothing where all have."""
    hidden = variables[MOST_VARIABLES:]
    if not hidden:
        return Markup("")
    return paragraph(f"Not shown here, but in the score files: {', '.join(hidden)}.")


def page(title: str, subtitle: str, sections: Sequence[Section], footer: str) -> str:
    """Return the whole page; title, subtitle and footer are plain text."""
    return render(
        "page.html",
        title=title,
        subtitle=subtitle,
        sections=sections,
        footer=footer,
        policy=_POLICY,
    )
