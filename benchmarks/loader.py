"""How fast training batches come: from the training store, beside a raw read of the same bytes and a file per sample.

    python benchmarks/loader.py --json loader.json

Random windows of two states are read from stores of smooth random fields (default: 256 x 256 cells, 4 variables), one
not compressed and one with LZ4. "store" is what training does, with 1, 2 and 4 workers, and "first" the same where no
time has been held against its checksum yet, as in the first epoch; "raw" reads the stored bytes of the same windows
with one system call each, in the same order and with as many threads, and does nothing with them; "zarr" reads the
windows through Zarr's own reader; "memory" is the store kept in memory; "netcdf" opens a NetCDF file for each sample,
as the original system does. "warm" has all files in the system's page cache; for "cold" they are dropped from it before
each reading (posix_fadvise, Linux). All ways take turns in each round; speeds are medians over the rounds, and "of_raw"
is the median of the ratios to the raw read of the same round.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import netCDF4
import numpy as np
import zarr

from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.dataset import ForecastDataset
from triton_earth.data.store.training_store import (
    TrainingStore,
    create_store,
    finish_store,
    write_trajectory,
)
from triton_earth.data.store.writer import CODECS, Compression
from triton_earth.data.windows import Windows, batch_indices

WINDOW = 2
VARIABLES = tuple(Variable(f"field_{number}", "1", f"field {number}") for number in range(4))


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=256)
    parser.add_argument("--trajectories", type=int, default=8)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the files go; the disk that is measured")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for compression in CODECS:
            shape = (arguments.cells, arguments.trajectories, arguments.times)
            store = random_store(folder / f"{compression}.zarr", *shape, compression)
            if not results:
                write_netcdf(store, folder / "netcdf")
            size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
            for row in compare(store, folder, arguments.batch, arguments.rounds):
                results.append({"compression": compression, "megabytes": round(size / 1e6), **row})
                print(results[-1], flush=True)
    if arguments.json:
        settings = {key: str(value) for key, value in vars(arguments).items() if key != "json"}
        arguments.json.write_text(
            json.dumps({"settings": settings, "results": results}, indent=1) + "\n"
        )


def random_store(
    path: Path, cells: int, trajectories: int, times: int, compression: Compression
) -> TrainingStore:
    """Write a store of smooth random fields with a power spectrum of k^-6, as compressible as a real flow."""
    wave = np.hypot(np.fft.fftfreq(cells, 1 / cells)[:, None], np.fft.rfftfreq(cells, 1 / cells))
    random = np.random.default_rng(0)
    create_store(
        path,
        variables=Variables(VARIABLES),
        grid=PeriodicGrid(cells, cells),
        times=0.1 * np.arange(times),
        splits=["train"] * trajectories,
        provenance={"source": "random fields"},
        compression=compression,
    )
    hashes = []
    for number in range(trajectories):
        noise = random.standard_normal((times, len(VARIABLES), cells, cells), dtype=np.float32)
        fields = np.fft.irfft2(np.fft.rfft2(noise) / (1 + wave**3)).astype(np.float32)
        hashes.append(write_trajectory(path, number, fields))
    finish_store(path, hashes)
    return TrainingStore.open(path)


def write_netcdf(store: TrainingStore, folder: Path) -> None:
    """Write one NetCDF file for each trajectory, as the original system has one for each year."""
    folder.mkdir()
    for trajectory in store.trajectories.tolist():
        fields = store.read(trajectory, slice(None))
        with netCDF4.Dataset(folder / f"{trajectory}.nc", "w") as file:
            for name, size in zip(("time", "channel", "y", "x"), fields.shape, strict=True):
                file.createDimension(name, size)
            file.createVariable("fields", "f4", ("time", "channel", "y", "x"))[:] = fields


def compare(store: TrainingStore, folder: Path, batch: int, rounds: int) -> list[dict]:
    """Return the speed of each way, warm and cold."""
    windows = Windows(store.segments("train"), WINDOW)
    from_disk = ForecastDataset(store, windows, 1, memory_gb=0)
    cached = ForecastDataset(store, windows, 1, memory_gb=1e3)
    steps = len(windows) // batch
    order = [batch_indices(len(windows), batch, 0, step) for step in range(steps)]
    files = [path for path in folder.rglob("*") if path.is_file()]

    def batches(data: ForecastDataset, workers: int) -> Callable[[], None]:
        def read() -> None:
            for _ in data.batches(order, workers=workers):
                pass

        return read

    def unchecked(workers: int) -> Callable[[], None]:
        def read() -> None:
            again = TrainingStore.open(store.path)
            for _ in ForecastDataset(again, windows, 1, memory_gb=0).batches(
                order, workers=workers
            ):
                pass

        return read

    def each(read_one: Callable[[int, int], object], workers: int) -> Callable[[], None]:
        def read() -> None:
            with ThreadPoolExecutor(workers) as pool:
                chosen = [windows[int(index)] for indices in order for index in indices]
                for _ in pool.map(lambda which: read_one(*which), chosen):
                    pass

        return read

    megabytes = 4 * WINDOW * len(VARIABLES) * math.prod(store.grid.shape) / 1e6
    raw = raw_reader(store)
    array = zarr.open_array(store.path, path="state", mode="r")
    ways = {
        **{("store", count): batches(from_disk, count) for count in (1, 2, 4)},
        ("first", 2): unchecked(2),
        **{("raw", count): each(raw, count) for count in (1, 2)},
        ("zarr", 2): each(lambda number, start: array[number, start : start + WINDOW], 2),
        ("netcdf", 1): each(lambda number, start: read_netcdf(folder / "netcdf", number, start), 1),
        ("memory", 1): batches(cached, 1),
    }
    results = []
    for state in ("warm", "cold"):
        taking_part = {
            key: read for key, read in ways.items() if (key[0], state) != ("memory", "cold")
        }
        for read in taking_part.values():
            read()  # fills the caches, the checksums that were seen, and the memory
        speeds: dict[tuple[str, int], list[float]] = {key: [] for key in taking_part}
        for _ in range(rounds):
            for key, read in taking_part.items():
                if state == "cold":
                    drop(files)
                started = time.monotonic()
                read()
                speeds[key].append(steps * batch / (time.monotonic() - started))
        for (way, workers), found in speeds.items():
            samples = float(np.median(found))
            ratios = np.array(found) / np.array(speeds["raw", min(workers, 2)])
            results.append(
                {
                    "way": way,
                    "workers": workers,
                    "state": state,
                    "samples_per_second": round(samples, 1),
                    "megabytes_per_second": round(samples * megabytes, 1),
                    "of_raw": round(float(np.median(ratios)), 3),
                }
            )
    return results


def raw_reader(store: TrainingStore) -> Callable[[int, int], object]:
    """Return what reads the stored bytes of a window and nothing else."""
    in_file = len(store.times)
    ranges = {}
    for number in store.trajectories.tolist():
        path = store.path / "state" / "c" / str(number) / "0" / "0" / "0" / "0"
        index = np.frombuffer(path.read_bytes()[-16 * in_file - 4 : -4], "<u8").reshape(-1, 2)
        ranges[number] = (path, index.astype(int))

    def read(number: int, start: int) -> bytes:
        path, index = ranges[number]
        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = int(index[start : start + WINDOW, 1].sum())
            return os.pread(descriptor, size, int(index[start, 0]))
        finally:
            os.close(descriptor)

    return read


def read_netcdf(folder: Path, number: int, start: int) -> np.ndarray:
    """Open a file, read one sample and close it."""
    with netCDF4.Dataset(folder / f"{number}.nc") as file:
        return np.asarray(file["fields"][start : start + WINDOW])


def drop(files: list[Path]) -> None:
    """Drop files from the system's page cache."""
    for path in files:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
