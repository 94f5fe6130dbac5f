"""Killed at a random moment, gone on with: the same files with the same bits.

`FAULTS_SEED` and `FAULTS_KILLS` choose other moments and more of them; `make faults` makes 100 kills.
"""

import os
import random

import pytest

from tests.faults.commands import Commands
from tests.faults.conftest import KILLS
from tests.faults.verbs import VERBS, Verb, assert_alone, assert_same, copy

SEED = int(os.environ.get("FAULTS_SEED", "0"))
NAMES = list(VERBS)
QUICK = "prepare gridded", "forecast"

USER, LOST = 2, 76


def killed_once(
    given: Commands, verb: Verb, folder, options, moments: random.Random, operations, seconds
) -> bool:
    """Run a command and kill it before a random operation or after a random time; return whether it died."""
    if moments.random() < 0.5:
        how = {"moment": moments.randint(1, operations)}
    else:
        how = {"kill_after": moments.uniform(0.02, 1) * seconds}
    ended = verb.run(given, folder, *options, how=how)
    for one in ended:
        assert (one.hung, one.left) == (False, False), one
        assert "Traceback" not in one.err
    # Who trained together with the killed process ends too.
    assert all(one.killed or one.code in (0, LOST) for one in ended), ended
    return ended[0].killed


def how_to_go_on(verb: Verb, folder) -> list[str]:
    """Options of the command that goes on with what is there."""
    out, partial = folder / "out", folder / "out.partial"
    if verb.resumes:
        return ["--resume"] if out.exists() or partial.exists() else []
    return ["--overwrite"] if out.exists() else []


def lose_nothing(given, whole, folder, name: str, moments: random.Random) -> None:
    verb = VERBS[name]
    undisturbed, ended = whole.of(name)
    options = []
    if moments.random() < 0.3:
        copy(undisturbed, folder / "out")
        options = ["--overwrite"]
    wanted = moments.randint(1, 3)
    for number in range(wanted):
        part = 1.0
        while not killed_once(
            given, verb, folder, options, moments,
            max(1, int(part * ended.operations)), part * ended.seconds,
        ):  # fmt: skip
            if number:
                break
            # It was quicker than the undisturbed one: from the beginning, and sooner.
            part /= 2
            options = ["--overwrite"]
        options = how_to_go_on(verb, folder)
    for one in verb.run(given, folder, *options):
        assert one.code == 0, (name, options, one)
    assert_same(folder / "out", undisturbed)
    assert_alone(folder, "out")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_kills_lose_nothing(given, whole, place, number):
    lose_nothing(
        given, whole, place, NAMES[number % len(NAMES)], random.Random(1000 * SEED + number)
    )


@pytest.mark.parametrize("name", QUICK)
def test_a_kill_loses_nothing(given, whole, place, name):
    lose_nothing(given, whole, place, name, random.Random(SEED))
