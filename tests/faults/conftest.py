"""Outputs of commands that nobody disturbed, and processes that commands are forked from."""

import os

import pytest

from tests.faults.commands import commands
from tests.faults.verbs import VERBS, make_inputs

KILLS = int(os.environ.get("FAULTS_KILLS", "5"))
MANY = "FAULTS_KILLS" in os.environ


@pytest.fixture(scope="session")
def given():
    """Starts commands that are disturbed."""
    with commands(many=MANY) as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(given):
    """Starts commands that nobody disturbs; where there are many, with other hashes of names than the others."""
    if not MANY:
        yield given
        return
    with commands(many=True) as started:
        yield started


class Whole:
    """Inputs in `folder`/inputs, and the output of each verb, made when it is first asked for."""

    def __init__(self, given, folder):
        self._given, self.folder = given, folder
        self._ended = {}

    def of(self, name):
        """Return where the output of a verb is, how many operations it took, and how long."""
        place = self.folder / name.replace(" ", "_")
        if name not in self._ended:
            place.mkdir()
            self._ended[name] = VERBS[name].run(self._given, place)
            assert all(ended.code == 0 for ended in self._ended[name]), self._ended[name]
        return place / "out", self._ended[name][0]


@pytest.fixture(scope="session")
def whole(undisturbed, tmp_path_factory, tiny_store, tiny_run, tiny_forecast):
    """What commands make that nobody disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    make_inputs(folder, tiny_store, tiny_run, tiny_forecast)
    return Whole(undisturbed, folder)


@pytest.fixture
def place(whole, request):
    """A folder of its own for a test, beside the inputs: the same relative paths name them."""
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    folder = whole.folder / name
    folder.mkdir()
    return folder
