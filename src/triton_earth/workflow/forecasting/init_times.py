"""Initial times as they are written on the command line: single ones, lists, ranges."""

import logging
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from triton_earth.core.errors import UserError
from triton_earth.core.time import describe_duration, describe_time
from triton_earth.data.store.training_store import TrainingStore

logger = logging.getLogger("triton_earth")

_UNITS = {"W": "W", "D": "D", "H": "h", "MIN": "m", "S": "s"}
_FORMS = "TIME, TIME,TIME,… or FIRST..LAST/STEP, with STEP as 5D, 6h or 30min, or a number without calendar"


def initial_times(texts: Iterable[str], store: TrainingStore, history: int) -> list[int]:
    """Return the indices of initial times in the store, the newest of the states that a model starts from.

    A range passes over times at which the store has no state, and that is said; a time by itself must be there.

    Args:
        texts: What the user wrote, each a time, times with commas between, or a range with both ends in it. Without a
            step a range takes every time of the store. A month stands for its only time.
        store: The training store.
        history: States that the model starts from.

    Raises:
        UserError: if a text has another form, or a time is not in the store with so many states up to it.
    """
    found: list[int] = []
    for text in texts:
        for part in text.split(","):
            times = _range(part, store) if ".." in part else [_parse_time(part, store.times)]
            if ".." in part:
                times = _with_a_state(times, part, store)
            indices = [store.find_time(time) for time in times]
            for time, index in zip(times, indices, strict=True):
                if index is None or index < history - 1:
                    raise UserError(
                        f"--init {time if len(times) > 1 else part}: not a time of {store.path} with {history} states "
                        f"up to it; its times are {describe_time(store.times[0])} to {describe_time(store.times[-1])} "
                        f"in steps of "
                        f"{describe_duration(store.time_step)}."
                    )
                if index not in found:
                    found.append(index)
    return found


def _range(text: str, store: TrainingStore) -> list[Any]:
    ends, _, step_text = text.partition("/")
    first, last = (_parse_time(end, store.times) for end in ends.split("..", 1))
    step = _step(step_text, store) if step_text else np.asarray(store.time_step)[()]
    if isinstance(first, np.datetime64):
        # A day as the last one means all of it.
        whole_day = np.datetime_data(last.dtype)[0] == "D"
        last = last.astype("datetime64[ns]")
        if whole_day:
            last += np.timedelta64(24 * 3600 * 10**9 - 1, "ns")
        first = first.astype("datetime64[ns]")
        count = int((last - first) // step) + 1
    else:
        count = int(np.floor((last - first) / step + 1e-6)) + 1
    if count < 1:
        raise UserError(f"--init {text}: the range ends before it begins; expected {_FORMS}.")
    return [first + number * step for number in range(count)]


def _with_a_state(times: list[Any], text: str, store: TrainingStore) -> list[Any]:
    """Return the times of a range that are in no gap of the record."""
    gaps = store.times[~store.recorded]
    step = np.asarray(store.time_step)
    kept = [time for time in times if not (np.abs((gaps - time) / step) < 1e-3).any()]
    missing = [time for time in times if time not in kept]
    if missing and kept:
        logger.warning(
            "--init %s: %s has no state at %d of these %d times, the first at %s; they are left out.",
            text,
            store.path,
            len(missing),
            len(times),
            describe_time(missing[0]),
        )
    return kept or times


def _step(text: str, store: TrainingStore) -> Any:
    calendar = np.issubdtype(store.times.dtype, np.datetime64)
    if not calendar:
        try:
            step = float(text)
        except ValueError:
            step = 0.0
        if step > 0:
            return step
        raise UserError(f"--init …/{text}: the store's times are numbers, and so is their step.")
    parts = re.fullmatch(r"(\d+)\s*([A-Za-z]+)", text)
    if parts is None or parts[2].upper() not in _UNITS or int(parts[1]) == 0:
        raise UserError(f"--init …/{text}: not a step; expected {_FORMS}.")
    unit: Any = _UNITS[parts[2].upper()]
    return np.timedelta64(int(parts[1]), unit)


def _parse_time(text: str, times: np.ndarray) -> Any:
    refusal = UserError(
        f"--init {text}: not a time; the store's times look like {describe_time(times[0])}. Expected {_FORMS}."
    )
    calendar = np.issubdtype(times.dtype, np.datetime64)
    try:
        time: Any = np.datetime64(text.strip()) if calendar else float(text)
    except ValueError as error:
        raise refusal from error
    # numpy and Python read "", "nat" and "nan" as times that are none.
    if np.isnat(time) if calendar else not np.isfinite(time):
        raise refusal
    return time
