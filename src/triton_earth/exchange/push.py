"""Publish a model on the Hugging Face Hub: weights as safetensors, descriptions as JSON, a card in Markdown."""

import tempfile
from pathlib import Path

from triton_earth.core.errors import UserError, first_line
from triton_earth.core.outputs.files import write_json, write_text
from triton_earth.core.processes.machine import require_fits
from triton_earth.exchange.card import LIBRARY, model_card
from triton_earth.models.checkpoint import (
    DESCRIPTION,
    WEIGHTS,
    forecaster_folder,
    load_forecaster,
    load_provenance,
)
from triton_earth.models.hub import HUB, hub_package, parse_hub_name, unreachable_errors


def push(
    model: str | Path,
    name: str,
    *,
    licence: str | None = None,
    scores: str | Path | None = None,
    private: bool = False,
    force: bool = False,
) -> str:
    """Publish a model on the Hugging Face Hub, with a card that is made of what is stored with it.

    Args:
        model: Run folder, forecaster, or name of a shipped model.
        name: ``hf:OWNER/NAME``, or ``OWNER/NAME``.
        licence: Identifier of its licence, such as ``apache-2.0``; a card says it.
        scores: Folder that `evaluate` wrote, whose scores the card quotes.
        private: Whether only its owner sees the model.
        force: Go on though memory or disk do not suffice.

    Returns:
        Name by which `load_forecaster` loads it, with its revision.

    Raises:
        UserError: if there is no licence, the model or scores cannot be read, memory or disk do not suffice, or the Hub
            refuses or cannot be reached.
    """
    full = name if name.startswith(HUB) else HUB + name
    repository, revision = parse_hub_name(full)
    if revision is not None:
        raise UserError(
            f"{name}: a new revision gets its name from the Hub; leave '@{revision}' out."
        )
    if not licence:
        raise UserError(
            "a model card says under which licence a model may be used; name it with --licence, as apache-2.0 or "
            "cc-by-4.0."
        )
    folder = forecaster_folder(model)
    if not force:
        size = float((folder / WEIGHTS).stat().st_size)
        require_fits(
            f"{name}: the copy that is sent",
            memory=2 * size,
            disk=size,
            path=Path(tempfile.gettempdir()) / WEIGHTS,
            advice="Make room, or name another folder for temporary files (TMPDIR).",
        )
    forecaster, provenance = load_forecaster(model), load_provenance(model)
    card = model_card(
        forecaster,
        provenance,
        name=repository,
        licence=licence,
        scores=None if scores is None else Path(scores),
    )
    hub = hub_package(full)
    with tempfile.TemporaryDirectory() as made:
        for file in (WEIGHTS, DESCRIPTION):
            (Path(made) / file).write_bytes((folder / file).read_bytes())
        write_json(
            Path(made) / "config.json",
            {
                "library_name": LIBRARY,
                "model_type": forecaster.name,
                "parameters": forecaster.parameter_count,
                "variables": forecaster.variables.names,
            },
        )
        write_text(Path(made) / "README.md", card)
        try:
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository, folder_path=made, commit_message="Model and card"
            )
        except unreachable_errors() as error:
            raise UserError(
                f"{full}: the Hub does not take the model ({first_line(error)}). Log in (hf auth login) as its owner, "
                "and check the connection."
            ) from error
    return f"{full}@{commit.oid}"
