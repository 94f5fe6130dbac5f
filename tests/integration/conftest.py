"""Running the command line within the test, as a user sees it."""

import logging
import sys
from dataclasses import dataclass

import pytest

from tests.builders import files_below
from triton_earth.cli import main


@dataclass
class Outcome:
    """Exit code and what was written."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `triton-earth` with some words and return its outcome."""

    def run(*words):
        root, ours = logging.getLogger(), logging.getLogger("triton_earth")
        handlers, level = root.handlers, ours.level
        root.handlers = []  # pytest's own; the command line then sets up its own
        monkeypatch.setattr(sys, "argv", ["triton-earth", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            root.handlers = handlers
            ours.setLevel(level)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(command, tmp_path):
    """Run a command that must fail, and return its one line of error."""

    def run(*words):
        before = files_below(tmp_path)
        outcome = command(*words)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        (line,) = outcome.err.splitlines()
        assert line.startswith("error: ")
        assert files_below(tmp_path) == before
        return line

    return run
