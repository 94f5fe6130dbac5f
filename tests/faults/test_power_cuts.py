"""The power fails at a random moment: then there is the last whole state, or a refusal that names a part.

The disk is a model of one (`tests/faults/journal.py`): of what no fsync came after, anything may be lost or torn.
"""

import random
import subprocess
import sys

import pytest

from tests.builders import files_below
from tests.faults.commands import ROOT
from tests.faults.conftest import KILLS
from tests.faults.journal import cut, known_contents
from tests.faults.test_kills import SEED, how_to_go_on
from tests.faults.verbs import VERBS, assert_alone, assert_same, content, copy
from triton_earth.core.errors import UserError
from triton_earth.core.outputs.claim import MARK
from triton_earth.models.checkpoint import load_forecaster

ALONE = [name for name, verb in VERBS.items() if verb.processes == 1]
WORKING = {MARK, "progress.json", "restart.safetensors", "written.json"}


def survive(given, whole, folder, name: str, chance: random.Random, moment=None) -> None:
    verb = VERBS[name]
    undisturbed, ended = whole.of(name)
    at_work, journal = folder / "work", folder / "journal"
    at_work.mkdir()
    (folder / "inputs").symlink_to(whole.folder / "inputs")
    options = []
    if chance.random() < 0.3:
        copy(undisturbed, at_work / "out")
        options = ["--overwrite"]
    known = known_contents(at_work)
    moment = moment or chance.randint(1, ended.operations)
    verb.run(given, at_work, *options, how={"moment": moment, "journal": journal})
    lost = f"{name}, before operation {moment}: {cut(journal, at_work, known, chance)}"
    if (at_work / "out").exists():
        if verb.words[0] == "train":
            readable(at_work / "out", lost)
        else:
            published = {k: v for k, v in content(at_work / "out").items() if k not in WORKING}
            assert published == content(undisturbed), lost
    options = how_to_go_on(verb, at_work)
    (went_on,) = verb.run(given, at_work, *options)
    assert went_on.code in (0, 2), (lost, options, went_on)
    if went_on.code == 2:
        assert went_on.err.splitlines()[-1].startswith("error: out"), (lost, went_on.err)
        before = files_below(at_work)
        (again,) = verb.run(given, at_work, *options)
        assert again.code == 2, (lost, again)
        assert files_below(at_work) == before, (lost, again)
        (afresh,) = verb.run(given, at_work, "--overwrite")
        assert afresh.code == 0, (lost, went_on.err, afresh)
    assert_same(at_work / "out", undisturbed)
    assert_alone(at_work, "out")


def readable(run, lost: str) -> None:
    """A forecaster loads, with the weights that its seal tells of, or is refused."""
    said = str(run)
    try:
        load_forecaster(run)
    except UserError as error:
        said = str(error)
    assert str(run) in said, lost


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_power_cuts_give_the_last_whole_state_or_a_refusal(given, whole, place, number):
    chance = random.Random(1000 * SEED + number)
    survive(given, whole, place, ALONE[number % len(ALONE)], chance)


@pytest.mark.parametrize("name", ["prepare gridded", "forecast"])
def test_a_power_cut_gives_the_last_whole_state_or_a_refusal(given, whole, place, name):
    survive(given, whole, place, name, random.Random(SEED))


PROGRAM = """
import os, sys
from pathlib import Path
from tests.faults.journal import record
folder = Path(sys.argv[1])
record(folder.with_name("journal"), folder)
for name in ("safe", "torn"):
    with open(folder / f"{name}.tmp", "wb") as file:
        file.write(b"0123456789" * 100)
        if name == "safe":
            file.flush()
            os.fsync(file.fileno())
    os.replace(folder / f"{name}.tmp", folder / name)
descriptor = os.open(folder, os.O_RDONLY)
os.fsync(descriptor)
os.rename(folder / "old", folder / "new")
os.remove(folder / "removed")
"""


def test_the_disk_forgets_only_what_no_fsync_came_after(tmp_path):
    """Of the model itself: contents and names that were synced stay in all of 24 cuts, others go in some."""
    torn, names = set(), set()
    for number in range(24):
        folder = tmp_path / str(number) / "disk"
        folder.mkdir(parents=True)
        for name in ("old", "removed"):
            (folder / name).write_bytes(b"before")
        known = known_contents(folder)
        subprocess.run([sys.executable, "-c", PROGRAM, folder], check=True, cwd=ROOT)
        cut(folder.with_name("journal"), folder, known, random.Random(number))
        assert (folder / "safe").read_bytes() == b"0123456789" * 100
        torn.add((folder / "torn").read_bytes() == b"0123456789" * 100)
        found = {path.name for path in folder.iterdir()} - {"safe", "torn"}
        assert all((folder / name).read_bytes() == b"before" for name in found)
        names.add(tuple(sorted(found)))
    assert torn == {True, False}
    assert names == {("new",), ("new", "removed"), ("old", "removed")}
