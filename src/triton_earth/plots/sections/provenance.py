"""What the scores mean and where they come from: definitions, command, seed, data, versions, configuration."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr
from markupsafe import Markup

from triton_earth.core.wording import long_name, units_of
from triton_earth.evaluation.verdict.verdict import FINDINGS
from triton_earth.plots.page import Cell, Section, paragraph, render, table

_LONGEST_LINE = 160
_DEEPEST = 2
_FOLDED = {"config", "resolved_config", "recipe", "stability_bands"}


@dataclass(frozen=True)
class Term:
    """A term of a list and what is said of it; plain text.

    Attributes:
        name: The term.
        text: What is said of it.
        code: Whether that is code.
        long: Whether it is folded away.
        below: Terms below it, in place of a text.
    """

    name: str
    text: str = ""
    code: bool = False
    long: bool = False
    below: "list[Term]" = field(default_factory=list)


def definition_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that defines every score, folded."""
    found = definitions_table(scores)
    return [Section("Definitions", render("folded.html", title="of every score", body=found))]


def definitions_table(scores: xr.Dataset) -> Markup:
    """Return name, units and definition of every score that is there, as HTML of one table.

    Those by region are defined as everywhere.
    """
    rows = []
    for name, array in scores.data_vars.items():
        definition = str(array.attrs.get("definition", ""))
        if (
            str(name).endswith("_interval")
            or {"init", "region"} & set(array.dims)
            or not definition
        ):
            continue
        words = long_name(array)
        title = Cell(
            words[:1].upper() + words[1:], Markup("<code>{}</code>").format(str(name)), scope="row"
        )
        rows.append([title, Cell(units_of(array)), Cell(definition)])
    return table("definitions", ["Score", "Units", "Definition"], rows)


def provenance_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that says where everything comes from; the verdict among the attributes is left out."""
    attributes = {name: value for name, value in scores.attrs.items() if name != FINDINGS}
    return [Section("Provenance", provenance_list(attributes))]


def provenance_list(attributes: Mapping[Hashable, Any]) -> Markup:
    """Return the attributes of scores as a list of terms; values that are JSON are read, long ones fold away.

    Args:
        attributes: Attributes of the scores: plain values or JSON strings. A mapping called ``provenance`` is spread
            out into its own terms.

    Returns:
        HTML of one description list, or a sentence where there are no attributes.
    """
    terms: dict[str, Any] = {}
    for name, value in attributes.items():
        read = _read(value)
        if str(name) == "provenance" and isinstance(read, dict):
            terms.update({str(key): _read(below) for key, below in read.items()})
        else:
            terms[str(name)] = read
    if not terms:
        return paragraph("The scores carry no provenance.")
    order = sorted(
        terms, key=lambda name: (name != "command", isinstance(terms[name], dict | list))
    )
    return render("terms.html", terms=[_term(name, terms[name]) for name in order])


def _read(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _term(name: str, value: Any, depth: int = 0) -> Term:
    words = name.replace("_", " ")
    if isinstance(value, dict) and value and name not in _FOLDED and depth < _DEEPEST:
        below = [_term(str(key), one, depth + 1) for key, one in value.items()]
        return Term(words, below=below)
    structured = isinstance(value, dict | list)
    text = (
        json.dumps(value, indent=2, ensure_ascii=False, default=str) if structured else str(value)
    )
    return Term(words, text, code=True, long="\n" in text or len(text) > _LONGEST_LINE)
