"""The JSON schema of a recipe, by which editors complete and check keys while a recipe is written."""

import inspect
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from triton_earth.models.registry import config_class, list_networks
from triton_earth.workflow.recipes.recipe import Recipe

_ATTRIBUTES = re.compile(r"^Attributes:$", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


class _WithShorthand(GenerateJsonSchema):
    """Lets a value that is read before it is checked be a shorthand: a name, a number or a list in place of keys."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Any:
        inner = super().function_before_schema(schema)
        if inspect.ismethod(schema["function"]["function"]):  # of a whole configuration
            return inner
        return {"anyOf": [inner, {"type": ["string", "integer", "array"]}]}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a recipe, with the networks that are registered or installed."""
    schema = Recipe.model_json_schema(schema_generator=_WithShorthand)
    definitions = schema["$defs"]
    networks = {name: config_class(name) for name in list_networks() if ":" not in name}
    for config in networks.values():
        own = config.model_json_schema(
            schema_generator=_WithShorthand, ref_template="#/$defs/{model}"
        )
        definitions |= own.pop("$defs", {})
        if "$ref" not in own:
            definitions[config.__name__] = own
    # One that is given as MODULE:CLASS has keys that nobody knows here.
    elsewhere = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "pattern": ":"}},
    }
    known = [{"$ref": f"#/$defs/{config.__name__}"} for config in networks.values()]
    definitions["NetworkConfig"] = {"anyOf": [*known, elsewhere]}
    for definition in [schema, *definitions.values()]:
        _describe(definition)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _describe(definition: dict[str, Any]) -> None:
    """Move what a docstring says of each attribute to where editors show it."""
    text = inspect.cleandoc(definition.get("description", ""))
    summary, *attributes = _ATTRIBUTES.split(text)
    if text:
        definition["description"] = " ".join(summary.split())
    for name, said in _ENTRY.findall(attributes[0]) if attributes else []:
        if name in definition.get("properties", {}):
            definition["properties"][name]["description"] = " ".join(said.split())
