"""The training log: CSV files that a resumed run continues as if it had never been interrupted."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError, first_line
from triton_earth.core.outputs.files import write_text
from triton_earth.training.logs.loggers import Logger, open_loggers

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

VALIDATED = ("rmse", "persistence_rmse", "log_variance_ratio", "log_small_scale_ratio")
"""What is scored of validation forecasts by lead and variable."""


class TrainingLog:
    """A CSV file that survives a crash: a resumed run drops the rows after its checkpoint and goes on."""

    def __init__(self, path: Path, resume_after: int, columns: Sequence[str] = COLUMNS) -> None:
        """Open the log, keeping the rows up to step `resume_after`."""
        self.path = path
        rows = []
        if resume_after and path.exists():
            rows = _rows_until(path, resume_after, columns)
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

    def sync(self) -> None:
        """Have all rows on the disk before anything that is done later."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class RunLog:
    """The logs of a run folder.

    ``log.csv`` has a row for each logged step; ``losses.csv`` the loss by lead and variable at these steps;
    ``validation.csv`` the scores of validation forecasts by lead and variable, if there are such forecasts.
    """

    def __init__(
        self,
        folder: Path,
        resume_after: int,
        scores: Sequence[str],
        *,
        writes: bool = True,
        loggers: Sequence[str] = (),
    ) -> None:
        """Open the logs.

        Args:
            folder: The run folder.
            resume_after: Rows of later steps are dropped.
            scores: Columns of ``log.csv`` for scores of validation forecasts.
            writes: False for all but one of several processes: nothing is written.
            loggers: Where the rows of ``log.csv`` go too, by name.
        """
        self._logs: dict[str, TrainingLog] = {}
        self._loggers: list[Logger] = []
        if not writes:
            return
        self._loggers = open_loggers(loggers, folder, resume_after)
        columns = {
            "log": (*COLUMNS[:-1], *scores, COLUMNS[-1]),
            "losses": ("step", "lead", "variable", "loss"),
        }
        if any(name.startswith("rollout") for name in scores):
            columns["validation"] = ("step", "lead", "variable", *VALIDATED)
        try:
            for name, names in columns.items():
                self._logs[name] = TrainingLog(folder / f"{name}.csv", resume_after, names)
        except UserError:
            self.close()
            raise

    def write(self, name: str, **values: int | float | str) -> None:
        """Append one row to a log."""
        if name in self._logs:
            self._logs[name].write(**values)
        if name == "log":
            numbers = {key: float(value) for key, value in values.items() if key != "step"}
            for logger in self._loggers:
                logger.write(int(values["step"]), numbers)

    def sync(self) -> None:
        """Have all rows on the disk before anything that is done later."""
        for log in self._logs.values():
            log.sync()

    def close(self) -> None:
        """Close all files."""
        for log in self._logs.values():
            log.close()
        for logger in self._loggers:
            logger.close()


def _rows_until(path: Path, step: int, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the whole rows of a log up to a step.

    Raises:
        UserError: if they are not what a log has.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            whole = [row for row in table if None not in row.values()]
        if not set(table.fieldnames or ()) <= set(columns):
            raise ValueError("its columns are others")
        rows = [row for row in whole if int(row["step"]) <= step]
        for row in rows:
            for name, text in row.items():
                if name != "variable" and text:
                    float(text)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path} cannot be gone on with ({first_line(error)}): the log is damaged. Repair it, or remove it to go "
            "on without its earlier rows."
        ) from error
    return rows


def read_log(folder: Path) -> xr.Dataset:
    """Return the columns of ``log.csv`` of a run folder as (step,), NaN where a step has no value."""
    log = _read_table(folder / "log.csv")
    steps = np.array(log.pop("step"), dtype=np.int64)
    del log["epoch"]
    return xr.Dataset(
        {name: ("step", np.array(values, dtype=np.float64)) for name, values in log.items()},
        coords={"step": steps},
    )


def read_logs(folder: Path) -> xr.Dataset:
    """Return the logs of a run folder, NaN where a step has no value.

    To what `read_log` gives come, of ``losses.csv``, `lead_loss` (step, lead, variable); of ``validation.csv`` `rmse`,
    `persistence_rmse`, `log_variance_ratio` and `log_small_scale_ratio` (validated_step, validation_lead, variable), as
    far as they are there.
    """
    logs = read_log(folder)
    logs["lead_loss"] = _cube(folder / "losses.csv", "loss", ("step", "lead"))
    validation = folder / "validation.csv"
    table = _read_table(validation) if validation.exists() else {}
    if table.get("step"):
        for name in set(table) & set(VALIDATED):
            logs[name] = _cube(validation, name, ("validated_step", "validation_lead"))
    return logs


def _read_table(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    return {name: [row[column] or "nan" for row in rows[1:]] for column, name in enumerate(rows[0])}


def _cube(path: Path, value: str, dimensions: tuple[str, str]) -> xr.DataArray:
    """Return a column of a table of step, lead and variable as an array of the three."""
    table = _read_table(path)
    steps, leads = (list(dict.fromkeys(map(int, table[key]))) for key in ("step", "lead"))
    leads.sort()
    variables = list(dict.fromkeys(table["variable"]))
    cube = np.full((len(steps), len(leads), len(variables)), np.nan)
    for step, lead, variable, number in zip(
        table["step"], table["lead"], table["variable"], table[value], strict=True
    ):
        where = steps.index(int(step)), leads.index(int(lead)), variables.index(variable)
        cube[where] = float(number)
    coordinates = dict(zip((*dimensions, "variable"), (steps, leads, variables), strict=True))
    return xr.DataArray(cube, coords=coordinates, dims=(*dimensions, "variable"))
