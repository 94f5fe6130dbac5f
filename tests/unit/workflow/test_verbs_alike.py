"""A verb has the same arguments, in the same order, in the command, the function and the documentation."""

import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer

import triton_earth
from triton_earth.cli import app, main

ROOT = Path(__file__).parents[3]
FIRST = {
    "prepare": ["recipe", "out"],
    "train": ["recipe", "store", "out"],
    "forecast": ["model", "store", "out"],
    "evaluate": ["forecast", "truth", "out"],
    "plan": ["recipe"],
    "inspect": ["path"],
    "export": ["model", "out"],
}
PRINTED = {"as_json", "find_rate"}
"""Options that say what a command prints; a function has its result instead."""
COMMAND = typer.main.get_command(app)


def parameters(verb):
    return COMMAND.commands[verb].params


@pytest.mark.parametrize("verb", FIRST)
def test_a_command_begins_as_its_function(verb):
    arguments = [
        one.name
        for one in parameters(verb)
        if one.param_type_name == "argument" and one.name != "overrides"
    ]
    needed = [one.name for one in parameters(verb) if one.name in (*arguments, "out")]
    function = list(inspect.signature(getattr(triton_earth, verb)).parameters)
    assert needed == FIRST[verb]
    assert [one.removesuffix("s") for one in function[: len(needed)]] == needed


@pytest.mark.parametrize("verb", [*FIRST, "compare"])
def test_an_option_has_the_name_of_its_argument(verb):
    options = {
        one.name for one in parameters(verb) if one.param_type_name == "option" and not one.hidden
    }
    named = set(inspect.signature(getattr(triton_earth, verb)).parameters)
    assert options - {"help"} - PRINTED <= named


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["s.zarr", "train.steps=3"], ["train.steps=3"]),
        (["--store", "s.zarr", "train.steps=3"], ["train.steps=3"]),
        (["train.steps=3", "seed=1", "-s", "s.zarr"], ["train.steps=3", "seed=1"]),
        (["-s", "s.zarr"], []),
    ],
)
def test_scripts_that_say_the_store_of_train_as_an_option_go_on(monkeypatch, words, changes):
    from triton_earth.workflow import train

    given = []
    monkeypatch.setattr(train, "train", lambda *arguments, **_: given.append(arguments))
    monkeypatch.setattr(sys, "argv", ["triton-earth", "train", "r", *words, "--out", "run"])
    main()
    assert given == [("r", Path("s.zarr"), Path("run"), changes)]


def commands_of_the_pages():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for line in re.findall(
            r"^triton-earth .*$", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            if "..." not in line and "[" not in line.split(" #")[0] and line.count("'") % 2 == 0:
                yield page.name, line.split(" #")[0].rstrip("\\ ")


def test_the_pages_show_commands_that_can_be_parsed():
    shown = list(commands_of_the_pages())
    assert len(shown) > 40
    for page, line in shown:
        verb, *words = shlex.split(line)[1:]
        numbers = {"N": "3", "$RESUME": "--resume"}
        words = [numbers.get(word, word) for word in words]
        command = COMMAND.commands[verb]
        try:
            command.make_context(verb, words)
        except Exception as error:
            raise AssertionError(f"{page}: {line}: {error}") from error
