"""What a bench leaves: the table as text, all numbers, and a report with the forecasts of the first seed."""

import json
import platform

import torch

from triton_earth import __version__
from triton_earth.bench.folder import REPORT, RESULTS, TABLE, BenchFolder
from triton_earth.bench.results import Results
from triton_earth.bench.table import as_json, html, markdown
from triton_earth.core.outputs.files import write_json, write_text
from triton_earth.plots.page import Section
from triton_earth.workflow.evaluate import judge


def write_results(folder: BenchFolder, results: Results) -> None:
    """Write ``table.md``, ``results.json`` and ``report/`` of a bench; those of an earlier start are replaced.

    The report has the curves, spectra and animations of the forecasts of the first seed.
    """
    write_tables(folder, results)
    config, seed = folder.config, folder.config.seeds[0]
    stored = {
        name: path
        for name in config.variants
        if (path := folder.run(name, seed) / "forecast.zarr").is_dir()
    }
    out = folder.path / REPORT
    title = f"{config.title}: forecasts of seed {seed}"
    if stored:
        judge(
            "compare" if len(stored) > 1 else "evaluate",
            list(stored.values()),
            folder.store,
            out,
            {"name": list(stored), "title": title},
            overwrite=True,
            force=True,
            sections=[Section("Table", html(results))],
        )


def write_tables(folder: BenchFolder, results: Results) -> None:
    """Write ``table.md`` and ``results.json``."""
    write_text(folder.path / TABLE, markdown(results))
    told = {
        **as_json(results),
        "bench": json.loads(folder.config.model_dump_json()),
        "machine": {"processor": platform.machine(), "gpu": torch.cuda.is_available()},
        "versions": {"triton_earth": __version__, "torch": torch.__version__},
    }
    write_json(folder.path / RESULTS, told)
