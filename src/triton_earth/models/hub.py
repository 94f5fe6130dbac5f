"""Models on the Hugging Face Hub: ``hf:OWNER/NAME[@REVISION]``, fetched once and kept; nothing in them can run."""

import importlib
import logging
import re
import sys
from pathlib import Path
from types import ModuleType

from triton_earth.core.errors import UserError, first_line

logger = logging.getLogger("triton_earth")

HUB = "hf:"
ALLOWED = (".safetensors", ".json", ".md")
"""Kinds of files that a model may have: tensors and text."""
PASSED_OVER = (".gitattributes",)
SECONDS = 20.0
"""How long the Hub has to answer."""

_NAME = re.compile(r"hf:(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(@(?P<revision>[\w./-]+))?")


def parse_hub_name(name: str) -> tuple[str, str | None]:
    """Return repository and revision of ``hf:OWNER/NAME[@REVISION]``.

    Raises:
        UserError: if the name is not written so.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(f"{name}: expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION.")
    return f"{match['owner']}/{match['name']}", match["revision"]


def fetch_model(name: str) -> Path:
    """Return the local folder of a model on the Hub; it is fetched unless it was before.

    Without a connection the copy that was fetched last serves.

    Args:
        name: ``hf:OWNER/NAME[@REVISION]``.

    Raises:
        UserError: if there is no such model or revision, it holds other files than safetensors, JSON and Markdown, or
            there is neither a connection nor a copy.
    """
    repository, revision = parse_hub_name(name)
    hub = hub_package(name)
    errors = importlib.import_module("huggingface_hub.errors")
    unreachable = unreachable_errors()
    try:
        told = hub.HfApi().model_info(repository, revision=revision, timeout=SECONDS)
        files = [one.rfilename for one in told.siblings or ()]
    except errors.RevisionNotFoundError as error:
        raise UserError(
            f"{name}: the model has no revision '{revision}'; leave it out for the newest, or name another."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{name}: there is no such model on the Hub, or it is private. Correct the name, or log in (hf auth login)."
        ) from error
    except unreachable as error:
        return _kept(hub, name, repository, revision, first_line(error))
    require_tensors_and_text(files, name)
    try:
        return Path(
            hub.snapshot_download(
                repository, revision=revision, allow_patterns=[f"*{kind}" for kind in ALLOWED]
            )
        )
    except unreachable as error:
        return _kept(hub, name, repository, revision, first_line(error))


def unreachable_errors() -> tuple[type[BaseException], ...]:
    """Return the errors that mean that the Hub refuses or cannot be reached, for every client of the package."""
    errors = importlib.import_module("huggingface_hub.errors")
    clients = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
    own = [client.HTTPError for client in clients]
    return (OSError, RuntimeError, ValueError, errors.HfHubHTTPError, *own)


def require_tensors_and_text(files: list[str], name: str) -> None:
    """Refuse a model that holds files of other kinds, which could run or be mistaken for its own.

    Raises:
        UserError: naming one.
    """
    foreign = [file for file in files if not file.endswith(ALLOWED) and file not in PASSED_OVER]
    if foreign:
        raise UserError(
            f"{name}: holds '{foreign[0]}'; a model has safetensors, JSON and Markdown files alone. Nothing of it is "
            "used."
        )


def hub_package(name: str) -> ModuleType:
    """Return the package that talks to the Hub.

    Raises:
        UserError: if it is not installed.
    """
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UserError(
            f"{name}: needs the package huggingface_hub; install it with pip install 'triton-earth[hub]'."
        ) from error


def _kept(hub: ModuleType, name: str, repository: str, revision: str | None, reason: str) -> Path:
    """Return the copy that was fetched before.

    Raises:
        UserError: if there is none.
    """
    errors = importlib.import_module("huggingface_hub.errors")
    try:
        kept = Path(hub.snapshot_download(repository, revision=revision, local_files_only=True))
    except (errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        raise UserError(
            f"{name}: the Hub cannot be reached ({reason}), and no copy was fetched before. Connect once, or give a "
            "folder."
        ) from error
    require_tensors_and_text(
        [str(file.relative_to(kept)) for file in kept.rglob("*") if file.is_file()], name
    )
    logger.info("%s: the Hub cannot be reached; the copy that was fetched before is used", name)
    return kept
