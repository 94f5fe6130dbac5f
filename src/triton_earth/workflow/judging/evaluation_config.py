"""What an evaluation is asked for: the options that `evaluate` and `compare` share."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import xarray as xr

from triton_earth.core.config import StrictConfig
from triton_earth.core.errors import UserError
from triton_earth.core.imports import import_object
from triton_earth.data.sources.names import name_among
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.aggregator import Family
from triton_earth.evaluation.foreign.fields import parse_rename
from triton_earth.evaluation.matching import Season
from triton_earth.evaluation.regions.places import Surface
from triton_earth.evaluation.regions.weights import WeightsName
from triton_earth.rollout.ensemble import Perturbation
from triton_earth.rollout.guard.guard import Policy

Verb = TypeVar("Verb", bound=Callable[..., Any])

Source = str | Path | pydantic.InstanceOf[xr.Dataset] | pydantic.InstanceOf[TrainingStore]
"""A path, a dataset or an open store."""


Score = str | pydantic.InstanceOf[Family]
"""A family of scores, or its place as MODULE:FAMILY."""

Pictured = str | Callable[..., Any]
"""What makes sections of the report, or its place as MODULE:FUNCTION."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str | Family) or callable(value) else value


def _listed(value: Any) -> Any:
    return tuple(value.split(",")) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], pydantic.BeforeValidator(_several)]
Listed = Annotated[tuple[str, ...], pydantic.BeforeValidator(_listed)]
"""Names, or a text of names parted by commas."""


class EvaluationConfig(StrictConfig):
    """Options of `evaluate` and `compare`.

    Attributes:
        name: What to call the forecasts, one name for each; by default those of their files.
        rename: What the variables of datasets are whose names are not known, as ``THEIRS=OURS`` or a mapping.
        climatology: What the climatology is of: a training store (its training split), or any dataset (with
            `climatology_period`); None: the truth.
        climatology_period: Period that climatology, damped persistence and heat-wave thresholds are of, as
            ``1990..2019``; None: the training split.
        baselines: Reference forecasts that stand beside: names, or a text of names parted by commas, of persistence,
            damped_persistence, climatology, linear_inverse, damped_linear; None: the first three, as far as there is a
            training split.
        season: DJF, MAM, JJA or SON: only stored forecasts that start in these months are scored; None: all.
        region: Where scores are taken, SOUTH:NORTH,WEST:EAST in degrees or a well-known name; None: everywhere.
        surface: Whether on ``land`` or at ``sea``; None: on both.
        by_region: Regions with scores of their own beside the main ones: NAME=SOUTH:NORTH,WEST:EAST, ``land``,
            ``sea`` or a well-known name.
        weights: Cell weights of all means: ``cell_area`` or ``cos_latitude``.
        heat_waves: Temperature whose marine heat waves are scored too, against the training split or, as
            VARIABLE:START..END, the days named; None: none.
        eddies: Sea level whose eddies are scored too; None: none.
        indices: Climate indices that are scored too: names, or a text of names parted by commas, of nino34, nino3,
            nino4, nino12, amo, amo_minus_global, pdo, jet_latitude; ``all`` for those that fit.
        score: Families of scores of your own, as MODULE:FAMILY or as they are; see docs/your_score.md.
        section: Sections of the report of your own, as MODULE:FUNCTION or as functions of scores and examples.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        title: Heading of the report; by default the title of the model's recipe.
        workers: Processes on this machine that share the work.
        dask: Address of a Dask scheduler whose workers share it instead.
        steps: Steps that a model is rolled out for, which is judged in place of a stored forecast and not stored;
        length: the same as a length of time, as ``365d`` or ``1y``. Only with one of them:
        split: split whose trajectories or periods the model forecasts, by default ``test``;
        init: initial times, as in `forecast`, like all that follow;
        members: forecasts from each initial state;
        perturb: what makes them differ;
        forcings: training store with the forcings;
        guard: what to do about a forecast that leaves the training climate, by default ``warn``;
        stabilize: changes to the stabilisers of the model's recipe;
        network: its network as MODULE:CLASS, where it is neither registered nor of an installed package.
    """

    name: Texts = ()
    rename: Annotated[dict[str, str], pydantic.BeforeValidator(parse_rename)] = pydantic.Field(
        default_factory=dict
    )
    climatology: Source | None = None
    climatology_period: str | None = None
    baselines: Listed | None = None
    season: Season | None = None
    region: str | None = None
    surface: Surface | None = None
    by_region: Texts = ()
    weights: WeightsName = "cell_area"
    heat_waves: str | None = None
    eddies: str | None = None
    indices: Listed = ()
    score: Annotated[tuple[Score, ...], pydantic.BeforeValidator(_several)] = ()
    section: Annotated[tuple[Pictured, ...], pydantic.BeforeValidator(_several)] = ()
    seed: int = pydantic.Field(default=0, ge=0)
    resamples: int = 1000
    title: str | None = None
    workers: int = pydantic.Field(default=1, ge=1)
    dask: str | None = None
    steps: int | None = pydantic.Field(default=None, ge=1)
    length: str | None = None
    split: str | None = None
    init: Texts = ()
    members: int | None = pydantic.Field(default=None, ge=1)
    perturb: Perturbation | None = None
    forcings: str | Path | None = None
    guard: Policy | None = None
    stabilize: Texts = ()
    network: str | None = None

    @classmethod
    def of(cls, verb: str, options: Mapping[str, Any]) -> "EvaluationConfig":
        """Return the options of a verb; None stands for the default, as on the command line.

        Raises:
            UserError: if an option is unknown or has a wrong value, or some do not go together.
        """
        config = cls.parse({key: one for key, one in options.items() if one is not None}, verb)
        needless = [f"--{key}" for key in _OF_ROLLOUT if getattr(config, key)]
        if not config.is_rolled_out and needless:
            raise UserError(
                f"{', '.join(needless)}: a stored forecast is judged as it is. Give these options to "
                "`triton-earth forecast`, or judge a model with --steps or --length."
            )
        if config.is_rolled_out and (config.workers > 1 or config.dask is not None):
            raise UserError(
                "--steps: a model is rolled out in one process. Leave out --workers and --dask, or store the forecast."
            )
        if config.is_rolled_out and config.season is not None:
            raise UserError(
                "--season: a model is rolled out from the times that --init names. Name the times of the season there."
            )
        return config

    def with_names_of(self, names: Sequence[str]) -> "EvaluationConfig":
        """Return these options with canonical names where usual other names of variables stand.

        Args:
            names: Names of the variables of the forecasts.
        """
        changed = {}
        for key in ("heat_waves", "eddies"):
            text = getattr(self, key)
            if text is not None:
                name, colon, period = text.partition(":")
                changed[key] = name_among(name, names) + colon + period
        return self.model_copy(update=changed)

    def families(self) -> list[Family]:
        """Return the families of scores that the user adds.

        Raises:
            UserError: if a name cannot be imported, or is no family.
        """
        found = []
        for one in self.score:
            example = "my_score:FAMILY"
            family = import_object(one, "score", "FAMILY", example) if isinstance(one, str) else one
            if not isinstance(family, Family):
                raise UserError(
                    f"score '{one}': expected a triton_earth.evaluation.aggregator.Family, found {family!r}. See "
                    "docs/your_score.md."
                )
            found.append(family)
        return found

    def sections(self) -> list[Callable[..., Any]]:
        """Return the functions that make the user's sections of the report.

        Raises:
            UserError: if a name cannot be imported, or cannot be called.
        """
        found = []
        for one in self.section:
            example = "my_score:my_sections"
            made = (
                import_object(one, "section", "FUNCTION", example) if isinstance(one, str) else one
            )
            if not callable(made):
                raise UserError(
                    f"section '{one}': expected a function of scores and examples, found {made!r}. See "
                    "docs/your_score.md."
                )
            found.append(made)
        return found

    @property
    def is_rolled_out(self) -> bool:
        """Whether a model is judged while it is rolled out."""
        return self.steps is not None or self.length is not None

    def to_options(self) -> dict[str, object]:
        """Return the options that differ from their defaults, as the command line writes them."""
        found: dict[str, object] = {}
        for key in type(self).model_fields:
            value = getattr(self, key)
            if value == type(self).model_fields[key].get_default(call_default_factory=True):
                continue
            if isinstance(value, dict):
                value = [f"{theirs}={ours}" for theirs, ours in value.items()]
            if key in _PARTED_BY_COMMAS and value is not None:
                value = ",".join(value)
            if isinstance(value, tuple):
                value = tuple(one for one in value if isinstance(one, str))
            if isinstance(value, str | Path | int | list | tuple):  # a dataset has no words
                found[key.replace("_", "-")] = list(value) if isinstance(value, tuple) else value
        return found


_PARTED_BY_COMMAS = ("baselines", "indices")
"""Options with several names in one text."""

_OF_ROLLOUT = ("split", "init", "members", "perturb", "forcings", "guard", "stabilize", "network")
"""Options that are of use with a model only."""


def with_options(verb: Verb) -> Verb:
    """Show the fields of `EvaluationConfig` as keyword arguments of a function that takes them as ``**options``."""
    signature = inspect.signature(verb)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation
        )
        for name, field in EvaluationConfig.model_fields.items()
    ]
    verb.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return verb
