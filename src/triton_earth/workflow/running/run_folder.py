"""The run folder: making it, going on with it, and what is refused because it belongs to another run."""

import logging
from pathlib import Path
from typing import Any

from triton_earth.core.config import read_yaml, to_yaml
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import (
    MARK,
    Kind,
    begin_folder,
    come_back,
    hidden_path,
    is_begun,
    own_path,
    read_mark,
    replace,
    replaced_by,
    require_ours,
    which,
)
from triton_earth.core.outputs.files import (
    partial_path,
    read_json,
    remove,
    remove_leftovers,
    write_bytes,
    write_json,
    write_text,
    writing,
)
from triton_earth.core.outputs.renames import exchange
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.training.checkpoint import NAME, PREVIOUS, saved_step
from triton_earth.training.config import TrainConfig
from triton_earth.workflow.recipes.recipe import Recipe

logger = logging.getLogger("triton_earth")

CONFIG, STORE, START = "config.yaml", "store.json", "start.safetensors"
FORECASTER, LAST, REPORT = "forecaster", "forecaster_last", "report.html"
REPLACED = "replaced"
"""What a run replaces, kept within its folder until it has a forecaster of its own."""

RUN = Kind("run folder", (STORE, f"{REPLACED}/{STORE}"), "content_hash")
"""What `train` makes."""

STABILIZERS = "forecast.stabilizers"
"""Key that a resumed run may change unless its training or its mean correction runs with them."""

OPERATIONAL = (
    "title",
    "data",
    "forecast",
    "train.accumulate",
    "train.loader_workers",
    "train.memory_gb",
    "train.loggers",
    "train.report",
    "train.device",
)
"""Keys, with all below them, that a resumed run may change: the bits do not depend on them, or something else is asked
(the content of the store, the number of parts of a batch)."""


def run_path(out: Path, *, resume: bool, overwrite: bool) -> Path:
    """Return the folder of a run: what `out` links to where it is gone on with.

    Raises:
        UserError: if it is no name for an output, or a link that would be replaced; if both options are given.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other; give one of them.")
    return own_path(out, resume=resume)


def settle_run(out: Path) -> None:
    """Bring what a killed process left of a run folder into order; the folder must be claimed.

    A run that is replaced goes into the new one's folder, and comes back out of it, by an exchange of names; the mark
    of the folder tells which of the two was under way.
    """
    with writing(out):
        come_back(out)
        for failed in (partial_path(out), hidden_path(out)):
            if out.exists() and is_begun(failed) and read_mark(failed).get("fails"):
                remove(failed)
        if not out.is_dir() or not (out / MARK).is_file():
            return
        if read_mark(out).get("fails"):
            _bring_back(out)
            return
        for old in replaced_by(out):
            old.rename(out / REPLACED)
        remove(out / MARK)


def goes_on(
    out: Path, recipe: Recipe, store: TrainingStore, *, resume: bool, overwrite: bool
) -> bool:
    """Return whether there is a run to go on with, or refuse to touch what is there.

    A run that was killed before it had a recipe is none: it starts afresh. The folder must be claimed.

    Raises:
        UserError: if something is there that no option allows to replace or go on with.
    """
    partial = partial_path(out)
    with writing(out):
        require_ours(partial)
    if out.exists() and not out.is_dir() and not overwrite:
        raise UserError(f"{out} is a file, no run folder. Choose another folder.")
    if out.exists() and overwrite and not RUN.owns(out):
        raise UserError(
            f"{out} is no run folder, and --overwrite replaces nothing else. Remove it yourself, or choose another "
            "folder."
        )
    if not out.exists() or overwrite:
        return False
    if not resume:
        raise UserError(
            f"{out} exists already. Choose another folder, or add --resume to go on with its run "
            "or --overwrite to replace it."
        )
    if is_begun(partial) and read_mark(partial).get("kind") == RUN.name:
        return False  # a process that was to replace the run there was killed before it could
    for path in out.iterdir():
        if path.is_symlink():
            raise UserError(
                f"{path} is a link, and nothing is written through links. Replace the link by its target, or choose "
                "another folder."
            )
    if not (out / CONFIG).is_file():
        _require_barely_begun(out)
        return False
    saved = Recipe.parse(read_yaml(out / CONFIG), str(out / CONFIG))
    _require_same(out, saved, recipe)
    told = read_json(out / STORE, "run folder")
    if not isinstance(told, dict) or "content_hash" not in told:
        raise UserError(
            f"{out / STORE} is damaged: it does not say which training store the run was started with. Start again "
            "with --overwrite."
        )
    if told["content_hash"] != store.content_hash:
        raise UserError(
            f"{out}: the run there was started with another training store than {store.path}. "
            "Repeat its own command with --resume, or choose another folder."
        )
    return True


def claim_run(
    out: Path, recipe: Recipe, store: TrainingStore, start: bytes, *, overwrite: bool
) -> None:
    """Make the run folder, or get the one that is there ready to go on; `goes_on` must have agreed.

    Args:
        out: The run folder.
        recipe: Its recipe; written last, so that a folder without it is one that nothing was done in.
        store: Its training store.
        start: What training starts from.
        overwrite: Replace what is there.
    """
    if overwrite or not out.exists() or is_begun(partial_path(out)):
        _make_way(out)
    remove_leftovers(out, below=False)
    write_json(out / STORE, {"path": str(store.path), "content_hash": store.content_hash})
    write_bytes(out / START, start)
    write_text(out / CONFIG, to_yaml(recipe))


def put_back(out: Path) -> None:
    """Remove a run that failed before it had a forecaster, if it was to replace something."""
    if (out / REPLACED).exists():
        with writing(out):
            write_json(out / MARK, {"kind": RUN.name, "fails": True})
            _bring_back(out)
        logger.warning("%s: what was there before is back.", out)


def require_not_of_a_run(out: Path) -> None:
    """Refuse an output that would take the place of a file that a run has, or will have.

    Raises:
        UserError: naming the run folder.
    """
    own = {CONFIG, STORE, START, FORECASTER, LAST, REPORT, REPLACED, MARK, NAME, PREVIOUS}
    folder = out.absolute().parent
    if RUN.owns(folder) and any(folder.iterdir()) and (out.name in own or out.suffix == ".csv"):
        raise UserError(
            f"{out}: a run of `triton-earth train` has a file of this name in {folder}. Choose another path."
        )


def _bring_back(out: Path) -> None:
    """Exchange a failed run, whose mark says so, with what it was to replace."""
    partial = partial_path(out)
    if (out / REPLACED).exists():
        (out / REPLACED).rename(partial)
    if partial.exists() and not exchange(partial, out):
        out.rename(hidden_path(out))
        partial.rename(out)
        remove(hidden_path(out))
    else:
        remove(partial)


def _require_barely_begun(out: Path) -> None:
    """Refuse a folder without a recipe that holds more than a run writes before it."""
    early = {STORE, START, REPLACED, MARK}
    others = [
        path.name for path in out.iterdir() if path.name not in early and path.suffix != ".tmp"
    ]
    if others:
        raise UserError(
            f"{out}: there is no run to go on with (no {CONFIG}, but {sorted(others)[0]}). Choose another folder."
        )


def _require_same(out: Path, saved: Recipe, recipe: Recipe) -> None:
    """Refuse to go on with a run of another recipe; keys that a newer version added count as their defaults."""
    theirs, ours = (_flat(each.model_dump(mode="json")) for each in (saved, recipe))
    stabilized = saved.train.stabilized or saved.train.mean_correction is not None
    differing = [
        key
        for key in {**theirs, **ours}
        if theirs.get(key) != ours.get(key)
        and (not _is_below(key, OPERATIONAL) or (stabilized and _is_below(key, (STABILIZERS,))))
    ]
    hint = ""
    if "train.steps" in differing:
        if _on_plateau(out, saved.train, recipe.train):
            differing.remove("train.steps")
        else:
            hint = (
                " (steps can change while train.schedule=trapezoid is before its fall only; later, start a new run "
                f"with train.init_from={out})"
            )
    if differing:
        listed = ", ".join(
            f"{key} is {theirs.get(key, 'not there')}, here {ours.get(key, 'not there')}"
            for key in differing
        )
        raise UserError(
            f"{out}: the run there was started with another recipe or other overrides than this command's: {listed}"
            f"{hint}. Repeat its own command with --resume, or choose another folder."
        )


def _is_below(key: str, above: tuple[str, ...]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in above)


def _on_plateau(out: Path, before: TrainConfig, after: TrainConfig) -> bool:
    """Return whether the learning rate was the same up to now for both numbers of steps."""
    if "cosine" in (before.schedule, after.schedule):
        return False
    return saved_step(out) <= min(config.steps - config.fall for config in (before, after))


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested values by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[above + key] = value
    return flat


def _make_way(out: Path) -> None:
    """Make an empty run folder; what it replaces is kept within."""
    replaced, partial = out / REPLACED, partial_path(out)
    with writing(out):
        if replaced.exists():
            # An unfinished run that was to replace another is worth less than that.
            for path in out.iterdir():
                if path != replaced:
                    remove(path)
            return
        begin_folder(partial, {"kind": RUN.name})
        replace(partial, out, which(out) if out.exists() else None)
        settle_run(out)
