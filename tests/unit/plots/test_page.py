"""The page's templates: every text is escaped, only what is marked as HTML stays."""

from markupsafe import Markup
from matplotlib.figure import Figure

from triton_earth.plots.embedding import png_uri, svg_uri
from triton_earth.plots.page import (
    Cell,
    Picture,
    Section,
    heading,
    page,
    paragraph,
    table,
    together,
)

BAD = "<script>alert('&')</script>"


def test_texts_are_escaped_everywhere():
    parts = [heading(BAD), paragraph(BAD), Picture(BAD, BAD, BAD).html()]
    parts.append(table("scores", [BAD], [[Cell(BAD, BAD, scope="row")], [Cell(BAD)]]))
    text = page(BAD, BAD, [Section(BAD, together(parts))], BAD)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 14
    assert "<h3>&lt;script&gt;" in text


def test_html_stays_html():
    text = page("t", "s", [Section("a", Markup("<p>x</p>"))], "f")
    assert "<section><h2>a</h2><p>x</p></section>" in text
    assert "ul.verdict" in text.partition("<style>")[2].partition("</style>")[0]


def test_table():
    rows = [
        [Cell("step 1", "1 day", scope="rowgroup", rowspan=2), Cell("a", scope="row"), Cell("0.1")],
        [Cell("b", scope="row"), Cell("0.2", "0.1 to 0.3", "good")],
    ]
    assert table("scores", ["Lead", "Forecast", "RMSE"], rows) == (
        '<div class="wide"><table class="scores"><thead><tr><th scope="col">Lead</th><th scope="col">Forecast</th>'
        '<th scope="col">RMSE</th></tr></thead><tbody><tr class="first"><th scope="rowgroup" rowspan="2">step 1'
        '<small>1 day</small></th><th scope="row">a</th><td>0.1</td></tr><tr><th scope="row">b</th>'
        '<td class="good">0.2<small>0.1 to 0.3</small></td></tr></tbody></table></div>'
    )


def test_pictures_of_few_cells_are_not_blown_up():
    wide, narrow = (Picture(png_uri(Figure(figsize=(width, 2))), "a", "c") for width in (10.4, 5.2))
    assert "style" not in wide.html()
    assert 'style="width:50%"' in narrow.html()
    assert "style" not in Picture(svg_uri(Figure(figsize=(5, 2))), "a", "c").html()
