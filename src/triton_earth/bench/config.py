"""What a bench compares: variants of a recipe, seeds, the budget of a run and the search for a learning rate."""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, field_validator, model_validator

from triton_earth.core.config import StrictConfig, read_yaml
from triton_earth.core.errors import UserError
from triton_earth.models.references import PERSISTENCE, USUAL, require_known
from triton_earth.workflow.recipes.recipe import Recipe, load_recipe

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,_+-]*")
DECIDED = {
    "seed": "the key 'seeds' has them",
    "data": "all variants learn from one data set; change it by 'overrides'",
    "train.steps": "the budget decides it",
    "train.device": "all variants run on one device; change it by 'overrides'",
}
"""Keys of a recipe that no variant can have, and why."""


class Budget(StrictConfig):
    """What each training run may take; one of the four.

    Attributes:
        samples: Windows learned from.
        flops: Floating-point operations of all steps: matrix products, convolutions and attention.
        cpu_seconds: Seconds of all processor cores together, for all steps; validation apart.
        wall_seconds: Seconds on the clock, for all steps; validation apart.
    """

    samples: int | None = Field(default=None, ge=1)
    flops: float | None = Field(default=None, gt=0)
    cpu_seconds: float | None = Field(default=None, gt=0)
    wall_seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        given = [name for name, value in self.model_dump().items() if value is not None]
        if len(given) != 1:
            raise UserError(
                f"expected one of {', '.join(type(self).model_fields)}, found {given or 'none'}; give exactly one."
            )
        return self

    @property
    def kind(self) -> str:
        """Name of what is limited."""
        return next(name for name, value in self.model_dump().items() if value is not None)

    @property
    def amount(self) -> float:
        """How much of it a run may take."""
        return float(getattr(self, self.kind))

    def __str__(self) -> str:
        return f"{self.amount:.4g} {self.kind.replace('_', ' ').replace('cpu', 'CPU')}"


class Search(StrictConfig):
    """The search for a variant's learning rate: short runs, of which the best on the validation split decides.

    Attributes:
        rates: Peak learning rates that are tried.
        part: Length of a trial over that of a run.
    """

    rates: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    part: float = Field(default=0.25, gt=0, le=1)


class BenchConfig(StrictConfig):
    """A bench.

    Attributes:
        title: What the report calls it.
        recipe: Recipe file, or name of a shipped recipe, that every variant changes.
        overrides: Changes to the recipe that all variants have: dotted keys and values.
        store: Training store; made from the recipe if not given.
        variants: Changes to the recipe by the name of the variant; the others are compared with the first.
        seeds: Seeds of weights and sample order.
        budget: What each run may take.
        search: How each variant's learning rate is found; the recipe's, or the variant's own, if not given.
        leads: Leads of the table, in steps; if not given, those of the default that forecasts reach.
        baselines: Reference forecasts beside the variants.
    """

    title: str
    recipe: str
    overrides: dict[str, Any] = {}  # noqa: RUF012
    store: Path | None = None
    variants: dict[str, dict[str, Any]] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    budget: Budget
    search: Search | None = None
    leads: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1, 10, 25, 50, 99), min_length=1
    )
    baselines: tuple[str, ...] = USUAL

    @field_validator("leads", "seeds")
    @classmethod
    def _ascending(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(numbers)))

    @field_validator("baselines")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        require_known(names, "baselines")
        if PERSISTENCE not in names:
            raise UserError(f"baselines: errors are shown over those of {PERSISTENCE}; add it.")
        return names

    @field_validator("variants")
    @classmethod
    def _possible(cls, variants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, changes in variants.items():
            if not NAME.fullmatch(name):
                raise UserError(
                    f"'{name}' is also the name of a folder; use letters, digits, blanks and .,_+- only."
                )
            for key in changes:
                for taken, why in DECIDED.items():
                    if key == taken or key.startswith(f"{taken}."):
                        raise UserError(f"'{name}' changes '{key}', but {why}. Leave it out.")
        return variants

    def assignments(self, variant: str, **more: Any) -> list[str]:
        """Return the changes that make the recipe a variant's, as overrides of the command line.

        Args:
            variant: Its name.
            more: Further assignments, with ``__`` for the dots of a key.
        """
        changes = self.overrides | self.variants[variant]
        changes |= {key.replace("__", "."): value for key, value in more.items()}
        return [f"{key}={_yaml(value)}" for key, value in changes.items()]

    def recipe_of(self, variant: str, **more: Any) -> Recipe:
        """Return the recipe of a variant.

        Raises:
            UserError: naming the variant, if a key of it is unknown or wrong.
        """
        try:
            return load_recipe(self.recipe, self.assignments(variant, **more))
        except UserError as error:
            raise UserError(f"variant '{variant}': {error}") from error


def load_bench(file: Path) -> BenchConfig:
    """Read a bench and check all of its variants.

    Args:
        file: YAML file; a recipe and a store that it names by relative paths are looked for beside it too.

    Raises:
        UserError: if the file cannot be read, a key of it or of a variant is unknown, missing or wrong, or it names a
            lead that forecasts do not reach.
    """
    config = BenchConfig.parse(read_yaml(file), str(file))
    beside = {
        key: value
        for key, value in (("recipe", config.recipe), ("store", config.store))
        if value is not None and not Path(value).exists() and (file.parent / value).exists()
    }
    config = BenchConfig.model_validate(
        config.model_dump(exclude_unset=True)
        | {key: str(file.parent / value) for key, value in beside.items()}
    )
    for variant in config.variants:
        _require_leads(config, variant, config.recipe_of(variant))
    return config


def _require_leads(config: BenchConfig, variant: str, recipe: Recipe) -> None:
    """Refuse leads that the file names and forecasts do not have; without a name longer leads are left out."""
    steps, last = recipe.forecast.steps, max(config.leads)
    if "leads" in config.model_fields_set and steps is not None and last > steps:
        raise UserError(
            f"leads: lead {last} is beyond the forecasts of variant '{variant}', which have {steps} steps. "
            f"Set forecast.steps: {last} in 'overrides', or take shorter leads."
        )


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return text.removesuffix("...").strip()
