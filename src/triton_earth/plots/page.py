"""One self-contained HTML page: style inline, pictures inside, no script, nothing fetched from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_CSS = """
:root { color-scheme: light; --ink: #20242b; --soft: #5c6470; --rule: #e1e4e8; --paper: #fff;
  --good: #00704f; --bad: #b3301f; --note: #5c6470; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.2rem 1.4rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.subtitle, figcaption { color: var(--soft); }
.subtitle { max-width: none; }
figcaption { font-size: .88rem; max-width: 52rem; margin-top: .35rem; }
figure { margin: 1rem 0 1.6rem; }
img { display: block; max-width: 100%; height: auto; }
figure img.full { width: 100%; }
ul.verdict { list-style: none; margin: .6rem 0; padding: 0; }
ul.verdict li { padding: .5rem .8rem .5rem 2.5rem; margin: .35rem 0; position: relative;
  border-left: 4px solid var(--note); background: #f7f8f9; overflow-wrap: anywhere; }
ul.verdict li::before { position: absolute; left: .9rem; font-weight: 700; content: "•"; color: var(--note); }
ul.verdict li.good { border-color: var(--good); }
ul.verdict li.good::before { content: "✓"; color: var(--good); }
ul.verdict li.bad { border-color: var(--bad); }
ul.verdict li.bad::before { content: "✗"; color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; width: 100%; margin: .6rem 0 1.2rem; }
th, td { padding: .34rem .7rem; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #9aa1ab; vertical-align: bottom; }
tbody th { font-weight: 600; white-space: nowrap; }
table small { display: block; color: var(--soft); font-weight: 400; }
table.scores { font-size: .8rem; } table.scores th, table.scores td { padding: .3rem .4rem; }
table.scores thead th { overflow-wrap: anywhere; min-width: 4.5rem; }
table.scores tbody th { white-space: normal; min-width: 5.5rem; }
table.scores td { font-variant-numeric: tabular-nums; }
table.scores td.good { color: var(--good); font-weight: 600; } table.scores td.bad { color: var(--bad); }
table.scores tr.first > * { border-top: 1px solid var(--rule); }
table.definitions tr > * { border-bottom: 1px solid var(--rule); }
table.definitions td:nth-child(2) { white-space: nowrap; }
table.definitions tbody th { white-space: normal; min-width: 11rem; }
code, pre { font: .86em/1.45 ui-monospace, "SFMono-Regular", Menlo, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { background: #f7f8f9; padding: .8rem; overflow: auto; max-height: 30rem; }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .35rem 1.2rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; } dd dl { margin: 0; }
summary { cursor: pointer; color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 640px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
  h1 { font-size: 1.5rem; } .wide > table { min-width: 40rem; }
  figure { overflow-x: auto; } figure img { width: 44rem; max-width: none; } figure img.full { width: 44rem; } }
@media print { main { max-width: none; padding: 0; } body { font-size: 10pt; } h2, h3 { break-after: avoid; }
  figure, tr, ul.verdict li { break-inside: avoid; } .moving { display: none; } pre { max-height: none; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: .15rem .3rem; }
  tbody th { white-space: normal; } img { max-height: 24cm; object-fit: contain; } }
"""


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        uri: Data URI.
        alt: What it shows, for who does not see it; plain text.
        caption: What to know when reading it; plain text.
        moving: Whether it is an animation, which paper leaves out.
    """

    uri: str
    alt: str
    caption: str
    moving: bool = False

    def html(self) -> str:
        """Return the figure as HTML."""
        image = "" if self.moving else ' class="full"'
        mark = ' class="moving"' if self.moving else ""
        return (
            f'<figure{mark}><img{image} src="{escape(self.uri)}" alt="{escape(self.alt)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Heading; plain text.
        body: Content; HTML whose texts are escaped already.
    """

    title: str
    body: str


def page(title: str, subtitle: str, sections: Sequence[Section], footer: str) -> str:
    """Return the whole page; title, subtitle and footer are plain text."""
    body = "".join(
        f"<section><h2>{escape(section.title)}</h2>{section.body}</section>" for section in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>"
        f'<body><main><header><h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p></header>'
        f"{body}<footer>{escape(footer)}</footer></main></body></html>\n"
    )
