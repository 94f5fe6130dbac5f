"""Variables: what a channel is called, its units and level, and its role in a forecast."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from triton_earth.core.errors import UserError


class Role(StrEnum):
    """Part that a variable plays in a forecast."""

    PROGNOSTIC = "prognostic"
    """Predicted and fed back."""
    DIAGNOSTIC = "diagnostic"
    """Predicted only."""
    FORCING = "forcing"
    """Given from outside, also for future times."""
    STATIC = "static"
    """Constant in time."""


@dataclass(frozen=True)
class Variable:
    """One channel of a state.

    Attributes:
        name: Canonical name; with a level it is unique together with it, for example ``temperature_850``.
        units: Units in UDUNITS style; ``1`` where dimensionless.
        long_name: Words for plots and files.
        level: Pressure in hPa, depth in m, or None.
        role: Part in the forecast.

    Example:
        temperature = triton_earth.Variable("temperature_850", "K", "air temperature at 850 hPa", level=850.0)
    """

    name: str
    units: str
    long_name: str = ""
    level: float | None = None
    role: Role = Role.PROGNOSTIC

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a variable needs a name; found ''.")


RESERVED = frozenset(
    (
        "time", "trajectory", "channel", "init", "init_time", "lead_time", "valid_time", "member", "variable",
        "statistic", "statistics", "corrected", "stabilizer", "stabilizer_change", "latitude", "longitude", "y", "x",
        "zarr.json", "unfinished.json", "restart.safetensors", "c",
    )
)  # fmt: skip
"""Names of coordinates, series and files in stores."""

LONGEST_NAME = 200
"""Bytes of a variable's name, which is that of a folder."""


@dataclass(frozen=True)
class Variables:
    """The channels of a state, in order, addressed by name.

    Example:
        variables = triton_earth.Variables((temperature,))
        variables.names, "temperature_850" in variables
    """

    channels: tuple[Variable, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        names = self.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"variable names must differ; {repeated} occur more than once in {names}."
            )

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.channels)

    def __len__(self) -> int:
        return len(self.channels)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @property
    def names(self) -> list[str]:
        """Names in channel order."""
        return [variable.name for variable in self.channels]

    def select(self, names: Iterable[str]) -> "Variables":
        """Return the named channels, in the order of `names`.

        Raises:
            UserError: if one is missing; the message names both sets.
        """
        return Variables(tuple(self.channels[index] for index in self.indices(names)))

    def indices(self, names: Iterable[str]) -> list[int]:
        """Return the channel number of each name.

        Raises:
            UserError: if one is missing; the message names both sets.
        """
        names = list(names)
        missing = [name for name in names if name not in self]
        if missing:
            raise UserError(
                f"variables {missing} are needed but not there; found {self.names}. "
                "Add them to the store, or choose a model that was trained without them."
            )
        return [self.names.index(name) for name in names]

    def require_storable(self) -> None:
        """Refuse names that cannot be those of arrays in a store, or that stores give to something else.

        Raises:
            UserError: naming the first.
        """
        for name in self.names:
            if (
                name in RESERVED
                or not name
                or name.startswith((".", "__"))
                or set(name) & set("/\\")
                or any(not character.isprintable() for character in name)
                or len(name.encode("utf-8", "replace")) > LONGEST_NAME
            ):
                raise UserError(
                    f"variable '{name[:80]}': stores use this name for something else, or cannot hold it. Call "
                    "the variable otherwise in the recipe."
                )

    def with_role(self, *roles: Role) -> "Variables":
        """Return the channels of these roles, in order."""
        return Variables(tuple(variable for variable in self if variable.role in roles))

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain values for JSON."""
        return [{**asdict(variable), "role": str(variable.role)} for variable in self]

    @classmethod
    def from_list(cls, values: Iterable[Mapping[str, Any]]) -> "Variables":
        """Read back what `to_list` gave."""
        return cls(tuple(Variable(**{**value, "role": Role(value["role"])}) for value in values))


VORTICITY = Variable("vorticity", "s-1", "relative vorticity")
"""Relative vorticity ω = ∂v/∂x − ∂u/∂y."""
