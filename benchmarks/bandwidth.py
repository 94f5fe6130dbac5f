"""What part of the bandwidth of a plain read, or of a plain read and write, `inspect` and `prepare` reach.

    python benchmarks/bandwidth.py --times 1024 --rounds 5 --json bandwidth.json
    python benchmarks/bandwidth.py --times 38400 --rounds 1 --cold --files zlib.nc --folder DISK --json large.json

Six-hourly fields of two variables on 181 x 360 cells (256 times: 133 MB; 38400: 20 GB) are written as NetCDF-4 or as
Zarr, without compression or with the usual one of each (zlib at level 1, Zstandard); one file after the other, piece by
piece, so that neither memory nor disk has to hold all of them. In each round a plain loop of netCDF4 or zarr reads all
values sixteen times at once; `inspect` looks at all of them; the same loop reads them and writes their bytes to a file,
which is on the disk at the end, as a store is; `prepare` makes a store. All are done in one process with one thread;
before the first round each is done once with a small file. With `--cold` the file is not in the cache before each.
Seconds are those of the processor, user and system, and those of the clock. Parts are medians, least and largest of the
ratios of each round: of the plain read for `inspect`, of the plain read and write for `prepare`. The content hash of a
store is a SHA-256 of every value, so `prepare` needs at least the seconds of the plain read and write and of that hash
together: `prepare_part_of_bound`. With `--base ../base/src` another version does the same in turns, in its own process.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from prepare_time import RECIPE, ask, seconds, worker

CELLS = (181, 360)
TOGETHER = 16
"""Times in a chunk of the files, of a plain read, and of what is written at once."""

DIMS = ("time", "lat", "lon")
NAMES = {"t2m": "K", "sst": "degC"}
FILES = ("none.nc", "zlib.nc", "none.zarr", "zstd.zarr")
"""Compression and kind of each file."""

Seconds = dict[str, float]
"""Of the processor (``cpu``) and of the clock (``wall``)."""


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Measure what the command line asks for, and return the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=CELLS[0], help="rows of the grid")
    parser.add_argument("--files", nargs="+", choices=FILES, default=FILES, help="which of them")
    parser.add_argument("--cold", action="store_true", help="read from the disk, not from memory")
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; needs twice their size"
    )
    parser.add_argument("--base", type=Path, help="folder `src` of another version")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args(words)
    cells = (arguments.rows, 2 * (arguments.rows - 1))
    base = None if arguments.base is None else worker(arguments.base.resolve())
    report: dict[str, Any] = {
        "megabytes": round(megabytes(arguments.times, cells), 1),
        "rounds": arguments.rounds,
        "cold": arguments.cold,
        "files": {},
    }
    for file in arguments.files:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            small, folder = Path(name, "small"), Path(name, "whole")
            write_file(small, file, min(64, arguments.times), cells)
            one_round(small, file, base, cold=False)
            write_file(folder, file, arguments.times, cells)
            rounds = []
            for number in range(arguments.rounds):
                rounds.append(one_round(folder, file, base, cold=arguments.cold))
                print(f"{file}: round {number + 1} of {arguments.rounds}", file=sys.stderr)
            report["files"][file] = {
                "stored_megabytes": round(size(folder / file) / 1e6, 1),
                **{
                    kind: summary(rounds, kind, megabytes(arguments.times, cells))
                    for kind in ("cpu", "wall")
                },
            }
    if base is not None:
        base.communicate()
    print(json.dumps(report, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return report


def megabytes(times: int, cells: tuple[int, int]) -> float:
    """Return the size of the fields."""
    return len(NAMES) * times * cells[0] * cells[1] * 4 / 1e6


def write_file(folder: Path, file: str, times: int, cells: tuple[int, int]) -> None:
    """Write the fields to a file of a new folder, piece by piece, and a recipe for it."""
    import numpy as np
    import xarray as xr

    folder.mkdir()
    latitude = np.linspace(-90, 90, cells[0])
    moments = np.datetime64("2000-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h")
    coordinates = xr.Dataset(
        coords={
            "time": moments,
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(cells[1]) * 360 / cells[1], {"units": "degrees_east"}),
        },
    )
    random = np.random.default_rng(0)
    warmth = 300 - 50 * np.sin(np.deg2rad(latitude))[:, None] ** 2
    land = random.random(cells) < 0.3
    with empty_fields(folder / file, coordinates) as arrays:
        for first in range(0, times, TOGETHER):
            some = slice(first, min(first + TOGETHER, times))
            shape = (some.stop - first, *cells)
            noise = random.standard_normal(shape, dtype=np.float32).round(2)
            arrays["t2m"][some] = (warmth + noise).astype("f4")
            sea = np.where(land, np.nan, warmth - 273.15 + 0.3 * noise).clip(-1.8)
            arrays["sst"][some] = sea.astype("f4")
    day = moments.astype("datetime64[D]")
    cut = {"train": day[int(0.6 * times)], "valid": day[int(0.75 * times)]}
    recipe = RECIPE.format(path=folder / file, test=day[int(0.9 * times)], last=day[-2], **cut)
    (folder / f"{file}.yaml").write_text(recipe)


@contextmanager
def empty_fields(path: Path, coordinates: Any) -> Iterator[dict[str, Any]]:
    """Write a file with coordinates, and give its variables to be filled."""
    import netCDF4
    import zarr
    from numcodecs import Zstd

    shape = tuple(coordinates.sizes[name] for name in DIMS)
    chunks = (min(TOGETHER, shape[0]), *shape[1:])
    is_packed = not path.stem.startswith("none")
    arrays: dict[str, Any] = {}
    if path.suffix == ".nc":
        coordinates.to_netcdf(path)
        packing = {"zlib": True, "complevel": 1} if is_packed else {}
        with netCDF4.Dataset(path, "a") as opened:
            for name, units in NAMES.items():
                arrays[name] = opened.createVariable(
                    name, "f4", DIMS, fill_value=float("nan"), chunksizes=chunks, **packing
                )
                arrays[name].units = units
            yield arrays
        return
    coordinates.to_zarr(path, zarr_format=2, consolidated=False)
    group = zarr.open_group(path, mode="r+")
    for name, units in NAMES.items():
        arrays[name] = group.create_array(
            name,
            shape=shape,
            dtype="f4",
            chunks=chunks,
            compressors=(Zstd(1),) if is_packed else None,
            fill_value=float("nan"),
            attributes={"_ARRAY_DIMENSIONS": list(DIMS), "units": units},
        )
    yield arrays


def one_round(
    folder: Path, file: str, base: subprocess.Popen[str] | None, *, cold: bool
) -> dict[str, Seconds]:
    """Return the seconds of everything that is done with one file."""
    from triton_earth.cli import main as command

    store, copy = folder / "store", folder / "copy"
    inspect = ["inspect", str(folder / file), "--times", str(1 << 30)]  # all, however many
    prepare = ["prepare", str(folder / f"{file}.yaml"), "--out", str(store)]
    actions: dict[str, Callable[[], Seconds]] = {
        "read": lambda: timed(lambda: read(folder / file, None)),
        "inspect": lambda: seconds(command, inspect),
        "read_and_write": lambda: timed(lambda: read(folder / file, copy)),
        "prepare": lambda: seconds(command, prepare),
    }
    if base is not None:
        actions["inspect_base"] = lambda: ask(base, inspect)
        actions["prepare_base"] = lambda: ask(base, prepare)
    taken = {}
    for what, action in actions.items():
        if cold:
            drop_pages(folder / file)
        taken[what] = action()
        if copy.exists():
            count = copy.stat().st_size
            copy.unlink()
        if store.exists():
            shutil.rmtree(store)
    taken["hash"] = timed(lambda: hash_bytes(count))
    return taken


def timed(action: Callable[[], object]) -> Seconds:
    """Return the seconds that something takes."""
    started = time.process_time(), time.perf_counter()
    action()
    return {"cpu": time.process_time() - started[0], "wall": time.perf_counter() - started[1]}


def drop_pages(path: Path) -> None:
    """Have the system forget what it keeps in memory of a file or of all files of a folder."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())  # what is not on the disk yet cannot be dropped
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path, copy: Path | None) -> None:
    """Read all values with netCDF4 or zarr alone, and write their bytes to a file where there is one."""
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
        if copy is not None:
            os.fsync(out.fileno())
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


def summary(rounds: list[dict[str, Seconds]], kind: str, megabytes: float) -> dict[str, Any]:
    """Return MB a second of everything, and the parts of the plain loops that the commands reach."""
    taken = {what: [one[what][kind] for one in rounds] for what in rounds[0]}
    found: dict[str, Any] = {
        f"{what}_mb_per_second": round(megabytes / statistics.median(each), 1)
        for what, each in taken.items()
    }
    least = [a + b for a, b in zip(taken["read_and_write"], taken["hash"], strict=True)]
    for version in ("", "_base") if "inspect_base" in taken else ("",):
        for part, command, plain in (
            ("inspect_part", "inspect", taken["read"]),
            ("prepare_part", "prepare", taken["read_and_write"]),
            ("prepare_part_of_bound", "prepare", least),
        ):
            parts = [a / b for a, b in zip(plain, taken[command + version], strict=True)]
            found[part + version] = [round(f(parts), 3) for f in (statistics.median, min, max)]
    return found


if __name__ == "__main__":
    main()
