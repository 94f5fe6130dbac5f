"""What judging costs: all scores beside RMSE, bias and ACC alone with xarray and numpy, and the writing of the report.

    git worktree add ../base REVISION
    python benchmarks/judging.py report --base ../base/src --json report.json
    python benchmarks/judging.py scores --base ../base/src --json scores.json

Daily synthetic fields of 8 variables on a globe (a season, travelling waves, noise; forecasts are the truth with an
error that grows) are written as a truth and a forecast store. `report` judges them once and writes the page of the same
scores in turn by this version and another (default: 32 x 64 cells, 365 leads). `scores` runs `evaluate` of each version
in turn, beside a plain loop of xarray and numpy over the same two stores, which computes RMSE, bias and ACC, reads each
field once and gets its climatology as a present (default: 180 x 360 cells, 60 leads, 4 starts). A field is one variable
of one start at one lead. Each version has a process of its own with one thread; seconds are those of the processor; a
round before the first is not counted; ratios are medians over the ratios of each round.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZES = {
    "report": {"rows": 32, "starts": 4, "leads": 365, "days": 730, "resamples": 200},
    "scores": {"rows": 180, "starts": 4, "leads": 60, "days": 365, "resamples": 1000},
}
"""Rows of the grid (half as many as columns), and days of the training split, unless the command line says so."""

NAMES = (
    ("2m_temperature", "K", 285.0, 15.0),
    ("mean_sea_level_pressure", "Pa", 101000.0, 800.0),
    ("10m_u_component_of_wind", "m s-1", 0.0, 6.0),
    ("10m_v_component_of_wind", "m s-1", 0.0, 5.0),
    ("geopotential_500", "m2 s-2", 54000.0, 2500.0),
    ("temperature_850", "K", 275.0, 12.0),
    ("specific_humidity_700", "kg kg-1", 0.004, 0.001),
    ("u_component_of_wind_250", "m s-1", 15.0, 12.0),
)
"""Name, units, mean and spread of each variable."""


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*SIZES, "serve"])
    parser.add_argument("--base", type=Path, help="folder `src` of the version to compare with")
    for name in SIZES["report"]:
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where stores and pages go, and stay")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    if arguments.what == "serve":
        serve()
        return
    sizes = {
        name: getattr(arguments, name) or default for name, default in SIZES[arguments.what].items()
    }
    sources = {"this": Path(__file__).resolve().parents[1] / "src"}
    if arguments.base is not None:
        sources["base"] = arguments.base.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "forecast.zarr").is_dir():
            write_stores(folder, sizes)
        workers = {name: worker(source) for name, source in sources.items()}
        measure = measure_report if arguments.what == "report" else measure_scores
        results = measure(workers, folder, sizes, arguments.rounds)
        for process in workers.values():
            process.stdin.close()
            process.wait()
    results |= {"sizes": sizes, "rounds": arguments.rounds}
    print(json.dumps(results, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def measure_report(
    workers: dict[str, subprocess.Popen[str]], folder: Path, sizes: dict[str, int], rounds: int
) -> dict[str, Any]:
    """Return the seconds that each version takes to write the page of the same scores."""
    kept = folder / "kept.nc"
    if not kept.exists():
        ask(workers["this"], {"do": "keep", "folder": str(folder), **sizes})
    taken = in_turn(
        {
            name: (process, {"do": "report", "folder": str(folder), "page": f"{name}.html"})
            for name, process in workers.items()
        },
        rounds,
    )
    size = (folder / "this.html").stat().st_size
    return {"page_megabytes": round(size / 1e6, 2), **summary(taken, "base")}


def measure_scores(
    workers: dict[str, subprocess.Popen[str]], folder: Path, sizes: dict[str, int], rounds: int
) -> dict[str, Any]:
    """Return the seconds that each version, and the plain loop, take for the scores of the same forecast."""
    work = {"folder": str(folder), **sizes}
    tasks = {name: (process, {"do": "scores", **work}) for name, process in workers.items()}
    taken = in_turn({**tasks, "plain": (workers["this"], {"do": "plain", **work})}, rounds)
    fields = sizes["starts"] * sizes["leads"] * len(NAMES)
    results = summary(taken, "plain")
    for name, seconds in taken.items():
        results[name]["fields_per_second"] = round(fields / statistics.median(seconds), 1)
    if "base" in taken:
        ratios = [a / b for a, b in zip(taken["this"], taken["base"], strict=True)]
        results["this"]["of_base"] = round(statistics.median(ratios), 3)
    return results


def in_turn(
    tasks: dict[str, tuple[subprocess.Popen[str], dict[str, Any]]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each task in each round, whose order changes from round to round."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name in list(tasks)[:: 1 if number % 2 else -1]:
            seconds = ask(*tasks[name])
            if number:
                taken[name].append(seconds)
        print(f"round {number} of {rounds}: {taken}", file=sys.stderr)
    return taken


def summary(taken: dict[str, list[float]], reference: str) -> dict[str, Any]:
    """Return median and extremes of the seconds of each, and of their ratio to the reference's."""
    results: dict[str, Any] = {}
    for name, seconds in taken.items():
        results[name] = {"cpu_seconds": spread(seconds)}
        if reference in taken and name != reference:
            ratios = [a / b for a, b in zip(seconds, taken[reference], strict=True)]
            results[name][f"of_{reference}"] = spread(ratios)
    return results


def spread(values: list[float]) -> list[float]:
    """Return median, least and largest."""
    return [round(float(f(values)), 3) for f in (statistics.median, min, max)]


def worker(source: Path) -> subprocess.Popen[str]:
    """Start a process with a version of the package, which does what is written to it."""
    return subprocess.Popen(
        [sys.executable, __file__, "serve"],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str], work: dict[str, Any]) -> float:
    """Return the seconds of the processor that a worker takes for something."""
    process.stdin.write(json.dumps(work) + "\n")
    process.stdin.flush()
    return float(json.loads(process.stdout.readline()))


def serve() -> None:
    """Do what each line of input asks for, and say its seconds."""
    import torch

    torch.set_num_threads(1)
    actions = {"keep": keep, "report": write_page, "scores": score, "plain": score_plainly}
    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        work = json.loads(line)
        action, folder = actions[work.pop("do")], Path(work.pop("folder"))
        print(json.dumps(action(folder, **work)), file=out, flush=True)


def keep(folder: Path, *, resamples: int, **sizes: int) -> float:
    """Judge the forecast and keep scores and example for the page."""
    from triton_earth.data.store.training_store import TrainingStore
    from triton_earth.evaluation.evaluate import evaluate_forecasts
    from triton_earth.rollout.storage.forecast_store import ForecastStore

    started = time.process_time()
    done = evaluate_forecasts(
        [ForecastStore.open(folder / "forecast.zarr")],
        TrainingStore.open(folder / "truth.zarr"),
        resamples=resamples,
        examples=True,
    )
    done.scores.to_netcdf(folder / "kept.nc")
    done.examples[0].to_netcdf(folder / "example.nc")
    return time.process_time() - started


def write_page(folder: Path, *, page: str) -> float:
    """Write the report of the kept scores."""
    import xarray as xr

    from triton_earth.plots.report import write_report

    scores, example = (xr.load_dataset(folder / name) for name in ("kept.nc", "example.nc"))
    example.attrs["anomalies"] = list(np_strings(example.attrs.get("anomalies", [])))
    started = time.process_time()
    write_report(scores, example, folder / page, "A forecast of a year")
    return time.process_time() - started


def np_strings(value: Any) -> list[str]:
    """Return texts that NetCDF may have made one text of."""
    return [value] if isinstance(value, str) else [str(one) for one in value]


def score(folder: Path, *, resamples: int, **sizes: int) -> float:
    """Compute every default score of the forecast."""
    import triton_earth

    started = time.process_time()
    triton_earth.evaluate(
        str(folder / "forecast.zarr"), str(folder / "truth.zarr"), resamples=resamples, force=True
    )
    return time.process_time() - started


def score_plainly(folder: Path, *, starts: int, leads: int, days: int, **sizes: int) -> float:
    """Compute RMSE, bias and ACC alone, lead by lead, with xarray and numpy."""
    import numpy as np
    import xarray as xr

    truth = xr.open_zarr(folder / "truth.zarr", chunks=None)["state"][0]
    climatology = truth[:days].mean("time").compute().values
    started = time.process_time()
    forecast = xr.open_zarr(folder / "forecast.zarr", chunks=None)
    weights = np.cos(np.deg2rad(forecast["latitude"].values))
    weights = (weights / weights.mean())[:, None]
    scores = np.empty((3, leads, len(NAMES), starts))
    for lead in range(leads):
        times = forecast["init_time"].values + forecast["lead_time"].values[lead]
        true = truth.sel(time=times).values
        for channel, (name, *_) in enumerate(NAMES):
            field = forecast[name][:, lead].values
            error = field - true[:, channel]
            anomalies = [one - climatology[channel] for one in (field, true[:, channel])]
            own, other = anomalies
            scores[0, lead, channel] = np.sqrt((weights * error**2).mean((1, 2)))
            scores[1, lead, channel] = (weights * error).mean((1, 2))
            products = [
                (weights * a * b).mean((1, 2))
                for a, b in ((own, other), (own, own), (other, other))
            ]
            scores[2, lead, channel] = products[0] / np.sqrt(products[1] * products[2])
    assert np.isfinite(scores).all()
    return time.process_time() - started


def write_stores(folder: Path, sizes: dict[str, int]) -> None:
    """Write the truth (a training split and what follows) and forecasts of it that begin on successive days."""
    import numpy as np

    from triton_earth.core.grid import LatLonGrid
    from triton_earth.core.variables import Variable, Variables
    from triton_earth.data.store.training_store import create_store, finish_store, write_trajectory
    from triton_earth.rollout.storage.forecast_store import (
        create_forecast_store,
        finish_forecast_store,
        open_for_writing,
        write_lead,
    )

    rows, starts, leads, days = (sizes[name] for name in ("rows", "starts", "leads", "days"))
    step = 180 / rows
    grid = LatLonGrid(np.arange(rows) * step - 90 + step / 2, np.arange(2 * rows) * step)
    variables = Variables(tuple(Variable(name, units, name) for name, units, *_ in NAMES))
    times = np.datetime64("2001-01-01", "ns") + np.arange(days + starts + leads) * np.timedelta64(
        1, "D"
    )
    random = np.random.default_rng(0)
    wave = np.hypot(np.fft.fftfreq(rows, 1 / rows)[:, None], np.arange(rows + 1))
    damping = (1 / (1 + (wave / 3) ** 2.5)).astype(np.float32)

    def noise() -> np.ndarray:
        white = random.standard_normal((len(NAMES), rows, 2 * rows), dtype=np.float32)
        smooth = np.fft.irfft2(np.fft.rfft2(white) * damping, s=(rows, 2 * rows))
        return smooth / smooth.std(axis=(1, 2), keepdims=True)

    phi, lam = np.deg2rad(grid.y)[:, None], np.deg2rad(grid.x)
    mean, scale = (np.array([one[place] for one in NAMES])[:, None, None] for place in (2, 3))
    weather, fields = noise(), np.empty((len(times), len(NAMES), rows, 2 * rows), np.float32)
    for day in range(len(times)):
        weather = 0.9 * weather + math.sqrt(1 - 0.9**2) * noise()
        season = np.sin(phi) * np.cos(2 * np.pi * day / 365.25) - np.sin(phi) ** 2
        travelling = 0.3 * np.cos(phi) ** 2 * np.sin(5 * lam - 0.6 * day)
        fields[day] = mean + scale * (season + travelling + 0.4 * weather)
    split = np.where(np.arange(len(times)) < days, "train", "test")
    create_store(
        folder / "truth.zarr",
        variables=variables,
        grid=grid,
        times=times,
        splits=split[None],
        provenance={"source": "synthetic fields"},
    )
    finish_store(folder / "truth.zarr", [write_trajectory(folder / "truth.zarr", 0, fields)])
    create_forecast_store(
        folder / "forecast.zarr",
        variables=variables,
        grid=grid,
        time_step=np.timedelta64(1, "D"),
        steps=leads,
        init_times=times[days : days + starts],
        trajectories=np.zeros(starts, int),
        provenance={"model": "ours"},
    )
    arrays = open_for_writing(folder / "forecast.zarr", variables.names)
    errors = np.stack([noise() for _ in range(starts)])
    for lead in range(leads):
        errors = 0.9 * errors + math.sqrt(1 - 0.9**2) * np.stack([noise() for _ in range(starts)])
        size = 0.4 * (1 - math.exp(-(lead + 1) / 10))
        made = fields[days + lead + 1 :][:starts] + (size * scale * errors).astype(np.float32)
        write_lead(arrays, slice(0, starts), 1, lead, list(made.swapaxes(0, 1)))
    finish_forecast_store(folder / "forecast.zarr")


if __name__ == "__main__":
    main()
