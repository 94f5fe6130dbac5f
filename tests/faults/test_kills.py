"""Killed before a random operation on the file system, gone on with: the same files with the same bits.

`FAULTS_SEED` and `FAULTS_KILLS` choose other moments and more of them; `make faults` makes 100 kills.
"""

import os
import random
import shutil

import pytest
import torch

from tests.builders import files_below
from tests.faults.commands import RESUMED, run, verbs, was_killed
from triton_earth.training.checkpoint import read_training_state

SEED, KILLS = int(os.environ.get("FAULTS_SEED", "0")), int(os.environ.get("FAULTS_KILLS", "5"))
VERBS = ["prepare", "train", "forecast", "ensemble", "evaluate"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """All outputs of commands that nobody disturbed, and how many operations each took."""
    folder = tmp_path_factory.mktemp("whole")
    counts = {}
    for verb, (words, out) in verbs(folder).items():
        code, said, counts[verb] = run(folder, *words, out)
        assert code == 0, said
    return folder, counts


def content(verb, folder):
    """What has to be the same: of a run the values of its states, and its log without speeds."""
    found = files_below(folder)
    for name in ("training_state.pt", "training_state.previous.pt"):
        if name in found:
            found[name] = plain(read_training_state(folder / name))
    if "log.csv" in found:
        found["log.csv"] = [line.rsplit(b",", 1)[0] for line in found["log.csv"].splitlines()]
    return found


def plain(value):
    if isinstance(value, dict):
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [plain(below) for below in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


def command_for(verb, inputs, folder):
    """The same command, of the same inputs, with its output elsewhere."""
    words, out = verbs(inputs)[verb]
    return words, folder / out.name


@pytest.mark.parametrize("number", range(KILLS))
def test_kills_lose_nothing(inputs, tmp_path, number):
    whole, counts = inputs
    verb = VERBS[number % len(VERBS)]
    moments = random.Random(1000 * SEED + number)
    words, out = command_for(verb, whole, tmp_path)
    overwrite = moments.random() < 0.3
    if overwrite:
        shutil.copytree(whole / out.name, out)
    options = ["--overwrite"] if overwrite else []
    kills = 0
    for _ in range(moments.randint(1, 3)):
        code, said, _ = run(
            tmp_path, *words, out, *options, moment=moments.randint(1, counts[verb])
        )
        assert "Traceback" not in said
        kills += was_killed(code)
        begun = out.exists() or out.with_name(out.name + ".partial").exists()
        options = ["--resume"] if verb in RESUMED and begun else []
        if verb not in RESUMED and out.exists():
            options = ["--overwrite"]
        if code == 0:
            break
    code, said, _ = run(tmp_path, *words, out, *options)
    assert code == 0, (verb, options, said)
    ours, theirs = content(verb, out), content(verb, whole / out.name)
    assert ours.keys() == theirs.keys()
    for name in ours:
        if isinstance(ours[name], bytes):
            one, other = (
                text.replace(str(folder).encode(), b"FOLDER")
                for text, folder in ((ours[name], tmp_path), (theirs[name], whole))
            )
            assert one == other or name in ("report.html", "scores.json", "scores.nc"), name
        else:
            assert ours[name] == theirs[name], name
    assert {path.name for path in tmp_path.iterdir()} == {out.name}


def test_two_commands_with_one_output_have_one_winner(inputs, tmp_path):
    """Started at the same moment, and one in the middle of the other."""
    import concurrent.futures
    import time

    whole, _ = inputs
    for verb in VERBS:
        words, out = command_for(verb, whole, tmp_path / verb)
        for option in ([], ["--overwrite"]):
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                first = pool.submit(run, tmp_path, *words, out, *option)
                time.sleep(random.Random(SEED).uniform(0, 1) if option else 0)
                second = pool.submit(run, tmp_path, *words, out, *option)
                outcomes = [first.result(), second.result()]
            codes = sorted(outcome[0] for outcome in outcomes)
            assert codes in ([0, 2], [0, 0]), outcomes
            assert codes == [0, 2] or option, outcomes
            for code, said, _ in outcomes:
                assert "Traceback" not in said
                if code == 2:
                    assert "another process is writing it" in said or "exists already" in said
            assert content(verb, out).keys() == content(verb, whole / out.name).keys()
            assert {path.name for path in (tmp_path / verb).iterdir()} == {out.name}
