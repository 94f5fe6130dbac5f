"""The network architectures by name: register, find in other packages, create, list."""

import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, TypeVar

from torch import nn

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError, nearest
from triton_earth.core.grid import Grid
from triton_earth.core.imports import import_object
from triton_earth.layers.padding import Padding

ENTRY_POINTS = "triton_earth.networks"
"""Group of entry points in which an installed package names its networks."""


class NetworkConfig(StrictConfig):
    """Hyper-parameters of one architecture; `build` adds what the recipe and its grid decide.

    Attributes:
        name: The name that the architecture is registered under.
    """

    name: str

    def for_shape(self, shape: tuple[int, int]) -> "NetworkConfig":
        """Return the configuration with everything decided that depends on the height and width of the maps."""
        return self

    def for_grid(self, grid: Grid) -> "NetworkConfig":
        """Return the configuration with everything decided that depends on the grid."""
        return self.for_shape(grid.shape)

    def build(
        self, frames: int, input_channels: int, output_channels: int, padding: Padding
    ) -> nn.Module:
        """Return the network with random weights.

        Args:
            frames: Frames (times) that go in; as many come out.
            input_channels: Channels of an input frame.
            output_channels: Channels of an output frame.
            padding: How the grid continues a field beyond its sides along (height, width), each ``zero`` or
                ``periodic``.

        Returns:
            A module that maps [batch, frames, input_channels, height, width] to
            [batch, frames, output_channels, height, width].
        """
        raise NotImplementedError


Config = TypeVar("Config", bound=NetworkConfig)
_CONFIGS: dict[str, type[NetworkConfig]] = {}


def register(name: str) -> Callable[[type[Config]], type[Config]]:
    """Enter the decorated configuration class under a name, which a recipe can then give as `model.network.name`.

    A name can be entered once; a module that is imported again enters its class again.

    Args:
        name: Name of the architecture.

    Raises:
        ValueError: if another class has the name.

    Example:
        import torch
        from triton_earth.models.registry import NetworkConfig

        @triton_earth.register_network("one_convolution")
        class OneConvolution(NetworkConfig):
            kernel: int = 3

            def build(self, frames, input_channels, output_channels, padding):
                size = (frames * input_channels, frames * output_channels, self.kernel)
                convolution = torch.nn.Conv2d(*size, padding="same")
                unfold = torch.nn.Unflatten(1, (frames, output_channels))
                return torch.nn.Sequential(torch.nn.Flatten(1, 2), convolution, unfold)
    """

    def enter(config: type[Config]) -> type[Config]:
        there = _CONFIGS.get(name)
        if there is not None and _place(there) != _place(config):
            raise ValueError(f"the network name '{name}' is taken by {there.__name__}.")
        _CONFIGS[name] = config
        return config

    return enter


def import_network(name: str) -> type[NetworkConfig]:
    """Import and register a network that the user names by its place, ``my_package.my_module:MyConfig``.

    Modules in the current folder are found too. Only what a user writes, in a recipe or on the command line, may be
    given here: importing runs code, and what is read from a checkpoint must not choose which.

    Args:
        name: Module and class.

    Raises:
        UserError: if the module or the class is not there, or the class is no `NetworkConfig`.
    """
    found = import_object(name, "network", "CLASS", "my_package.my_module:MyConfig")
    config = _require_config(found, name)
    return register(name)(config)


def config_class(name: str) -> type[NetworkConfig]:
    """Return the configuration class entered under `name`, here or by an installed package's entry point.

    Nothing else is imported, whatever the name.

    Raises:
        UserError: if there is none; the message names the nearest.
    """
    if name in _CONFIGS:
        return _CONFIGS[name]
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return register(name)(_load(entry))
    if ":" in name:
        raise UserError(
            f"the network '{name}' is not registered. A checkpoint does not choose what is imported: if you trust "
            f"that code, name it yourself with --network {name} (in Python, import it and register it first)."
        )
    raise UserError(f"unknown network '{name}'; {nearest(name, list_networks())}")


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
    """Return the names of all networks, registered or named by entry points, in alphabetical order."""
    return sorted(origins())


def origins() -> dict[str, str]:
    """Return where each network comes from, by name: a package with its version, or a module."""
    found = {}
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        package = entry.dist
        found[entry.name] = (
            entry.value if package is None else f"{package.name} {package.version} ({entry.value})"
        )
    for name, config in _CONFIGS.items():
        if config.__module__.startswith("triton_earth."):
            found[name] = "triton_earth"
        else:
            found.setdefault(name, ":".join(_place(config)))
    return dict(sorted(found.items()))


def describe_network(name: str) -> str:
    """Return the first sentence of a registered network's module; nothing where the module is not imported."""
    config = _CONFIGS.get(name)
    module = None if config is None else sys.modules.get(config.__module__)
    return (getattr(module, "__doc__", None) or "").strip().partition("\n")[0]


def _load(entry: metadata.EntryPoint) -> type[NetworkConfig]:
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        package = "" if entry.dist is None else f" of {entry.dist.name} {entry.dist.version}"
        raise UserError(
            f"network '{entry.name}': its entry point{package} cannot be imported ({error}). Install that package "
            "again."
        ) from error
    return _require_config(found, entry.name)


def _require_config(found: Any, name: str) -> type[NetworkConfig]:
    if not (isinstance(found, type) and issubclass(found, NetworkConfig)):
        raise UserError(
            f"network '{name}': expected a subclass of triton_earth.models.registry.NetworkConfig, found {found!r}. "
            "See docs/your_network.md."
        )
    return found


def _place(config: type[NetworkConfig]) -> tuple[str, str]:
    return config.__module__, config.__qualname__
