"""Arguments and options of the command line that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from triton_earth.core.config import LARGEST_SEED
from triton_earth.core.errors import UserError

MOST_RESAMPLES = 100_000
"""Resamples of a bootstrap: intervals no longer change visibly beyond a tenth of it, and all of them are in memory."""
MOST_STEPS = 10_000_000
"""Steps of a forecast, 6800 years of six hours."""


def at_least(
    least: int, option: str, most: int = LARGEST_SEED
) -> Callable[[int | None], int | None]:
    """Return a check of an option's value."""

    def check(value: int | None) -> int | None:
        if value is not None and value < least:
            raise UserError(f"{option}: expected at least {least}, found {value}.")
        if value is not None and value > most:
            raise UserError(f"{option}: expected at most {most}, found {value}.")
        return value

    return check


GROUPS: dict[str, tuple[str, ...]] = {
    "What is read": ("name", "rename", "climatology", "climatology_period", "forcings", "network"),
    "What a model forecasts": (
        "steps",
        "length",
        "split",
        "init",
        "forcings_beyond",
        "batch_size",
        "guard",
        "stabilize",
    ),
    "Members and chance": ("members", "perturb", "perturb_size", "drop_paths", "seed", "resamples"),
    "Part of the fields": ("season", "region", "surface", "variables", "levels", "leads"),
    "What is scored": (
        "baselines",
        "by_region",
        "weights",
        "heat_waves",
        "eddies",
        "indices",
        "score",
    ),
    "Output": (
        "out",
        "title",
        "section",
        "statistics_only",
        "mean_and_spread",
        "every",
        "resume",
        "overwrite",
    ),
    "This machine": ("device", "workers", "dask", "force"),
}
"""Headings of the help of commands with many options, and the options below each; others stand below `Options`."""


class GroupedCommand(TyperCommand):
    """A command whose help shows options below the headings of `GROUPS`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, groups that have an option, and the rest."""
        heading_of = {name: heading for heading, names in GROUPS.items() for name in names}
        below: dict[str, list[tuple[str, str]]] = {
            heading: [] for heading in ("Arguments", *GROUPS, "Options")
        }
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            argument = parameter.param_type_name == "argument"
            other = "Arguments" if argument else "Options"
            below[other if argument else heading_of.get(str(parameter.name), other)].append(record)
        for heading, records in below.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Recipe file, or name of a shipped recipe.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, as train.steps=10."),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Run folder, forecaster, name of a shipped model or reference forecast, or hf:OWNER/NAME[@REVISION].",
    ),
]
StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Training store.")]
StoreOfTrain = Annotated[Path | None, typer.Argument(metavar="STORE", help="Training store.")]
EarlierStore = Annotated[
    Path | None,
    typer.Option(
        "--store", "-s", hidden=True, help="STORE, as scripts of earlier versions say it."
    ),
]
ForecastArgument = Annotated[
    str,
    typer.Argument(
        metavar="FORECAST",
        help="Forecast store, or NetCDF or Zarr of another program (path, address or pattern); with --steps a model.",
    ),
]
TruthArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRUTH",
        help="Training store, or NetCDF or Zarr of another program with a time axis.",
    ),
]
OutOrNone = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="New folder for scores and report. Without it no file is written."
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        help="Name of a forecast, in the order of the forecasts; repeatable. By default the name of its file.",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        metavar="THEIRS=OURS",
        help="Canonical name of a variable of the files, as t2m=2m_temperature; repeatable.",
    ),
]
ClimatologyOption = Annotated[
    str | None,
    typer.Option(
        "--climatology",
        metavar="STORE_OR_FILE",
        help="Data of the climatology: a training store or, with --climatology-period, any dataset. By default TRUTH.",
    ),
]
ClimatologyPeriod = Annotated[
    str | None,
    typer.Option(
        metavar="START..END",
        help="Period of the climatology, as 1990..2019. By default the training split.",
    ),
]
BaselinesOption = Annotated[
    str | None,
    typer.Option(
        "--baselines",
        metavar="NAME,NAME...",
        help="Reference forecasts to compare with: persistence, damped_persistence, climatology, linear_inverse, "
        "damped_linear. By default the first three.",
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Path of the new output.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Device that computes.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished output.")]
Force = Annotated[bool, typer.Option("--force", help="Go on though memory or disk do not suffice.")]
Region = Annotated[
    str | None,
    typer.Option(
        metavar="[NAME=]SOUTH:NORTH,WEST:EAST",
        help="Box of latitude and longitude, as --region=-30:30,0:360, or tropics, northern_extratropics, "
        "southern_extratropics.",
    ),
]
Season = Annotated[
    Literal["DJF", "MAM", "JJA", "SON"] | None,
    typer.Option(help="Score only forecasts that start in these three months."),
]
Surface = Annotated[
    Literal["land", "sea"] | None,
    typer.Option(
        help="Score on land or at sea only. Land is where the store's land fraction is at least 0.5; without one, "
        "within the coastlines of the package."
    ),
]
ByRegion = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=SOUTH:NORTH,WEST:EAST]",
        help="Region with its own scores beside the whole: a box or land, sea, tropics, northern_extratropics, "
        "southern_extratropics; repeatable.",
    ),
]
Weights = Annotated[
    Literal["cell_area", "cos_latitude"], typer.Option(help="Weights of the cells in all means.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Split = Annotated[str, typer.Option(help="Split that the initial times belong to.")]
Init = Annotated[
    list[str] | None,
    typer.Option(
        help="Initial time, list A,B or range A..B/5D; repeatable. By default the first possible time of each period, "
        "and a later time every forecast.init_every steps of the model's recipe."
    ),
]
Forcings = Annotated[
    Path | None, typer.Option(help="Training store with the forcings. By default STORE.")
]
ForecastSteps = Annotated[
    int | None,
    typer.Option(
        callback=at_least(1, "--steps", MOST_STEPS),
        help="Number of steps. By default that of the model's recipe.",
    ),
]
ForcingsBeyond = Annotated[
    str | None,
    typer.Option(
        help="Forcings after the end of the store: repeat takes its last year again, 2002 that year."
    ),
]
_MEMBERS = typer.Option(
    callback=at_least(1, "--members", 100_000),
    help="Members of the ensemble from each initial state.",
)
Members = Annotated[int, _MEMBERS]
MembersOrNone = Annotated[int | None, _MEMBERS]
_PERTURB = typer.Option(help="What makes the members differ at the start.")
Perturb = Annotated[Literal["auto", "noise", "bred", "none"], _PERTURB]
PerturbOrNone = Annotated[Literal["auto", "noise", "bred", "none"] | None, _PERTURB]
_GUARD = typer.Option(
    help="When a forecast leaves the training climate: warn and go on, stop it, or record it only."
)
Guard = Annotated[Literal["warn", "stop", "record"], _GUARD]
GuardOrNone = Annotated[Literal["warn", "stop", "record"] | None, _GUARD]
Stabilize = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Correction of each state before it is fed back, as spectral_filter={}; repeatable.",
    ),
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:CLASS",
        help="Class of the MODEL's network, where no installed package has it.",
    ),
]
Seed = Annotated[int, typer.Option(callback=at_least(0, "--seed"), help="Seed of the bootstrap.")]
Resamples = Annotated[
    int,
    typer.Option(
        callback=at_least(2, "--resamples", MOST_RESAMPLES), help="Number of bootstrap resamples."
    ),
]
Title = Annotated[str | None, typer.Option(help="Heading of the report.")]
HeatWaves = Annotated[
    str | None,
    typer.Option(
        metavar="VARIABLE[:START..END]",
        help="Temperature whose marine heat waves are scored too, and the period of the thresholds.",
    ),
]
StepsOfModel = Annotated[
    int | None,
    typer.Option(
        "--steps",
        callback=at_least(1, "--steps", MOST_STEPS),
        help="Roll a MODEL out for so many steps and judge it; FORECAST is then the model, and no field is stored.",
    ),
]
Length = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Forecast time in place of --steps, as 36h, 365d, 6mo, 10y."),
]
Workers = Annotated[
    int, typer.Option(callback=at_least(1, "--workers"), help="Processes that share the work.")
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers share the work."),
]
Scores = Annotated[
    list[str] | None,
    typer.Option(
        "--score",
        metavar="MODULE:FAMILY",
        help="Score of your own, see docs/your_score.md; repeatable.",
    ),
]
Sections = Annotated[
    list[str] | None,
    typer.Option(
        "--section",
        metavar="MODULE:FUNCTION",
        help="Section of the report of your own; repeatable.",
    ),
]
Eddies = Annotated[
    str | None,
    typer.Option(metavar="VARIABLE", help="Sea level whose eddies are scored too."),
]
IndicesOption = Annotated[
    str | None,
    typer.Option(
        "--indices",
        metavar="NAME,NAME...",
        help="Climate indices that are scored too: nino34, nino3, nino4, nino12, amo, amo_minus_global, pdo, "
        "jet_latitude, or all that fit.",
    ),
]
DropPaths = Annotated[
    bool,
    typer.Option(
        "--drop-paths", help="Leave out branches of the network at random, as in training."
    ),
]
StatisticsOnly = Annotated[
    bool,
    typer.Option(
        "--statistics-only",
        help="Store mean, variance, smallest and largest value of each field in place of the field.",
    ),
]
Every = Annotated[
    Literal["month"] | None,
    typer.Option(help="Store the means of calendar months in place of single steps."),
]
MeanAndSpread = Annotated[
    bool,
    typer.Option(
        "--mean-and-spread", help="Store mean and standard deviation over the members too."
    ),
]


def store_and_changes(
    recipe: str, store: Path | None, changes: list[str] | None, earlier: Path | None
) -> tuple[Path, list[str]]:
    """Return the store and the changes to the recipe that `train` was given, in either way of saying the store.

    Raises:
        UserError: if there is no store.
    """
    changes = list(changes or [])
    if earlier is not None:
        return earlier, [*([] if store is None else [str(store)]), *changes]
    if store is not None and ("=" not in str(store) or store.exists()):
        return store, changes
    found = "nothing" if store is None else f"the change '{store}'"
    raise UserError(
        f"train: expected a training store after {recipe}, found {found}. Write `triton-earth train {recipe} STORE "
        f"--out RUN{'' if store is None else f' {store}'}`."
    )
