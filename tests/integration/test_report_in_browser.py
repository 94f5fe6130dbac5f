"""The report as a browser sees it: nothing is blocked, missing or complained about."""

import http.server
import importlib.util
import re
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.evaluation.example import with_eddies
from triton_earth.plots import write_report
from triton_earth.plots.sections.ensembles import ENSEMBLE
from triton_earth.plots.sections.events import EDDIES, HEAT_WAVES
from triton_earth.plots.sections.guard import triage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
)
# Run by a page of the test around the report, as the report itself may not run scripts.
COUNT = """<!doctype html><iframe id="f" src="{page}" width="{width}" height="900"></iframe><script>
onload = () => {{
  const page = document.getElementById("f").contentDocument;
  const images = [...page.images];
  const result = {{
    images: images.length,
    shown: images.filter(image => image.complete && image.naturalWidth > 0).length,
    drawn: images.filter(image => {{
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [64, 64];
      const pen = canvas.getContext("2d");
      pen.drawImage(image, 0, 0, 64, 64);
      const pixels = new Uint32Array(pen.getImageData(0, 0, 64, 64).data.buffer);
      return new Set(pixels).size > 8;
    }}).length,
    overflow: page.documentElement.scrollWidth > page.documentElement.clientWidth,
    requests: document.getElementById("f").contentWindow.performance.getEntriesByType("resource")
      .filter(entry => !entry.name.startsWith("data:")).length,
  }};
  document.body.textContent = "RESULT " + Object.entries(result).map(e => e.join("=")).join(" ");
}}
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


def everything(synthetic, forecasts):
    """Scores and an example on a map, with all sections that a report can have."""
    scores = synthetic.build_scores(leads=8, variables=("ssh",), calendar=True, turbulence=False)
    if forecasts > 1:
        names = ("triton", "other", "persistence")
        scores = synthetic.build_scores(
            leads=8, variables=("ssh",), forecasts=names, calendar=True, turbulence=False
        )
        scores["mse_minus_triton"] = scores["mse"] - scores["mse"].isel(forecast=0)
        scores["mse_minus_triton_interval"] = scores["mse_interval"] * 0 - 1.0
    sources = ["truth", *scores["forecast"].values]
    scores = scores.assign_coords(source=sources)
    for name in (*HEAT_WAVES, *EDDIES):
        along = (
            "source" if name in ("heat_wave_area", "eddy_count", "eddy_survival") else "forecast"
        )
        shape = (len(sources) if along == "source" else len(sources) - 1, 8)
        scores[name] = ((along, "lead_time"), np.linspace(0.9, 0.2, np.prod(shape)).reshape(shape))
    for name in ENSEMBLE[:3]:
        scores[name] = (("variable", "lead_time"), np.linspace(0.1, 1, 8)[None])
        scores[f"{name}_interval"] = xr.concat([scores[name]] * 2, "bound").transpose(..., "bound")
    scores["rank_histogram"] = (("variable", "lead_time", "rank"), np.full((1, 8, 4), 0.25))
    example = synthetic.build_example(leads=8, size=32, variables=("ssh",), latlon=True)
    grid = LatLonGrid(tuple(example["latitude"].values), tuple(example["longitude"].values))
    trip = {
        **{"init": 0, "member": 1, "step": 1, "variable": "ssh", "statistic": "largest value"},
        **{"value": 9.0, "lower": None, "upper": 5.0, "y": 3, "x": 4, "scale": "area mean"},
        **{"scale_step": 1, "growth_rate": 0.2},
    }
    record = {"policy": "warn", "climate_states": 64, "count": 1, "trips": [trip]}
    return scores, with_eddies(example, "ssh", grid), [triage(record, 6, example)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with reports of a box, of a map with all sections, and of a comparison, served on this machine."""
    place = Path(__file__).parents[1] / "unit" / "plots" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_scores", place)
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(
        synthetic.build_scores(), synthetic.build_example(leads=8, size=32), path, "Browser"
    )
    scores, example, about = everything(synthetic, 1)
    write_report(scores, example, path.with_name("map.html"), "Map", about)
    scores, example, about = everything(synthetic, 2)
    others = {"other": example}
    write_report(scores, example, path.with_name("comparison.html"), "Both", about, others)
    path.with_name("wrong.html").write_text("<script>console.error('a planted complaint')</script>")
    return path.parent


@pytest.fixture(scope="module")
def address(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **options):
            super().__init__(*args, directory=str(folder), **options)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def browse(url, tmp_path, *options):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", *options, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, complaints


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize(
    ("page", "images"), [("report.html", 7), ("map.html", 9), ("comparison.html", 11)]
)
def test_every_picture_is_shown_and_nothing_is_fetched(
    folder, address, tmp_path, page, images, width
):
    (folder / "count.html").write_text(COUNT.format(page=page, width=width))
    dom, complaints = browse(f"{address}/count.html", tmp_path, "--dump-dom")
    assert complaints == []
    found = dict(re.findall(r"(\w+)=(\w+)", dom[dom.index("RESULT") :]))
    count = str(images)
    assert found == {
        **{"images": count, "shown": count, "drawn": count},
        **{"overflow": "false", "requests": "0"},
    }


def test_complaints_would_be_seen(address, tmp_path):
    _, complaints = browse(f"{address}/wrong.html", tmp_path, "--dump-dom")
    assert len(complaints) == 1
    assert "a planted complaint" in complaints[0]


def test_on_paper(folder, address, tmp_path):
    target = tmp_path / "report.pdf"
    _, complaints = browse(
        f"{address}/report.html",
        tmp_path / "profile",
        f"--print-to-pdf={target}",
        "--no-pdf-header-footer",
    )
    assert complaints == []
    assert target.read_bytes().startswith(b"%PDF")
