"""The training log: one CSV row per logged step."""

import csv
import io
from pathlib import Path

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

    def __init__(self, path: Path, resume_after: int) -> None:
        """Open the log, keeping the rows up to step `resume_after`."""
        rows = []
        if resume_after and path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                whole = [row for row in csv.DictReader(stream) if None not in row.values()]
            rows = [row for row in whole if int(row["step"]) <= resume_after]
        kept = io.StringIO(newline="")
        writer = csv.DictWriter(kept, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, kept.getvalue())
        self._stream = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._stream, COLUMNS, restval="")

    def write(self, **values: int | float) -> None:
        """Append one row; columns that are not given stay empty."""
        self._writer.writerow(values)
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
