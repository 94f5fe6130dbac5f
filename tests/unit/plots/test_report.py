import base64
import gc
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triton_earth.core.errors import UserError
from triton_earth.core.wording import LONG_NAMES
from triton_earth.plots import write_report


class Page(HTMLParser):
    """Tags, attributes and visible text of a page; refuses tags that are closed in the wrong order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def report(tmp_path):
    def write(scores, example, title="Decaying turbulence") -> Page:
        path = write_report(scores, example, tmp_path / "report.html", title)
        return Page(path.read_text(encoding="utf-8"))

    return write


@pytest.fixture(scope="module")
def written(make_scores, make_example, tmp_path_factory):
    """One report, for the tests that only look at it: its folder, and input before and after."""
    scores, example = make_scores(), make_example(leads=8, size=32)
    before = scores.copy(deep=True), example.copy(deep=True)
    path = tmp_path_factory.mktemp("written") / "out" / "report.html"
    write_report(scores, example, path, "Decaying turbulence")
    return path, before, (scores, example)


@pytest.fixture
def ordinary(written) -> Page:
    return Page(written[0].read_text(encoding="utf-8"))


def test_self_contained(ordinary):
    page = ordinary
    assert not page.attributes("script")
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    (policy,) = [a["content"] for a in page.attributes("meta") if a.get("http-equiv")]
    assert "default-src 'none'" in policy


def test_every_picture_decodes_and_is_described(ordinary):
    images = ordinary.attributes("img")
    kinds = []
    for image in images:
        kind, content = re.fullmatch(r"data:image/([a-z+]+);base64,(.+)", image["src"]).groups()
        raw = base64.b64decode(content, validate=True)
        kinds.append(kind)
        assert len(image["alt"]) > 20
        if kind == "svg+xml":
            assert b"<svg" in raw
        else:
            with Image.open(io.BytesIO(raw)) as picture:
                picture.load()
    assert kinds == ["webp", "png", "png", "svg+xml", "svg+xml", "svg+xml", "svg+xml"]


def test_what_was_there_before_is_searched_for_garbage_again(ordinary):
    """Pictures alone are searched while the page is made; nothing stays frozen after that."""
    assert gc.get_freeze_count() == 0


def test_says_what_it_must(ordinary):
    words = ordinary.words
    for expected in (
        "Decaying turbulence",
        "99 leads to 5.445 time units · 16 starts",
        "RMSE, step 25",
        "| Vorticity (s⁻¹) | triton | 0.0470 [0.0423 to 0.0516]",
        "Stable up to step 99 · 5.445 time units✓ in 16 of 16 casesPersistence in 16.",
        "Beats persistence at every lead✓ yes",
        "0.055 time units",
        "Definition of relative_l2.",
        "triton-earth evaluate forecast.zarr store.zarr --out scores",
        "sha256:0f3a",
        "95 % percentile bootstrap",
        "2.6.0",
    ):
        assert expected in words


@pytest.mark.slow
def test_the_same_input_gives_the_same_page(make_scores, make_example, tmp_path):
    scores, example = (
        make_scores(leads=2).drop_vars(["energy_spectrum"]),
        make_example(leads=2, size=8),
    )
    one, two = (
        write_report(scores, example, tmp_path / name, "t") for name in ("one.html", "two.html")
    )
    assert one.read_bytes() == two.read_bytes()


def test_the_animation_lies_beside_it_and_nothing_else(written):
    names = sorted(path.name for path in written[0].parent.iterdir())
    assert names == ["animation.gif", "report.html"]


def test_strangers_text_stays_text(report, make_scores, make_example):
    evil = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>&'
    scores = make_scores(leads=3, variables=(evil,), forecasts=(evil, "persistence"))
    for array in scores.values():
        array.attrs = {"long_name": evil, "units": evil, "definition": evil}
    scores["lead_time"].attrs["units"] = evil
    scores["stable_fraction"][:] = 0.5
    scores["stability_criterion"] = ("forecast", np.array([evil, evil]))
    scores.attrs["provenance"] = json.dumps(
        {evil: evil, "command": evil, "deep": {evil: [evil, {evil: evil}]}}
    )
    scores.attrs |= {evil: evil, "interval": evil, "evaluated_leads": evil}
    example = make_example(leads=3, size=8, variables=(evil,))
    example["truth"].attrs["units"] = evil
    page = report(scores, example, title=evil)
    assert not page.attributes("script")
    assert all(image["src"].startswith("data:") for image in page.attributes("img"))
    assert page.words.count(evil) > 10
    assert page.attributes("img")[0]["alt"].count(evil) == 1


@pytest.mark.slow
def test_dollar_signs_are_no_formulas(report, make_scores, make_example):
    scores = make_scores(leads=2, variables=("a$\\frac$",), forecasts=("b$^$", "persistence"))
    scores = scores.drop_vars(["energy", "enstrophy", "energy_spectrum"])
    scores["rmse"].attrs["units"] = "$\\bad{"
    example = make_example(leads=2, size=8, variables=("a$\\frac$",))
    words = report(scores, example, title="$\\x$").words
    assert all(text in words for text in ("a$\\frac$", "b$^$", "$\\x$"))


def test_a_forecast_that_blew_up(report, scores, example):
    for name in ("rmse", "mse", "relative_l2"):
        scores[name].loc[{"forecast": "triton"}][:, 40:50] = 1e25
        scores[name].loc[{"forecast": "triton"}][:, 50:] = np.inf
        scores[f"{name}_interval"].loc[{"forecast": "triton"}][:, 45:] = np.inf
    for name in ("bias", "correlation"):
        scores[name].loc[{"forecast": "triton"}][:, 50:] = np.nan
        scores[f"{name}_interval"].loc[{"forecast": "triton"}][:, 50:] = np.nan
    for name in (
        "energy",
        "enstrophy",
        "small_scale_enstrophy",
        "energy_spectrum",
        "enstrophy_spectrum",
    ):
        scores[name].loc[{"source": "triton"}][50:] = np.inf
    scores["stable_fraction"].loc["triton"] = 0.0
    example["forecast"][:, 4:] = 1e30
    example["forecast"][:, 6:] = np.nan
    example["error"][:] = example["forecast"] - example["truth"]
    words = report(scores, example).words
    assert "In at least one case the forecast is not finite, first at step 51" in words
    assert "✗ in 0 of 16 cases" in words
    assert "not finite" in words


def test_nothing_finite_at_all(report, scores, example):
    for array in scores.values():
        if array.dtype.kind == "f":
            array[:] = np.nan
    for name in example:
        example[name][:] = np.nan
    assert "• could not be judged" in report(scores, example).words


@pytest.mark.parametrize("leads", [1, 2])
def test_few_leads(report, make_scores, make_example, leads):
    words = report(make_scores(leads=leads), make_example(leads=leads, size=8)).words
    assert {1: "one lead of 0.055 time units", 2: "2 leads to 0.11 time units"}[leads] in words


def test_several_variables_on_a_map_with_calendar_leads(report, make_scores, make_example):
    names = ("temperature", "salinity")
    scores = make_scores(leads=20, variables=names, calendar=True, turbulence=False)
    scores["rmse"].attrs["units"] = "K; g kg-1"
    page = report(
        scores, make_example(leads=20, size=16, variables=names, calendar=True, latlon=True)
    )
    assert "Root mean square error (g kg⁻¹)" in page.words
    assert "5 days" in page.words
    assert "Spectra" not in page.words
    assert len(page.attributes("img")) == 2 + 1 + 2 + 2


def test_pictures_are_described_in_long_names_and_printed_units(report, make_scores, make_example):
    names = ("sst", "so")
    words = {LONG_NAMES: ("variable", ["sea surface temperature", "salinity"])}
    scores = make_scores(leads=3, variables=names, turbulence=False).assign_coords(words)
    scores["rmse"].attrs["units"] = "degC; g kg-1"
    page = report(scores, make_example(leads=3, size=8, variables=names).assign_coords(words))
    descriptions = " ".join(image["alt"] for image in page.attributes("img"))
    assert "Maps of sea surface temperature, salinity: initial state" in descriptions
    assert "Curves of every score of sea surface temperature over lead time" in descriptions
    assert "sst" not in descriptions
    assert "Root mean square error (°C)" in page.words
    assert "degC" not in page.words


def test_many_variables_are_cut_and_named(report, make_scores, make_example, monkeypatch):
    for module in ("report", "page", "sections.example", "sections.scores"):
        monkeypatch.setattr(f"triton_earth.plots.{module}.MOST_VARIABLES", 1)
    names = ("level_1", "level_2", "level_3")
    scores = make_scores(leads=2, variables=names, turbulence=False)
    page = report(scores, make_example(leads=2, size=8, variables=names))
    assert "Not shown here, but in the score files: level_2, level_3." in page.words


def test_truth_that_ends_early_is_said(report, make_scores, make_example):
    scores = make_scores(leads=3, turbulence=False)
    scores.attrs["remarks"] = "Scored over 3 of the forecast's 120 leads: the truth ends there."
    example = make_example(leads=3, size=8)
    assert "Scored over 3 of the forecast's 120 leads" in report(scores, example).words


def test_several_models_each_have_a_verdict(report, make_scores, example):
    page = report(
        make_scores(leads=8, forecasts=("triton", "fno", "persistence"), turbulence=False), example
    )
    assert page.words.count("Beats persistence at every lead") == 2


def test_long_runs_and_ensembles_have_their_sections(
    report, make_scores, make_example, with_long_runs, with_ensemble
):
    scores = with_ensemble(with_long_runs(make_scores(leads=4, turbulence=False)))
    page = report(scores, make_example(leads=4, size=8))
    for words in ("Long runs", "Ensemble", "Drift rate"):
        assert words in page.words
    assert len(page.attributes("img")) == 3 + 1 + 1 + 1


def test_scores_that_are_none(scores, example, tmp_path):
    with pytest.raises(UserError, match="a report needs scores"):
        write_report(scores[["energy"]], example, tmp_path / "report.html", "t")
    with pytest.raises(UserError, match="the example lacks error"):
        write_report(scores, example.drop_vars("error"), tmp_path / "report.html", "t")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(make_scores, make_example, tmp_path):
    scores, example = make_scores(leads=1, turbulence=False), make_example(leads=1, size=8)
    Path(tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(scores, example, tmp_path / "file" / "report.html", "t")


def test_input_is_left_as_it_is(written):
    _, before, after = written
    assert all(one.identical(other) for one, other in zip(before, after, strict=True))
