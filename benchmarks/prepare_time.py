"""How long `inspect` and `prepare` take for sound files, of this package and of another version of it, in turn.

    git worktree add ../base REVISION
    python benchmarks/prepare_time.py --base ../base/src --json prepare_time.json

Six-hourly fields of temperature and of a sea surface temperature with land, on 181 x 360 cells (default: 512 times, 267
MB), are written once as NetCDF-4 and once as Zarr. Each version has a process of its own, and in each round both run
`inspect` and `prepare` for both files, each command in turn, whose order changes from round to round. Seconds are those
of the processor (user and system) and of the clock, without the start of Python and imports; a round before the first
is not counted. Quoted are medians over the rounds, and the median of the ratios of each round.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHAPE = (181, 360)
RECIPE = """
title: sound files
data:
  kind: gridded
  path: {path}
  variables: [2m_temperature, sea_surface_temperature]
  splits:
    train: [2000-01-01, {train}]
    valid: [{valid}, {valid}]
    test: [{test}, {last}]
model:
  network: {{name: triton, spatial_hidden_dim: 8, temporal_hidden_dim: 8}}
train: {{steps: 5, batch_size: 2}}
"""


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, help="folder `src` of the version to compare with")
    parser.add_argument("--times", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    sources = {"this": Path(__file__).resolve().parents[1] / "src"}
    if arguments.base is not None:
        sources["base"] = arguments.base.resolve()
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), arguments.times)
        workers = {one: worker(source) for one, source in sources.items()}
        rounds = []
        for number in range(arguments.rounds + 1):
            names = list(workers) if number % 2 else list(workers)[::-1]
            rounds.append(one_round(workers, names, Path(name)))
            print(f"round {number} of {arguments.rounds}", file=sys.stderr)
        for process in workers.values():
            process.stdin.close()
            process.wait()
    results = summary(rounds[1:], list(sources))
    results["times"], results["rounds"] = arguments.times, arguments.rounds
    print(json.dumps(results, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def write_files(folder: Path, times: int) -> None:
    """Write the fields as ``sound.nc`` and ``sound.zarr``, and a recipe for each."""
    import numpy as np
    import xarray as xr

    generator = np.random.default_rng(0)
    latitude, longitude = np.linspace(-90, 90, SHAPE[0]), np.arange(SHAPE[1]) * 360 / SHAPE[1]
    warmth = 300 - 50 * np.sin(np.deg2rad(latitude))[:, None] ** 2
    land = generator.random(SHAPE) < 0.3
    moments = np.datetime64("2000-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h")
    dims = ("time", "lat", "lon")
    noise = generator.standard_normal((times, *SHAPE), dtype=np.float32)
    data = xr.Dataset(
        {
            "t2m": (dims, (warmth + noise).astype("f4"), {"units": "K"}),
            "sst": (
                dims,
                np.where(land, np.nan, warmth - 273.15 + 0.3 * noise).clip(-1.8).astype("f4"),
                {"units": "degC"},
            ),
        },
        coords={
            "time": moments,
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", longitude, {"units": "degrees_east"}),
        },
    )
    chunks = (16, *SHAPE)
    data.to_netcdf(
        folder / "sound.nc", encoding={name: {"chunksizes": chunks} for name in ("t2m", "sst")}
    )
    data.to_zarr(
        folder / "sound.zarr",
        zarr_format=2,
        encoding={name: {"chunks": chunks} for name in ("t2m", "sst")},
    )
    day = moments.astype("datetime64[D]")
    cut = {
        "train": day[int(0.6 * times)],
        "valid": day[int(0.75 * times)],
        "test": day[int(0.9 * times)],
    }
    for ending in ("nc", "zarr"):
        words = RECIPE.format(path=folder / f"sound.{ending}", last=day[-2], **cut)
        (folder / f"{ending}.yaml").write_text(words)


def worker(source: Path) -> subprocess.Popen[str]:
    """Start a process with a version of the package, which runs commands that are written to it."""
    return subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str], words: list[str]) -> dict[str, float]:
    """Have a worker run a command, and return its seconds."""
    process.stdin.write(json.dumps(words) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def serve() -> None:
    """Run a command for each line of input, and say its seconds."""
    from triton_earth.cli import main as command

    for line in sys.stdin:
        print(json.dumps(seconds(command, json.loads(line))), flush=True)


def one_round(
    workers: dict[str, subprocess.Popen[str]], names: list[str], folder: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the seconds of each version and command."""
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for ending in ("nc", "zarr"):
        store = folder / f"{ending}.store"
        commands = {
            "inspect": ["inspect", str(folder / f"sound.{ending}")],
            "prepare": ["prepare", str(folder / f"{ending}.yaml"), "--out", str(store)],
        }
        for command, words in commands.items():
            for name in names:
                found[name][f"{command} {ending}"] = ask(workers[name], words)
                if store.exists():
                    shutil.rmtree(store)
    return found


def seconds(command: object, words: list[str]) -> dict[str, float]:
    """Return what a command takes, of the processor and of the clock."""
    with open(os.devnull, "w") as nowhere:
        before, out = sys.argv, (sys.stdout, sys.stderr)
        sys.argv, sys.stdout, sys.stderr = ["triton-earth", *words], nowhere, nowhere
        used, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        try:
            command()  # type: ignore[operator]
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"{words} ended with exit code {end.code}") from end
        finally:
            sys.argv, (sys.stdout, sys.stderr) = before, out
    clock = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return {"cpu": cpu, "wall": clock}


def summary(rounds: list[dict], names: list[str]) -> dict[str, dict[str, float]]:
    """Return medians, and medians of the ratios of each round."""
    found: dict[str, dict[str, float]] = {}
    for command in rounds[0]["this"]:
        row = {}
        for kind in ("cpu", "wall"):
            for name in names:
                row[f"{kind}_{name}"] = statistics.median(
                    one[name][command][kind] for one in rounds
                )
            if len(names) > 1:
                ratios = [one["this"][command][kind] / one["base"][command][kind] for one in rounds]
                row[f"{kind}_ratio"] = statistics.median(ratios)
                row[f"{kind}_ratio_lowest"], row[f"{kind}_ratio_highest"] = min(ratios), max(ratios)
        found[command] = {key: round(value, 4) for key, value in row.items()}
    return found


if __name__ == "__main__":
    main()
