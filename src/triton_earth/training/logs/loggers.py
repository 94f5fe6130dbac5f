"""Other places that the training log may go to besides its CSV files: TensorBoard, Weights & Biases, MLflow."""

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import write_text

PACKAGES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""Module that each logger needs; the extra of that name installs it."""


@runtime_checkable
class Logger(Protocol):
    """Where numbers go."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        ...

    def close(self) -> None:
        """Write the remaining values."""
        ...


def require_loggers(names: Sequence[str]) -> None:
    """Refuse loggers whose packages are not installed.

    Raises:
        UserError: saying how to install them.
    """
    for name in names:
        _module(name)


def open_loggers(names: Sequence[str], folder: Path, resume_after: int) -> list[Logger]:
    """Return the named loggers of a run; where they log to is up to their own environment variables.

    Args:
        names: Keys of `PACKAGES`.
        folder: The run folder, whose name is the run's name.
        resume_after: Step that the run goes on from; what was logged of later ones is replaced where that is possible.

    Raises:
        UserError: if a package is not installed.
    """
    kinds: dict[str, Callable[[Any, Path, int], Logger]] = {
        "tensorboard": TensorBoard,
        "wandb": WeightsAndBiases,
        "mlflow": MLflow,
    }
    return [kinds[name](_module(name), folder, resume_after) for name in names]


class TensorBoard:
    """Event files in the run folder: ``tensorboard --logdir RUN``."""

    def __init__(self, module: Any, folder: Path, resume_after: int) -> None:
        self._writer = module.SummaryWriter(
            str(folder / "tensorboard"), purge_step=resume_after + 1 if resume_after else None
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write the remaining values."""
        self._writer.close()


class WeightsAndBiases:
    """One run of Weights & Biases for each run folder, also after a resume."""

    def __init__(self, module: Any, folder: Path, resume_after: int) -> None:
        identity = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
        resume = "allow" if resume_after else None
        self._run = module.init(dir=str(folder), name=folder.name, id=identity, resume=resume)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Write the remaining values."""
        self._run.finish()


class MLflow:
    """One run of MLflow for each run folder, whose ``mlflow_run.txt`` holds its name there."""

    def __init__(self, module: Any, folder: Path, resume_after: int) -> None:
        self._mlflow = module
        note = folder / "mlflow_run.txt"
        known = note.read_text(encoding="utf-8") if resume_after and note.exists() else None
        run = module.start_run(run_id=known, run_name=None if known else folder.name)
        write_text(note, run.info.run_id)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        """Write the remaining values."""
        self._mlflow.end_run()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(PACKAGES[name])
    except ImportError as error:
        raise UserError(
            f"train.loggers: {name} is not installed. Install it with `pip install 'triton-earth[{name}]'`, or leave "
            "it out; log.csv is written always."
        ) from error
