"""The command line: translates each verb into one function call. Torch is imported inside the verbs only."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triton_earth import __version__
from triton_earth.bench.command import bench
from triton_earth.core import exit_codes
from triton_earth.core.errors import UserError
from triton_earth.ending import ending_of, rank
from triton_earth.exchange.command import COMMANDS as EXCHANGE
from triton_earth.listings import COMMANDS as LISTINGS
from triton_earth.options import (
    BaselinesOption,
    ByRegion,
    ClimatologyOption,
    ClimatologyPeriod,
    Dask,
    Device,
    DropPaths,
    EarlierStore,
    Eddies,
    Every,
    Force,
    Forcings,
    ForcingsBeyond,
    ForecastArgument,
    ForecastSteps,
    GroupedCommand,
    Guard,
    GuardOrNone,
    HeatWaves,
    IndicesOption,
    Init,
    Length,
    MeanAndSpread,
    Members,
    MembersOrNone,
    ModelArgument,
    Names,
    Network,
    Out,
    OutOrNone,
    Overrides,
    Overwrite,
    Perturb,
    PerturbOrNone,
    RecipeArgument,
    Region,
    Rename,
    Resamples,
    Resume,
    Scores,
    Season,
    Sections,
    Seed,
    Split,
    Stabilize,
    StatisticsOnly,
    StepsOfModel,
    StoreArgument,
    StoreOfTrain,
    Surface,
    Title,
    TruthArgument,
    Weights,
    Workers,
    at_least,
    store_and_changes,
)

if TYPE_CHECKING:
    import xarray as xr

app = typer.Typer(
    name="triton-earth",
    help="Train, run and judge AI forecasts of the Earth system over very long rollouts.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"triton-earth {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and problems only.")
    ] = False,
) -> None:
    """Train, run and judge AI forecasts of the Earth system over very long rollouts."""
    quiet = quiet or rank() > 0
    logging.getLogger("triton_earth").setLevel(logging.WARNING if quiet else logging.INFO)
    # What the guard sees is in the forecast and in the report.
    logging.getLogger("triton_earth.guard").setLevel(logging.ERROR if quiet else logging.NOTSET)


@app.command()
def demo(
    task: Annotated[
        str, typer.Argument(metavar="[TASK]", help="turbulence, weather, ocean or kuroshio")
    ] = "turbulence",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for everything. By default demo/TASK."),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train a new model in place of the shipped one.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Show the whole path without internet. It prepares data, forecasts with the shipped model and judges it."""
    from triton_earth.workflow.demo import demo as run
    from triton_earth.workflow.demo import demo_folder

    scores = run(task, out, train=train, overwrite=overwrite)
    _show(scores, demo_folder(task, out, train=train) / "report")


@app.command()
def prepare(
    recipe: RecipeArgument,
    out: Out,
    overrides: Overrides = None,
    device: Device = "auto",
    resume: Resume = False,
    overwrite: Overwrite = False,
    workers: Annotated[
        int,
        typer.Option(
            help="Processes that prepare gridded data.", callback=at_least(1, "--workers")
        ),
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers prepare gridded data."),
    ] = None,
    force: Force = False,
) -> None:
    """Make the training store of a recipe."""
    from triton_earth.workflow.prepare import prepare as run

    store = run(
        recipe,
        out,
        overrides,
        device=device,
        resume=resume,
        overwrite=overwrite,
        force=force,
        workers=workers,
        dask=dask,
    )
    typer.echo(f"training store: {store.path} (content {store.content_hash[:12]})")


@app.command()
def inspect(
    path: Annotated[
        str,
        typer.Argument(
            metavar="STORE_OR_FILE", help="Training store, stored forecast, file or pattern."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    times: Annotated[
        int | None, typer.Option(min=2, help="Number of times to look at. By default all.")
    ] = None,
) -> None:
    """Print what is in a store or file, and what is wrong. The exit code is 1 when a finding is fatal."""
    from triton_earth.workflow.inspect import inspect as run

    inspection = run(path, times)
    as_dict = inspection.to_dict()
    typer.echo(json.dumps(as_dict, indent=1, allow_nan=False) if as_json else inspection.to_text())
    if inspection.is_fatal:
        raise typer.Exit(exit_codes.FINDING)


@app.command()
def train(
    recipe: RecipeArgument,
    store: StoreOfTrain = None,
    overrides: Overrides = None,
    *,
    out: Out,
    resume: Resume = False,
    overwrite: Overwrite = False,
    force: Force = False,
    earlier_store: EarlierStore = None,
) -> None:
    """Train the model of a recipe."""
    from triton_earth.workflow.train import train as run

    store, overrides = store_and_changes(recipe, store, overrides, earlier_store)
    run(recipe, store, out, overrides, resume=resume, overwrite=overwrite, force=force)
    if rank() == 0:
        typer.echo(f"model: {out / 'forecaster'}")


@app.command()
def plan(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            "-s",
            help="Training store, if it is prepared already: the plan is then exact.",
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(callback=at_least(1, "--processes"), help="Processes that share a batch."),
    ] = 1,
    find_rate: Annotated[
        bool, typer.Option("--find-rate", help="Find a learning rate too; needs --store.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Run real steps on the device in place of counting operations."
        ),
    ] = False,
) -> None:
    """Print what a training takes: memory, disk, hours. Nothing is written."""
    from triton_earth.workflow.plan import plan as run
    from triton_earth.workflow.plan import rows

    if find_rate and store is None:
        raise UserError("--find-rate trains a little and needs data: add --store STORE.")
    for name, value in rows(run(recipe, overrides, store, processes, measure=measure)):
        typer.echo(f"{name:28s} {value}")
    if find_rate and store is not None:
        from triton_earth.workflow.running.find_rate import find_rate as find

        typer.echo(
            f"{'train.learning_rate, try':28s} {find(recipe, store, overrides).suggested:.1e}"
        )


@app.command(cls=GroupedCommand)
def forecast(
    model: ModelArgument,
    store: StoreArgument,
    out: Out,
    steps: ForecastSteps = None,
    length: Length = None,
    split: Split = "test",
    init: Init = None,
    forcings: Forcings = None,
    forcings_beyond: ForcingsBeyond = None,
    batch_size: Annotated[
        str, typer.Option(help="Number of forecasts that are made together.")
    ] = "auto",
    members: Members = 1,
    perturb: Perturb = "auto",
    perturb_size: Annotated[
        float,
        typer.Option(help="Size of a perturbation, over that of a step of the training data."),
    ] = 0.5,
    seed: Annotated[
        int, typer.Option(callback=at_least(0, "--seed"), help="Seed of the members.")
    ] = 0,
    drop_paths: DropPaths = False,
    variables: Annotated[
        str | None, typer.Option(help="Variables to store, names or patterns as sst,temperature_*.")
    ] = None,
    levels: Annotated[str | None, typer.Option(help="Levels to store, as 500,850.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Steps to store, as 1,5,10 or 5..365/5.")
    ] = None,
    region: Region = None,
    statistics_only: StatisticsOnly = False,
    mean_and_spread: MeanAndSpread = False,
    every: Every = None,
    guard: Guard = "warn",
    stabilize: Stabilize = None,
    network: Network = None,
    device: Device = "auto",
    resume: Resume = False,
    overwrite: Overwrite = False,
    force: Force = False,
) -> None:
    """Forecast from states of a training store."""
    from triton_earth.rollout.batch_size import parse_batch_size
    from triton_earth.workflow.forecast import forecast as run

    run(
        model,
        store,
        out,
        steps=steps,
        length=length,
        split=split,
        init=init,
        forcings=forcings,
        forcings_beyond=forcings_beyond,
        batch_size=parse_batch_size(batch_size),
        members=members,
        perturb=perturb,
        perturb_size=perturb_size,
        drop_paths=drop_paths,
        seed=seed,
        variables=variables.split(",") if variables else None,
        levels=levels.split(",") if levels else None,
        leads=leads,
        region=region,
        statistics_only=statistics_only,
        mean_and_spread=mean_and_spread,
        every=every,
        guard=guard,
        stabilize=stabilize,
        network=network,
        device=device,
        resume=resume,
        overwrite=overwrite,
        force=force,
    )
    typer.echo(f"forecast: {out}")


@app.command(cls=GroupedCommand)
def evaluate(
    forecast: ForecastArgument,
    truth: TruthArgument,
    out: OutOrNone = None,
    name: Names = None,
    rename: Rename = None,
    climatology: ClimatologyOption = None,
    climatology_period: ClimatologyPeriod = None,
    baselines: BaselinesOption = None,
    season: Season = None,
    region: Region = None,
    surface: Surface = None,
    by_region: ByRegion = None,
    weights: Weights = "cell_area",
    heat_waves: HeatWaves = None,
    eddies: Eddies = None,
    indices: IndicesOption = None,
    score: Scores = None,
    section: Sections = None,
    seed: Seed = 0,
    resamples: Resamples = 1000,
    title: Title = None,
    steps: StepsOfModel = None,
    length: Length = None,
    split: Annotated[
        str | None, typer.Option(help="Split that the MODEL's initial times belong to.")
    ] = None,
    init: Init = None,
    members: MembersOrNone = None,
    perturb: PerturbOrNone = None,
    forcings: Forcings = None,
    guard: GuardOrNone = None,
    stabilize: Stabilize = None,
    network: Network = None,
    workers: Workers = 1,
    dask: Dask = None,
    overwrite: Overwrite = False,
    force: Force = False,
) -> None:
    """Judge a forecast against the truth: scores and a report. Baselines stand beside the model."""
    options = dict(locals())
    from triton_earth.workflow.evaluate import evaluate as run

    scores = run(options.pop("forecast"), options.pop("truth"), **options)
    _show(scores, out)


@app.command(cls=GroupedCommand)
def compare(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FORECAST FORECAST... TRUTH",
            help="Forecasts of this package or of other programs, then the truth.",
        ),
    ],
    out: OutOrNone = None,
    name: Names = None,
    rename: Rename = None,
    climatology: ClimatologyOption = None,
    climatology_period: ClimatologyPeriod = None,
    baselines: BaselinesOption = None,
    season: Season = None,
    region: Region = None,
    surface: Surface = None,
    by_region: ByRegion = None,
    weights: Weights = "cell_area",
    heat_waves: HeatWaves = None,
    eddies: Eddies = None,
    indices: IndicesOption = None,
    score: Scores = None,
    section: Sections = None,
    seed: Seed = 0,
    resamples: Resamples = 1000,
    title: Title = None,
    workers: Workers = 1,
    dask: Dask = None,
    overwrite: Overwrite = False,
    force: Force = False,
) -> None:
    """Judge several forecasts against the truth and each other. Differences have their significance."""
    options = dict(locals())
    from triton_earth.workflow.evaluate import compare as run

    *forecasts, truth = options.pop("paths")
    _show(run(forecasts, truth, **options), out)


for _command in (bench, *EXCHANGE, *LISTINGS):
    app.command()(_command)


def main() -> None:
    """Run the command line: every end has one line and one of the exit codes of `core/exit_codes.py`."""
    # OpenMP threads that spin while they wait stall beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    code = ending_of(
        lambda: app(sys.argv[1:] or ["--help"], prog_name="triton-earth", standalone_mode=False)
    )
    if code:
        sys.exit(code)


def _show(scores: "xr.Dataset", folder: Path | None) -> None:
    """Print the score table, the verdict and where the report is."""
    from triton_earth.evaluation.verdict.summary import summary

    where = [] if folder is None else [f"report: {folder / 'report.html'}"]
    typer.echo("\n".join([*summary(scores), *where]))
