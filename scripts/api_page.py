"""Writes docs/api.md from the docstrings of the public names; a test checks that the page is up to date.

python scripts/api_page.py
"""

import ast
import inspect
import re
from pathlib import Path

import triton_earth

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
SOURCE = Path(triton_earth.__file__).parent

HEAD = """# Python interface

Made from the docstrings by `python scripts/api_page.py`; `help(triton_earth.NAME)` shows the same. The examples are one
session: each goes on from those before it, and the tests run all of them in this order. Every path may be a `str` or a
`pathlib.Path`, and a mistake in what a function is given is a `triton_earth.UserError` that says what to do.

```python
import triton_earth
```
"""

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example):$", re.MULTILINE)
ENTRY = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
WIDTH = 100

OPTIONS = {"evaluate": ("workflow/judging/evaluation_config.py", "EvaluationConfig")}
"""Where the fields of ``**options`` are described."""

Definition = ast.ClassDef | ast.FunctionDef


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(f"{_described(name)}\n" for name in triton_earth.__all__)])


def examples(text: str) -> list[str]:
    """Return the examples of a page, in order."""
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [code for code in found if not code.startswith(("def ", "class "))]


def _described(name: str) -> str:
    """Return the section of the page on one public name."""
    module, _, own = triton_earth._HOMES[name].partition(":")
    file = SOURCE / Path(*module.split(".")[1:]).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    *_, node = (  # after the overloads
        each for each in tree.body if isinstance(each, Definition) and each.name == (own or name)
    )
    if isinstance(node, ast.ClassDef):  # with the fields of a base that has no page of its own
        bases = {ast.unparse(base) for base in node.bases if ast.unparse(base).startswith("_")}
        for base in tree.body:
            if isinstance(base, ast.ClassDef) and base.name in bases:
                node.body += [each for each in base.body if isinstance(each, ast.AnnAssign)]
    lines = [f"## {name}", "", f"```python\n{_signature(name, node)}\n```", "", *_sections(node)]
    for method in node.body if isinstance(node, ast.ClassDef) else []:
        if isinstance(method, ast.FunctionDef) and "Example:" in (ast.get_docstring(method) or ""):
            title = f"### {name}.{method.name}"
            lines += ["", title, "", *_sections(method)]
    if name in OPTIONS:
        place, config = OPTIONS[name]
        tree = ast.parse((SOURCE / place).read_text(encoding="utf-8"))
        (node,) = [each for each in tree.body if getattr(each, "name", "") == config]
        lines += ["", f"### Options of {name}", "", *_sections(node)]
    return "\n".join(lines)


def _signature(name: str, node: Definition) -> str:
    """Return how a function is called, or a class made."""
    if isinstance(node, ast.FunctionDef):
        result = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
        return _wrapped(f"def {name}", _arguments(node), result)
    made = [each for each in node.body if getattr(each, "name", "") == "__init__"]
    if made:
        return _wrapped(f"class {name}", _arguments(made[0])[1:], "")
    annotated = [ast.unparse(each) for each in node.body if isinstance(each, ast.AnnAssign)]
    fields = [field for field in annotated if "ClassVar" not in field]
    is_made = any("dataclass" in ast.unparse(each) for each in node.decorator_list)
    bases = [ast.unparse(base) for base in node.bases if not ast.unparse(base).startswith("_")]
    return _wrapped(f"class {name}", fields if is_made else bases, "")


def _arguments(node: ast.FunctionDef) -> list[str]:
    found, depth, start = [], 0, 0
    text = ast.unparse(node.args)
    for place, character in enumerate(text):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()]


def _wrapped(head: str, arguments: list[str], tail: str) -> str:
    text = f"{head}({', '.join(arguments)}){tail}"
    if len(text) <= WIDTH:
        return text
    return f"{head}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){tail}"


def _sections(node: Definition) -> list[str]:
    """Return a docstring as Markdown."""
    parts = SECTION.split(ast.get_docstring(node) or "")
    lines = [inspect.cleandoc(parts[0])]
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        lines += ["", *_section(title, text)]
    return lines


def _section(title: str, text: str) -> list[str]:
    if title == "Example":
        return [f"```python\n{inspect.cleandoc(text)}\n```"]
    entries = ENTRY.findall(text)
    if title in ("Returns", "Yields") or not entries:
        return [f"{title}: {' '.join(text.split())}"]
    return [f"{title}:", "", *(f"- `{name}`: {' '.join(body.split())}" for name, body in entries)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
