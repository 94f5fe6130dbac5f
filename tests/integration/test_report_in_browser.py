"""The report as a browser sees it: nothing is blocked, missing or complained about."""

import http.server
import importlib.util
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from triton_earth.plots import write_report

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
COUNT = """<!doctype html><iframe id="f" src="report.html" width="{width}" height="900"></iframe><script>
onload = () => {{
  const page = document.getElementById("f").contentDocument;
  const images = [...page.images];
  const result = {{
    images: images.length,
    shown: images.filter(image => image.complete && image.naturalWidth > 0).length,
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one report, served on this machine."""
    place = Path(__file__).parents[1] / "unit" / "plots" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_scores", place)
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(
        synthetic.build_scores(), synthetic.build_example(leads=8, size=32), path, "Browser"
    )
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
def test_every_picture_is_shown_and_nothing_is_fetched(folder, address, tmp_path, width):
    (folder / "count.html").write_text(COUNT.format(width=width))
    dom, complaints = browse(f"{address}/count.html", tmp_path, "--dump-dom")
    assert complaints == []
    found = dict(re.findall(r"(\w+)=(\w+)", dom[dom.index("RESULT") :]))
    assert found == {"images": "7", "shown": "7", "overflow": "false", "requests": "0"}


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
