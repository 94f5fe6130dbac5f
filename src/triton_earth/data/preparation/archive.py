"""Preparing a training store from an archive of simulated trajectories, such as the published turbulence data set."""

import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.core.outputs.files import require_apart
from triton_earth.core.variables import Variable, Variables
from triton_earth.data.preparation.fingerprints import fingerprints, without_folders
from triton_earth.data.preparation.trajectories import Splits, prepare_trajectories
from triton_earth.data.sources.errors import UnsoundDataError, first_line
from triton_earth.data.sources.hub import local_copy
from triton_earth.data.store.training_store import TrainingStore, create_store
from triton_earth.data.store.writer import Compression


class ArchiveData(StrictConfig):
    """A training store of trajectories that somebody else has simulated on a doubly periodic box.

    Attributes:
        kind: Tag by which a recipe says that its data is of this class.
        path: A ``.pt`` file (read without running code) or ``.npy`` file with [trajectory, time, y, x], or
            ``hf:OWNER/DATASET/FILE`` for one on the Hugging Face Hub.
        key: Name of the array in a ``.pt`` file.
        variable: What the array is.
        units: Its units.
        long_name: In words.
        start: Model time of the first snapshot.
        interval: Model time between snapshots.
        length: Side of the box.
        splits: Trajectories in each split, in the order of the file.
        batch_size: Trajectories that are read together.
        compression: How the store's fields are packed, ``none`` or ``lz4``.
    """

    kind: Literal["trajectories"]
    path: str
    key: str = "vorticity"
    variable: str = "vorticity"
    units: str = "s-1"
    long_name: str = "relative vorticity"
    start: float = 0.0
    interval: float = Field(gt=0)
    length: float = Field(default=2 * np.pi, gt=0)
    splits: Splits
    batch_size: int = Field(default=16, ge=1)
    compression: Compression = "none"


def prepare_archive(
    data: ArchiveData,
    out: Path,
    provenance: dict[str, Any],
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> TrainingStore:
    """Write the trajectories of an archive as a training store.

    Args:
        data: What to take from where.
        out: New training store.
        provenance: How it is made; plain values.
        resume: Go on with an unfinished store.
        overwrite: Replace an existing one.

    Returns:
        The finished store.

    Raises:
        UserError: if the file is no such archive, has fewer trajectories than the splits need, or holds values that are
            not finite; if `out` exists and neither option allows it, or holds the file.
    """
    path = local_copy(data.path)
    require_apart(out, [path])
    array = _open(path, data)
    splits = data.splits.names()
    _, times, ny, nx = array.shape
    files = without_folders(fingerprints([str(path)]))
    wanted = {**data.model_dump(mode="json"), "files": files}

    def create(partial: Path) -> None:
        create_store(
            partial,
            variables=Variables((Variable(data.variable, data.units, data.long_name),)),
            grid=PeriodicGrid(ny, nx, data.length, data.length),
            times=data.start + data.interval * np.arange(times),
            splits=splits,
            provenance={**provenance, "data": wanted, "files": files},
            compression=data.compression,
        )

    def trajectories(numbers: list[int]) -> np.ndarray:
        fields = np.asarray(array[numbers[0] : numbers[-1] + 1], dtype=np.float32)
        wrong = np.argwhere(~np.isfinite(fields))
        if wrong.size:
            number, time, y, x = (int(index) for index in wrong[0])
            raise UnsoundDataError(
                f"{path}: trajectory {numbers[0] + number} is not finite at time {time}, cell ({y}, {x}). "
                "Repair the file, or fetch it again."
            )
        return fields[:, :, None]

    return prepare_trajectories(
        out,
        wanted,
        count=len(splits),
        batch_size=data.batch_size,
        create=create,
        trajectories=trajectories,
        resume=resume,
        overwrite=overwrite,
    )


def archive_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays in a ``.pt`` or ``.npy`` file, read from disk as they are used; no code in it is run.

    Returns:
        Torch tensors or numpy arrays, or whatever else is there, by name; a single array without name has none.

    Raises:
        UserError: if the file is of another format, is damaged, or holds code.
    """
    if path.suffix not in (".pt", ".npy"):
        raise UserError(f"{path}: expected a file that ends in .pt or .npy. Correct data.path.")
    try:
        if path.suffix == ".npy":
            return {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path}: cannot be read as an archive of tensors ({first_line(error)}). It is damaged, or holds "
            "code, which is not run; fetch it again."
        ) from error
    if isinstance(content, dict):
        return {str(name): array for name, array in content.items()}
    return {"": content}


def _open(path: Path, data: ArchiveData) -> Any:
    """Return the array, a torch tensor or numpy array that is read from disk as it is used."""
    arrays = archive_arrays(path)
    if "" not in arrays and data.key not in arrays:
        raise UserError(
            f"{path}: there is no '{data.key}'; found {sorted(arrays)}. Correct data.key."
        )
    array = arrays[data.key] if data.key in arrays else arrays[""]
    if not isinstance(array, torch.Tensor | np.ndarray) or array.ndim != 4:
        found = getattr(array, "shape", type(array).__name__)
        raise UserError(
            f"{path}: expected an array [trajectory, time, y, x], found {found}. Correct data.key."
        )
    if array.shape[1] < 2:
        raise UserError(f"{path}: expected at least two times; found {array.shape[1]}.")
    if len(data.splits.names()) > array.shape[0]:
        raise UserError(
            f"{path}: data.splits need {len(data.splits.names())} trajectories, but the file has "
            f"{array.shape[0]}. Take fewer."
        )
    return array
