"""What part of the bandwidth of a plain read, or of a plain read and write, `inspect` and `prepare` reach.

    python benchmarks/bandwidth.py --times 2048 --rounds 3 --json bandwidth.json

Six-hourly fields of two variables on 181 x 360 cells (default: 256 times, 133 MB) are written as NetCDF-4 and as Zarr,
without compression and with the usual one of each (zlib at level 1, Zstandard). In each round, for each file in turn,
a plain loop of netCDF4 or zarr reads all values sixteen times at once; the same loop reads them and appends the bytes
to a file; `inspect` looks at the file; `prepare` makes a store of it. All are done in one process with one thread.
Seconds are those of the processor, user and system; a round before the first is not counted. Parts are medians of the
ratios of each round: of the plain read for `inspect`, of the plain read and write for `prepare`. The content hash of a
store is a SHA-256 of every value, so `prepare` cannot be faster than the plain read and write and that hash together,
which is measured too: `prepare_part_of_bound`. Another version is measured with `PYTHONPATH=../base/src`.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from prepare_time import RECIPE, seconds

CELLS = (181, 360)
TOGETHER = 16
"""Times in a chunk of the files, and of a plain read."""

NAMES = {"t2m": "K", "sst": "degC"}
FILES = ("none.nc", "zlib.nc", "none.zarr", "zstd.zarr")
"""Compression and kind of each file."""


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Measure what the command line asks for, and return the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=CELLS[0], help="rows of the grid")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args(words)
    taken: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        megabytes = write_files(folder, arguments.times, (arguments.rows, 2 * (arguments.rows - 1)))
        for number in range(arguments.rounds + 1):
            for file in FILES:
                for what, took in one_round(folder, file).items():
                    if number:
                        taken.setdefault(file, {}).setdefault(what, []).append(took)
            print(f"round {number} of {arguments.rounds}", file=sys.stderr)
        stored = {file: round(size(folder / file) / 1e6, 1) for file in FILES}
    results = {file: summary(kinds, megabytes) for file, kinds in taken.items()}
    report = {
        "megabytes": round(megabytes, 1),
        "stored_megabytes": stored,
        "rounds": arguments.rounds,
        "files": results,
    }
    print(json.dumps(report, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return report


def write_files(folder: Path, times: int, cells: tuple[int, int]) -> float:
    """Write the fields to every file and a recipe for each; return their size in MB."""
    import numpy as np
    import xarray as xr
    from numcodecs import Zstd

    random = np.random.default_rng(0)
    latitude = np.linspace(-90, 90, cells[0])
    warmth = 300 - 50 * np.sin(np.deg2rad(latitude))[:, None] ** 2
    noise = random.standard_normal((times, *cells), dtype=np.float32).round(2)
    land = random.random(cells) < 0.3
    sea = np.where(land, np.nan, warmth - 273.15 + 0.3 * noise).clip(-1.8)
    fields = {"t2m": warmth + noise, "sst": sea}
    moments = np.datetime64("2000-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h")
    dims = ("time", "lat", "lon")
    data = xr.Dataset(
        {name: (dims, fields[name].astype("f4"), {"units": NAMES[name]}) for name in NAMES},
        coords={
            "time": moments,
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(cells[1]) * 360 / cells[1], {"units": "degrees_east"}),
        },
    )
    chunks = (min(TOGETHER, times), *cells)
    packing: dict[str, dict[str, Any]] = {
        "none.nc": {"chunksizes": chunks},
        "zlib.nc": {"chunksizes": chunks, "zlib": True, "complevel": 1},
        "none.zarr": {"chunks": chunks, "compressors": None},
        "zstd.zarr": {"chunks": chunks, "compressors": (Zstd(1),)},
    }
    day = moments.astype("datetime64[D]")
    cut = {"train": day[int(0.6 * times)], "valid": day[int(0.75 * times)]}
    for file, one in packing.items():
        encoding = {name: dict(one) for name in NAMES}
        if file.endswith(".nc"):
            data.to_netcdf(folder / file, encoding=encoding)
        else:
            data.to_zarr(folder / file, zarr_format=2, encoding=encoding)
        recipe = RECIPE.format(path=folder / file, test=day[int(0.9 * times)], last=day[-2], **cut)
        (folder / f"{file}.yaml").write_text(recipe)
    return sum(one.nbytes for one in data.data_vars.values()) / 1e6


def one_round(folder: Path, file: str) -> dict[str, float]:
    """Return the seconds of everything that is done with one file."""
    from triton_earth.cli import main as command

    store, copy = folder / "store", folder / "copy"
    taken = {
        "read": cpu(lambda: read(folder / file, None)),
        "inspect": seconds(command, ["inspect", str(folder / file)])["cpu"],
        "read_and_write": cpu(lambda: read(folder / file, copy)),
        "prepare": seconds(command, ["prepare", str(folder / f"{file}.yaml"), "--out", str(store)])[
            "cpu"
        ],
        "hash": cpu(lambda: hash_bytes(size(copy))),
    }
    copy.unlink()
    shutil.rmtree(store)
    return taken


def cpu(action: Callable[[], object]) -> float:
    """Return the seconds of the processor that something takes."""
    started = time.process_time()
    action()
    return time.process_time() - started


def read(path: Path, copy: Path | None) -> None:
    """Read all values with netCDF4 or zarr alone, and append their bytes to a file where there is one."""
    import netCDF4
    import zarr

    source = netCDF4.Dataset(path) if path.suffix == ".nc" else zarr.open_group(str(path), mode="r")
    with open(copy or os.devnull, "wb") as out:
        for name in NAMES:
            array = source[name]
            if path.suffix == ".nc":
                array.set_auto_maskandscale(False)
            for start in range(0, array.shape[0], TOGETHER):
                values = array[start : start + TOGETHER]
                if copy is not None:
                    out.write(values.data)
    if path.suffix == ".nc":
        source.close()


def hash_bytes(count: int) -> None:
    """Compute the SHA-256 of so many bytes, each quarter of a megabyte by itself, as the map of a variable is."""
    values = bytes(1 << 18)
    for _ in range(-(-count // len(values))):
        hashlib.sha256(values).digest()


def size(path: Path) -> int:
    """Return the bytes of a file or of all files of a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file())


def summary(taken: dict[str, list[float]], megabytes: float) -> dict[str, Any]:
    """Return MB a second of everything, and the parts of the plain loops that the commands reach."""
    found: dict[str, Any] = {
        f"{what}_mb_per_second": round(megabytes / statistics.median(each), 1)
        for what, each in taken.items()
    }
    for what, plain in (("inspect", "read"), ("prepare", "read_and_write")):
        parts = [a / b for a, b in zip(taken[plain], taken[what], strict=True)]
        found[f"{what}_part"] = [round(f(parts), 3) for f in (statistics.median, min, max)]
    least = [a + b for a, b in zip(taken["read_and_write"], taken["hash"], strict=True)]
    parts = [a / b for a, b in zip(least, taken["prepare"], strict=True)]
    found["prepare_part_of_bound"] = [round(f(parts), 3) for f in (statistics.median, min, max)]
    return found


if __name__ == "__main__":
    main()
