"""The training log: CSV files that a resumed run continues as if it had never been interrupted."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from triton_earth.core.errors import UserError
from triton_earth.core.files import write_text

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "gradient_norm",
    "validation_mse",
    "persistence_mse",
    "samples_per_second",
)


class TrainingLog:
    """A CSV file that survives a crash: a resumed run drops the rows after its checkpoint and goes on."""

    def __init__(self, path: Path, resume_after: int, columns: Sequence[str] = COLUMNS) -> None:
        """Open the log, keeping the rows up to step `resume_after`."""
        self.path = path
        rows = []
        if resume_after and path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                whole = [row for row in csv.DictReader(stream) if None not in row.values()]
            rows = [row for row in whole if int(row["step"]) <= resume_after]
        kept = io.StringIO(newline="")
        writer = csv.DictWriter(kept, columns)
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, kept.getvalue())
        self._stream = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._stream, columns, restval="")

    def write(self, **values: int | float | str) -> None:
        """Append one row; columns that are not given stay empty.

        Raises:
            UserError: if the disk is full.
        """
        try:
            self._writer.writerow(values)
            self._stream.flush()
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error.strerror or error}). What was saved is whole: make room, then "
                "repeat the command with --resume."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class RunLog:
    """The logs of a run folder.

    ``log.csv`` has a row for each logged step; ``losses.csv`` the loss by lead and variable at these steps;
    ``validation.csv`` the scores of validation forecasts by lead and variable, if there are such forecasts.
    """

    def __init__(
        self, folder: Path, resume_after: int, scores: Sequence[str], *, writes: bool = True
    ) -> None:
        """Open the logs.

        Args:
            folder: The run folder.
            resume_after: Rows of later steps are dropped.
            scores: Columns of ``log.csv`` for scores of validation forecasts.
            writes: False for all but one of several processes: nothing is written.
        """
        self._logs: dict[str, TrainingLog] = {}
        if not writes:
            return
        columns = {
            "log": (*COLUMNS[:-1], *scores, COLUMNS[-1]),
            "losses": ("step", "lead", "variable", "loss"),
        }
        if scores:
            columns["validation"] = ("step", "lead", "variable", "rmse", "persistence_rmse")
        for name, names in columns.items():
            self._logs[name] = TrainingLog(folder / f"{name}.csv", resume_after, names)

    def write(self, name: str, **values: int | float | str) -> None:
        """Append one row to a log."""
        if name in self._logs:
            self._logs[name].write(**values)

    def close(self) -> None:
        """Close all files."""
        for log in self._logs.values():
            log.close()
