"""Sources behind somebody else's package: the Hugging Face Hub and the Copernicus Marine Service."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.data.sources.errors import first_line

HUB = "hf:"
COPERNICUS = "copernicusmarine:"


def local_copy(path: str) -> Path:
    """Return the local file of a path, fetching ``hf:OWNER/DATASET/FILE`` from the Hugging Face Hub.

    Raises:
        UserError: if there is no such file, or it cannot be fetched.
    """
    if not path.startswith(HUB):
        if not Path(path).is_file():
            raise UserError(
                f"{path}: there is no such file (from {Path.cwd()}). Correct data.path."
            )
        return Path(path)
    owner, _, rest = path.removeprefix(HUB).partition("/")
    dataset, _, file = rest.partition("/")
    if not file:
        raise UserError(f"{path}: expected hf:OWNER/DATASET/FILE.")
    hub = _package("huggingface_hub", path)
    try:
        return Path(
            hub.hf_hub_download(repo_id=f"{owner}/{dataset}", filename=file, repo_type="dataset")
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path}: cannot be fetched ({first_line(error)}). Check the name and the network, or download the file "
            "and give its path."
        ) from error


def open_copernicus(path: str, variables: list[str]) -> xr.Dataset:
    """Open a data set of the Copernicus Marine Service, ``copernicusmarine:DATASET_ID``, without reading its fields.

    Args:
        path: Its address.
        variables: Names in the data set that are wanted; all if there are none.

    Raises:
        UserError: if the package is missing, there is no network or no account, or there is no such data set.
    """
    service = _package("copernicusmarine", path)
    wanted: dict[str, Any] = {"variables": variables} if variables else {}
    try:
        return service.open_dataset(dataset_id=path.removeprefix(COPERNICUS), **wanted)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path}: cannot be opened ({first_line(error)}). It takes a network and a free account "
            "(`copernicusmarine login`); or download the data and give its path."
        ) from error


def _package(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"{path}: reading it needs the package {name}. Install it (pip install {name}), or download the data and "
            "give its path."
        ) from error
