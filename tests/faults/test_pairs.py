"""Two commands with one output: one winner, whole; the other is refused in one line that says who has it."""

import itertools
import random
import shutil
import time

import pytest

from tests.faults.conftest import MANY
from tests.faults.test_kills import SEED
from tests.faults.verbs import BENCH, VERBS, assert_alone, assert_same

WRITERS = [
    "prepare simulated", "prepare gridded", "train 1 step", "forecast", "evaluate stored", "compare", "export-forecast",
    "convert", "bench",
]  # fmt: skip
PAIRS = list(itertools.combinations_with_replacement(WRITERS, 2))
COMMANDS = {**VERBS, "bench": BENCH}
REFUSED = (
    "another process is writing it",
    "exists already",
    "is no ",
    "is in the way",
    "is an unfinished",
)


def one_wins(given, whole, folder, names, apart: float, option) -> None:
    """Run two commands with one output, the second some seconds after the first."""
    started = COMMANDS[names[0]].start(given, folder, *option[0])
    time.sleep(apart)
    started += COMMANDS[names[1]].start(given, folder, *option[1])
    first = [one.end() for one in started]
    for ended in first:
        assert not ended.hung, ended
        assert "Traceback" not in ended.err, ended
        assert ended.code in (0, 2), ended
    winners = [name for name, ended in zip(names, first, strict=True) if ended.code == 0]
    assert winners, first
    for ended in first:
        if ended.code == 2:
            (line,) = ended.err.splitlines()
            assert any(reason in line for reason in REFUSED), line
            if "another process" in line:
                assert "process " in line.split("(", 1)[1] or "has just begun" in line
    if len(winners) == 2:
        # One after the other: only where what the first made may be replaced, or is gone on with.
        assert option[1] or names[0] == names[1] == "bench", first
    assert_alone(folder, "out")
    if winners[-1] == "bench":
        assert (folder / "out" / "report" / "report.html").is_file()
    else:
        assert_same(folder / "out", whole.of(winners[-1])[0])


@pytest.mark.slow
@pytest.mark.skipif(not MANY, reason="many pairs")
@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
@pytest.mark.parametrize("how", ["together", "apart"])
def test_of_two_commands_with_one_output_one_wins(given, whole, place, names, how):
    chance = random.Random(f"{SEED} {names} {how}")
    apart = 0.0
    if how == "apart":
        usual = 4.0 if names[0] == "bench" else whole.of(names[0])[1].seconds
        apart = chance.uniform(0.05, 1.2) * usual
    one_wins(given, whole, place, names, apart, ([], []))


@pytest.mark.slow
@pytest.mark.skipif(not MANY, reason="many pairs")
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "bench"])
def test_an_overwriting_command_does_not_disturb_the_one_at_work(given, whole, place, name):
    chance = random.Random(f"{SEED} {name}")
    apart = chance.uniform(0.1, 0.9) * whole.of(name)[1].seconds
    one_wins(given, whole, place, (name, name), apart, ([], ["--overwrite"]))
    shutil.rmtree(place / "out")
    one_wins(given, whole, place, (name, name), apart, (["--overwrite"], ["--overwrite"]))


def test_of_two_forecasts_started_together_one_is_made(given, whole, place):
    one_wins(given, whole, place, ("forecast", "forecast"), 0.0, ([], []))
