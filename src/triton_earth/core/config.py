"""Strict configuration: YAML to frozen pydantic models, dotted overrides, errors that name the nearest valid key."""

import copy
import re
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import pydantic
import yaml

from triton_earth.core.errors import UserError, nearest

MOST_BYTES, MOST_VALUES, MOST_LEVELS = 2**20, 100_000, 60
"""Bounds of a recipe, far beyond what one has, so that a small file cannot take all memory."""

LARGEST_SEED = 2**63 - 1
"""Generators take seeds of 64 bits with a sign."""

Config = TypeVar("Config", bound="StrictConfig")


class StrictConfig(pydantic.BaseModel):
    """Base of every configuration: frozen, and an unknown key is an error.

    A configuration class stands beside what it configures.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls: type[Config], values: object, source: str) -> Config:
        """Validate plain YAML or JSON values.

        Args:
            values: A mapping from key to value, nested as the configuration is.
            source: Where the values come from (a file name), for the error message.

        Returns:
            The configuration.

        Raises:
            UserError: if a key is unknown (the message names the nearest valid one), missing, or has a wrong value.
        """
        if not isinstance(values, dict):
            raise UserError(
                f"{source}: expected a mapping of keys to values, found {type(values).__name__}. "
                "Start from one of the recipes: `triton-earth recipes`."
            )
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise WrongValueError(cls, error, source) from error


class WrongValueError(UserError):
    """One wrong key or value of a configuration, of which a configuration around it can tell the whole key."""

    def __init__(
        self, config: type[pydantic.BaseModel], error: pydantic.ValidationError, source: str
    ) -> None:
        """Take the first unknown key, for what is missing may be that; the first problem where all keys are known."""
        errors: list[Any] = list(error.errors())
        unknown = [problem for problem in errors if problem["type"] == "extra_forbidden"]
        self.config, self.problem = config, _most_telling(unknown or errors)
        super().__init__(f"{source}: {_explain(config, self.problem, [])}")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping from a file.

    Args:
        path: The file.

    Returns:
        Its keys and values.

    Raises:
        UserError: if the file is missing, is not YAML, or does not hold a mapping.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"{path} has {path.stat().st_size} bytes; a recipe has at most {MOST_BYTES}. Choose another file."
            )
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: cannot be read as text ({error.reason}). Save it as UTF-8, or choose another file."
        ) from error
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read as text ({error.strerror}). Choose another file."
        ) from error
    values = _parsed(text, str(path))
    if values is None:
        raise UserError(
            f"{path}: the file is empty; expected a mapping of keys to values. "
            "Start from one of the recipes: `triton-earth recipes`."
        )
    if not isinstance(values, dict):
        raise UserError(
            f"{path}: expected a mapping of keys to values, found {type(values).__name__}."
        )
    return values


def apply_overrides(values: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Return a copy of `values` with dotted overrides of the command line set.

    Args:
        values: Nested mapping, as read from YAML.
        overrides: Assignments such as ``train.batch_size=4``; the right side is read as YAML.

    Returns:
        A new mapping; `values` is left alone.

    Raises:
        UserError: if an override has no ``=`` or goes below a plain value.
    """
    result = copy.deepcopy(values)
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise UserError(
                f"override '{override}': expected KEY=VALUE, for example train.batch_size=4."
            )
        *parents, key = path.split(".")
        node = result
        for parent in parents:
            if node.get(parent) is None:  # what is switched off is switched on by a key below it
                node[parent] = {}
            node = node[parent]
            if not isinstance(node, dict):
                raise UserError(
                    f"override '{override}': '{parent}' holds a plain value and has no keys below it."
                )
        node[key] = _parsed(text, f"override '{override[:200]}'")
    return result


def to_yaml(config: pydantic.BaseModel) -> str:
    """Return the configuration as YAML text that `StrictConfig.parse` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _parsed(text: str, source: str) -> Any:
    """Read YAML into plain values.

    Raises:
        UserError: if it is not valid, nested too deeply, or unfolds into more than `MOST_VALUES` values.
    """
    advice = "Write plain keys and values, as the recipes do."
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _size(root, {}, 0) > MOST_VALUES:
            raise UserError(
                f"{source}: its aliases stand for more than {MOST_VALUES} values. {advice}"
            )
        values = yaml.safe_load(text)
        _require_numbers(values)
        return values
    except UserError:
        raise
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        problem = (getattr(error, "problem", None) or "syntax error").removesuffix(".")
        raise UserError(f"{source}: not valid YAML{line}: {problem}. {advice}") from error
    except RecursionError as error:
        raise UserError(f"{source}: values are nested too deeply. {advice}") from error
    # A date that does not exist, a number of too many digits.
    except (ValueError, AttributeError, TypeError, ArithmeticError) as error:
        raise UserError(f"{source}: a value cannot be read ({error}). {advice}") from error


def _require_numbers(values: Any) -> None:
    """Refuse whole numbers that no generator, file format or array index takes.

    Raises:
        ValueError: if there is one.
    """
    if isinstance(values, int) and abs(values) > LARGEST_SEED:
        raise ValueError("a whole number has more than 64 bits")
    if isinstance(values, dict):
        for key, value in values.items():
            _require_numbers(key)
            _require_numbers(value)
    elif isinstance(values, list):
        for value in values:
            _require_numbers(value)


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how many values a YAML node unfolds into, each alias counted as what it stands for."""
    if depth > MOST_LEVELS:
        raise RecursionError
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias stands for itself")
        return known[id(node)]
    known[id(node)] = 0
    below = []
    if isinstance(node, yaml.SequenceNode):
        below = list(node.value)
    elif isinstance(node, yaml.MappingNode):
        below = [part for pair in node.value for part in pair]
    size = 1 + sum(_size(part, known, depth + 1) for part in below)
    known[id(node)] = size
    return size


def _most_telling(errors: list[Any]) -> Any:
    """Return the first problem; of a value that may be of several plain kinds, that of the kind it comes closest to."""
    first = errors[0]["loc"]
    tags = [place for place, part in enumerate(first) if _is_plain_tag(part)]
    if not tags:
        return errors[0]
    same = [error for error in errors if error["loc"][: tags[0]] == first[: tags[0]]]
    return max(same, key=lambda error: len(error["loc"]))


def _is_plain_tag(part: Any) -> bool:
    """Whether pydantic tells by it which kind of plain value was tried, or that a key of a mapping is wrong."""
    return isinstance(part, str) and (
        part == "[key]" or re.match(r"constrained-|dict\[", part) is not None
    )


def _explain(root: type[pydantic.BaseModel], error: Any, above: list[str]) -> str:
    """Put one pydantic error into one line: the dotted key, what was found, what to do.

    Args:
        root: What was validated.
        error: One of `pydantic.ValidationError.errors()`.
        above: Key that `root` stands under.
    """
    *parents, last = [str(part) for part in error["loc"]] or [""]
    written, siblings = _follow(root, parents)
    if error["type"] == "extra_forbidden":
        return f"unknown key '{'.'.join([*above, *written, last])}'; {nearest(last, siblings)}"
    if error["type"] == "missing":
        return f"key '{'.'.join([*above, *written, last])}' is missing; add it."
    written, below = _follow(root, [*parents, last])
    key = ".".join([*above, *written])
    context = error.get("ctx", {})
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _explain_tag(key, context, error["input"], below)
    cause = context.get("error")
    if isinstance(cause, WrongValueError):
        return _explain(cause.config, cause.problem, [*above, *written])
    if isinstance(cause, UserError):
        return f"{key}: {cause}" if key else str(cause)
    found = error.get("input")
    received = "" if isinstance(found, dict) else f", found {_short(found)}"
    return f"key '{key}': {_sentence(error['msg'])}{received}."


def _explain_tag(key: str, context: Any, found: Any, known: list[str]) -> str:
    """Explain why no member of a union, which are told apart by the value of one of their keys, is meant."""
    tag = context["discriminator"].strip("'_()")
    if "tag" in context:
        expected = re.findall(r"'([^']+)'", context["expected_tags"])
        return f"key '{key}.{tag}': unknown {tag} '{context['tag']}'; {nearest(context['tag'], expected)}"
    unknown = [name for name in found if name not in known] if isinstance(found, dict) else []
    if unknown:
        return f"unknown key '{key}.{unknown[0]}'; {nearest(unknown[0], known)}"
    return f"key '{key}.{tag}' is missing; add it."


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of too many digits
        text = "a number of very many digits"
    return text if len(text) <= 200 else f"{text[:200]}..."


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")


def _follow(root: type[pydantic.BaseModel], path: list[str]) -> tuple[list[str], list[str]]:
    """Follow the path of a pydantic error, which names the tag of each union it goes through.

    Returns:
        The path as the user wrote it, without tags, and the valid keys of the configuration that it leads to.
    """
    written: list[str] = []
    candidates: list[type[pydantic.BaseModel]] = [root]
    for part in path:
        if _is_plain_tag(part):
            continue
        tagged = [candidate for candidate in candidates if part in _tags(candidate)]
        if tagged:
            candidates = tagged
            continue
        written.append(part)
        candidates = [
            below
            for candidate in candidates
            if part in candidate.model_fields
            for below in _models_in(candidate.model_fields[part].annotation)
        ] or candidates
    return written, sorted({key for candidate in candidates for key in candidate.model_fields})


def _tags(config: type[pydantic.BaseModel]) -> set[Any]:
    """Return the values of the fields that admit one only: by these a union tells its members apart."""
    annotations = [field.annotation for field in config.model_fields.values()]
    arguments = [get_args(kind) for kind in annotations if get_origin(kind) is Literal]
    return {values[0] for values in arguments if len(values) == 1}


def _models_in(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """Return the configuration classes that a type annotation mentions (unions and Annotated included)."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    found: list[type[pydantic.BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found.extend(_models_in(argument))
    return found
