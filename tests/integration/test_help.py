"""The help of commands with many options."""

import inspect
import re

import pytest

from triton_earth import cli
from triton_earth.options import GROUPS


def test_every_grouped_option_is_an_option_of_a_command():
    names = {
        name
        for command in (cli.forecast, cli.evaluate, cli.compare)
        for name in inspect.signature(command).parameters
    }
    grouped = [name for group in GROUPS.values() for name in group]
    assert sorted(grouped) == sorted(set(grouped))
    assert set(grouped) <= names


@pytest.mark.parametrize("verb", ["forecast", "evaluate", "compare"])
def test_the_help_shows_each_option_once_below_its_heading(command, verb):
    text = command(verb, "--help").out
    headings = re.findall(r"^([A-Z][a-z A-Z]+):$", text, re.MULTILINE)
    assert headings == [one for one in ("Arguments", *GROUPS, "Options") if one in headings]
    assert {"Arguments", "Output", "This machine", "Options"} <= set(headings)
    names = {one.replace("_", "-") for one in inspect.signature(getattr(cli, verb)).parameters}
    shown = re.findall(r"^  (?:-\w, )?--([a-z-]+)", text, re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert set(shown) - {"help"} <= names
    below = text[text.index("Output:") : text.index("This machine:")]
    assert "--out" in below
    assert "--overwrite" in below


def test_no_command_is_cut_in_the_list(command):
    listed = command("--help").out.split("Commands:")[1]
    assert "prepare" in listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []
