"""Where the scores come from, as HTML: command, seed, data, versions, configuration. Every text is escaped."""

import json
from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

_LONGEST_LINE = 160
_DEEPEST = 2
_FOLDED = {"config", "resolved_config", "recipe", "stability_bands"}


def provenance_list(attributes: Mapping[Hashable, Any]) -> str:
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
        return "<p>The scores carry no provenance.</p>"
    order = sorted(
        terms, key=lambda name: (name != "command", isinstance(terms[name], dict | list))
    )
    return f"<dl>{''.join(_term(name, terms[name]) for name in order)}</dl>"


def _read(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _term(name: str, value: Any, depth: int = 0) -> str:
    words = escape(name.replace("_", " "))
    return f"<dt>{words}</dt><dd>{_shown(name, value, depth)}</dd>"


def _shown(name: str, value: Any, depth: int) -> str:
    if isinstance(value, dict) and value and name not in _FOLDED and depth < _DEEPEST:
        return (
            f"<dl>{''.join(_term(str(key), below, depth + 1) for key, below in value.items())}</dl>"
        )
    structured = isinstance(value, dict | list)
    text = (
        json.dumps(value, indent=2, ensure_ascii=False, default=str) if structured else str(value)
    )
    if "\n" in text or len(text) > _LONGEST_LINE:
        return f"<details><summary>show</summary><pre>{escape(text)}</pre></details>"
    return f"<code>{escape(text)}</code>"
