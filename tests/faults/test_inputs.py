"""Damaged and hostile inputs from a seeded generator: refused in one line, or taken without any change.

`FAULTS_SEED` and `FAULTS_INPUTS` choose others and more of them; `make faults` tries 1000.
"""

import os
import random

import pytest

from tests.builders import files_below
from tests.faults.hostile import Inputs
from tests.faults.test_kills import SEED

INPUTS = int(os.environ.get("FAULTS_INPUTS", "10"))
MOST_MEMORY = 2e9
MOST_CPU = 60.0
"""Seconds of processor time that these small commands may take; most take one."""


@pytest.fixture(scope="module")
def hostile(given, whole):
    return Inputs(given, whole)


@pytest.mark.parametrize("number", range(INPUTS))
def test_hostile_inputs(given, whole, place, hostile, number):
    case = hostile.make(place, random.Random(10_000 * SEED + number))
    before = files_below(place)
    ended = given.run(place, *case.words, timeout=300, TMPDIR=str(place))
    told = f"{case.about}: {' '.join(map(str, case.words))[:300]}\n{ended}"
    assert ended.code in (0, 1, 2), told
    assert "Traceback" not in ended.err, told
    assert not ended.hung, told
    assert not ended.left, told
    assert ended.cpu < MOST_CPU, told
    assert ended.memory < MOST_MEMORY, told
    after = files_below(place)
    if ended.code == 2:
        lines = ended.err.splitlines()
        assert lines[-1].startswith("error: "), told
        assert sum(line.startswith("error: ") for line in lines) == 1, told
    if ended.code != 0:
        kept, found = (
            {
                name: text
                for name, text in files.items()
                if name.split("/")[0] not in case.may_change
            }
            for files in (before, after)
        )
        assert found == kept, told
    for name, text in before.items():
        if name.endswith(("thesis.tex", "file")):
            assert after[name] == text, told
    if ended.code == 0:
        case.same()


@pytest.fixture(scope="module", autouse=True)
def _inputs_stay_as_they_are(whole):
    before = files_below(whole.folder / "inputs")
    yield
    assert files_below(whole.folder / "inputs") == before
