"""The network architectures by name: register, look up, create, list."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import nn

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest
from triton_earth.layers.padding import Padding


class NetworkConfig(StrictConfig):
    """Hyper-parameters of one architecture; `build` adds what the recipe and its grid decide."""

    name: str

    def for_shape(self, shape: tuple[int, int]) -> "NetworkConfig":
        """Return the configuration with everything decided that depends on the height and width of the maps."""
        return self

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> nn.Module:
        """Return the network with random weights."""
        raise NotImplementedError


Config = TypeVar("Config", bound=NetworkConfig)
_CONFIGS: dict[str, type[NetworkConfig]] = {}


def register(name: str) -> Callable[[type[Config]], type[Config]]:
    """Enter the decorated configuration class under `name`; a name can be entered once."""

    def enter(config: type[Config]) -> type[Config]:
        if name in _CONFIGS:
            raise ValueError(f"the network name '{name}' is taken by {_CONFIGS[name].__name__}.")
        _CONFIGS[name] = config
        return config

    return enter


def config_class(name: str) -> type[NetworkConfig]:
    """Return the configuration class entered under `name`.

    Raises:
        UserError: if there is none; the message names the nearest.
    """
    if name not in _CONFIGS:
        raise UserError(f"unknown network '{name}'; {nearest(name, _CONFIGS)}")
    return _CONFIGS[name]


def create(values: Any) -> NetworkConfig:
    """Validate a recipe's mapping by the architecture that its key `name` names.

    Args:
        values: A mapping with `name` and hyper-parameters.

    Raises:
        UserError: if there is no name, or the name, another key or a value is wrong.
    """
    if not isinstance(values, Mapping) or "name" not in values:
        known = {key for config in _CONFIGS.values() for key in config.model_fields}
        unknown = [key for key in values if key not in known] if isinstance(values, Mapping) else []
        if unknown:
            raise UserError(f"unknown key '{unknown[0]}'; {nearest(str(unknown[0]), known)}")
        raise UserError(
            f"expected a mapping with the key 'name', found {values!r}; "
            f"add 'name', one of {', '.join(list_networks())}."
        )
    return config_class(str(values["name"])).parse(dict(values), "network")


def list_networks() -> list[str]:
    """Return the registered names in alphabetical order."""
    return sorted(_CONFIGS)
