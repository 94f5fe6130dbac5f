"""Strict configuration: YAML to frozen pydantic models, dotted overrides, errors that name the nearest valid key."""

from pathlib import Path
from typing import Any, Self

import pydantic
import yaml

from triton_earth.core.errors import UserError, nearest


class StrictConfig(pydantic.BaseModel):
    """Base of every configuration: frozen, and an unknown key is an error.

    A configuration class stands beside what it configures.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, values: object, source: str) -> Self:
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
            raise UserError(f"{source}: {_explain(cls, error.errors()[0])}") from error


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
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}).") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "syntax error"
        raise UserError(f"{path}: not valid YAML{line}: {problem}.") from error
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
    result = _copy(values)
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise UserError(
                f"override '{override}': expected KEY=VALUE, for example train.batch_size=4."
            )
        *parents, key = path.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise UserError(
                    f"override '{override}': '{parent}' holds a plain value and has no keys below it."
                )
        try:
            node[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"override '{override}': the value is not valid YAML.") from error
    return result


def to_yaml(config: pydantic.BaseModel) -> str:
    """Return the configuration as YAML text that `StrictConfig.parse` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _copy(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(value) if isinstance(value, dict) else value for key, value in values.items()
    }


def _explain(root: type[pydantic.BaseModel], error: Any) -> str:
    """Put one pydantic error into one line: the dotted key, what was found, what to do."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        siblings = _keys_at(root, path[:-1])
        return f"unknown key '{key}'; {nearest(path[-1], siblings)}"
    if error["type"] == "missing":
        return f"key '{key}' is missing; add it."
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, UserError):
        return f"{key}: {cause}"
    found = error.get("input")
    return f"key '{key}': {_sentence(error['msg'])}, found {found!r}."


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")


def _keys_at(root: type[pydantic.BaseModel], path: list[str]) -> list[str]:
    """Return the valid keys of the configuration that `path` leads to; unions are searched by their tag."""
    candidates: list[Any] = [root]
    for part in path:
        below: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, pydantic.BaseModel):
                if part in candidate.model_fields:
                    below.extend(_models_in(candidate.model_fields[part].annotation))
                elif any(
                    part == getattr(field.default, "value", field.default)
                    for field in candidate.model_fields.values()
                ):
                    below.append(candidate)
        candidates = below or candidates
    return sorted({key for candidate in candidates for key in candidate.model_fields})


def _models_in(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """Return the configuration classes that a type annotation mentions (unions and Annotated included)."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    found: list[type[pydantic.BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found.extend(_models_in(argument))
    return found
