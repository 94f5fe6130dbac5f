"""The recipe: one small YAML file that says everything about an experiment."""

import importlib.resources
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from triton_earth.core.config import LARGEST_SEED, StrictConfig, apply_overrides, read_yaml
from triton_earth.core.errors import UserError, nearest
from triton_earth.core.time import Duration, steps_in
from triton_earth.data.preparation.archive import ArchiveData
from triton_earth.data.preparation.trajectories import SimulationData
from triton_earth.data.sources.config import GriddedData
from triton_earth.models.forecaster import ModelConfig
from triton_earth.models.registry import import_network
from triton_earth.rollout.guard.stabilizers import StabilizersConfig
from triton_earth.rollout.storage.output import MOST_STEPS
from triton_earth.training.config import VALIDATION_CRPS, TrainConfig

STEPS = 99
"""Steps of a forecast whose recipe says neither steps nor length."""


def number_of_steps(steps: int | None, length: str | float | None, time_step: Duration) -> int:
    """Return how many steps a forecast has: as many as the length holds, else `steps`, else `STEPS`.

    Raises:
        UserError: if the length is none of the kind that the time step is.
    """
    return (steps or STEPS) if length is None else steps_in(str(length), time_step)


class ForecastConfig(StrictConfig):
    """What a forecast with a recipe's model does unless the command says otherwise.

    Attributes:
        steps: Number of leads; 99 without `length`.
        length: Forecast time in place of `steps`, as ``365d`` or ``10y``; without a calendar a
            number in the units of the time step.
        init_every: Time steps between the initial times in a period of the split; only the first possible one if not
            given.
        batch_size: Forecasts that are made together; as many as memory allows if not given.
        stabilizers: What corrects each state before it is fed back; nothing if not given.
        threads: Threads of torch on a CPU, its own choice if not given. Small networks gain nothing from a second.
    """

    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    length: str | float | None = None
    init_every: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    stabilizers: StabilizersConfig = StabilizersConfig()
    threads: int | None = Field(default=None, ge=1)

    @pydantic.model_validator(mode="after")
    def _one_of_the_two(self) -> "ForecastConfig":
        if self.length is not None and self.steps is not None:
            raise UserError(
                "forecast.steps and forecast.length: give one of the two, and null for the other."
            )
        return self

    def number_of_steps(self, time_step: Duration) -> int:
        """Return how many steps a forecast has; arguments and errors are those of `number_of_steps`."""
        return number_of_steps(self.steps, self.length, time_step)


def _kind(values: Any) -> str:
    kind = values.get("kind", "simulation") if isinstance(values, dict) else values.kind
    return str(kind)


Data = Annotated[
    Annotated[SimulationData, pydantic.Tag("simulation")]
    | Annotated[GriddedData, pydantic.Tag("gridded")]
    | Annotated[ArchiveData, pydantic.Tag("trajectories")],
    pydantic.Discriminator(_kind),
]


class Recipe(StrictConfig):
    """An experiment: its data, model, training and forecast.

    Attributes:
        title: What reports call it.
        seed: Seed of weights and sample order; the data has its own.
        data: Where the training store comes from.
        model: The forecaster.
        train: How it is trained.
        forecast: How it forecasts.
    """

    title: str
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    data: Data
    model: ModelConfig
    train: TrainConfig = TrainConfig()
    forecast: ForecastConfig = ForecastConfig()

    @pydantic.model_validator(mode="after")
    def _members_differ(self) -> "Recipe":
        if self.train.most_members > 1 and self.model.noise is None:
            raise UserError(
                f"train.members={self.train.most_members}: without noise channels all members of a window are alike. "
                "Add model.noise={}, or leave out members and the losses of ensembles."
            )
        if self.train.select_by == VALIDATION_CRPS and self.model.noise is None:
            raise UserError(
                f"train.select_by={VALIDATION_CRPS} is for models with noise channels. Add model.noise={{}}, or select "
                "by validation_mse."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _has_what_training_needs(self) -> "Recipe":
        if self.train.stabilized and not self.forecast.stabilizers.names:
            raise UserError(
                "train.stabilized=true: there are no forecast.stabilizers. Switch one on, as "
                "forecast.stabilizers.mean_of_season={variables: [NAME]}, or leave it out."
            )
        if self.train.mean_correction is not None and not self.model.has_anomalies:
            raise UserError(
                "train.mean_correction corrects the climatology that fields are departures from; found "
                f"model.normalization.subtract={self.model.normalization.subtract}. Set "
                "model.normalization.subtract=climatology, or leave it out."
            )
        if self.model.damping.trainable and self.train.parallel == "fsdp":
            raise UserError(
                "model.damping.trainable=true: parallel=fsdp cuts all weights, the damping's too. Take "
                "parallel=ddp, or leave it out."
            )
        return self

    @property
    def window(self) -> int:
        """Times in a window of training: the history, and the longest horizon's blocks, which are as long as it."""
        return self.model.history * (1 + self.train.longest_horizon)


def load_recipe(recipe: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        recipe: A YAML file, or the name of a recipe that comes with the package, for example ``turbulence_small``.
        overrides: Dotted assignments such as ``train.batch_size=4``.

    Raises:
        UserError: if there is no such recipe, a key of it is unknown, missing or wrong, or its network cannot be
            imported.

    Example:
        recipe = triton_earth.load_recipe("turbulence_small", ["train.steps=100"])
        recipe.train.steps, recipe.window
    """
    path = find_recipe(recipe)
    values = apply_overrides(read_yaml(path), overrides or [])
    name = _network_name(values)
    if ":" in name:
        import_network(name)
    return Recipe.parse(values, str(recipe))


def _network_name(values: dict[str, Any]) -> str:
    """Return the name of the network, "" where the recipe has none (which its parsing will say)."""
    for key in ("model", "network", "name"):
        values = values.get(key, {}) if isinstance(values, dict) else {}
    return values if isinstance(values, str) else ""


def shipped_recipes() -> dict[str, Path]:
    """Return the recipes that come with the package, by name."""
    installed = Path(str(importlib.resources.files("triton_earth"))) / "recipes"
    checkout = Path(__file__).parents[4] / "recipes"
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def recipe_titles() -> dict[str, str]:
    """Return the titles of the recipes that come with the package, by name."""
    return {name: str(read_yaml(path).get("title", "")) for name, path in shipped_recipes().items()}


def find_recipe(recipe: str | Path) -> Path:
    """Return the file of a recipe that is given by its path, or by its name if it comes with the package.

    Raises:
        UserError: if there is none.
    """
    recipe = str(recipe)
    if Path(recipe).is_file():
        return Path(recipe)
    shipped = shipped_recipes()
    if recipe in shipped:
        return shipped[recipe]
    raise UserError(
        f"{recipe}: no such file, and no recipe of that name comes with the package; "
        f"{nearest(Path(recipe).stem, shipped)}"
    )
