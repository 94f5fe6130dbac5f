"""What is judged, and against what: stores of this package and data of others, opened and brought together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from triton_earth.core.errors import DAMAGE, UserError
from triton_earth.core.variables import Variables
from triton_earth.data.sources.files import open_files
from triton_earth.data.store.groups import provenance_of
from triton_earth.data.store.training_store import FORMAT as STORE_FORMAT
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.alignment import Forecasts
from triton_earth.evaluation.foreign.fields import require_renamed
from triton_earth.evaluation.foreign.forecasts import XarrayForecasts
from triton_earth.evaluation.foreign.masks import on_common_cells
from triton_earth.evaluation.foreign.truth import XarrayTruth, with_period
from triton_earth.evaluation.matching import Selected, describe_match, in_season, match
from triton_earth.models.checkpoint import DESCRIPTION
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.live_forecasts import LiveForecasts
from triton_earth.rollout.storage.forecast_store import FORMAT as FORECAST_FORMAT
from triton_earth.rollout.storage.forecast_store import ForecastStore
from triton_earth.workflow.forecasting.forecast_request import request_forecast
from triton_earth.workflow.forecasting.model_source import model_folders
from triton_earth.workflow.judging.evaluation_config import EvaluationConfig

ForecastSource = str | Path | xr.Dataset | Forecasts
TruthSource = str | Path | xr.Dataset | TrainingStore

Parts = list[tuple[str, xr.Dataset]]
"""Name and dataset of each file."""


@dataclass(frozen=True)
class Inputs:
    """What an evaluation works with.

    Attributes:
        stored: The forecasts as they were opened.
        models: The part of them that is judged: what all have, and the truth.
        names: What to call them; None: what they are stored as.
        truth: The truth, on their grid.
        climatology: Store whose training split the climatology is of; None: the truth's.
        remarks: What a reader must know about how these were read, in sentences.
        threads: Threads of torch for a model that is rolled out; None for its own choice.
    """

    stored: list[Forecasts]
    models: list[Forecasts]
    names: list[str] | None
    truth: TrainingStore
    climatology: TrainingStore | None
    remarks: list[str]
    threads: int | None = None


def paths_of(*sources: object, model: bool = False) -> list[Path]:
    """Return the local paths among what is read, which an output must stay apart from.

    Args:
        sources: Paths, datasets, stores; None is none.
        model: Whether the first is a run folder, of which only the forecaster is read.
    """
    found = [
        Path(source)
        for source in sources
        if isinstance(source, str | Path) and "://" not in str(source)
    ]
    return [*model_folders(found[0]), *found[1:]] if model and found else found


def open_inputs(
    forecasts: Sequence[ForecastSource], truth: TruthSource, config: EvaluationConfig
) -> Inputs:
    """Open forecasts and truth and bring them together.

    Args:
        forecasts: What is judged; with `config.is_rolled_out` one model.
        truth: What it is judged against.
        config: The options.

    Raises:
        UserError: if something cannot be opened or understood, or they have nothing in common; the message names both
            sides.
    """
    names = _names(forecasts, config)
    threads = None
    opened: list[Forecasts | Parts]
    if not config.is_rolled_out:
        opened = [_open_forecast(one) for one in forecasts]
    else:
        live, threads = _rolled_out(forecasts, truth, config)
        opened = [live]
    own = _open_truth(truth)
    others = [own] if isinstance(own, list) else []
    others += [one for one in opened if isinstance(one, list)]
    require_renamed(config.rename, [dataset for parts in others for _, dataset in parts])

    wanted = own.variables if isinstance(own, TrainingStore) else None
    if wanted is None:
        wanted = next((one.variables for one in opened if not isinstance(one, list)), None)
    stored: list[Forecasts] = []
    for one, name in zip(opened, names, strict=True):
        if isinstance(one, list):
            one = XarrayForecasts(one, name, rename=config.rename, wanted=wanted)
            wanted = wanted or one.variables
        stored.append(one)
    models, remarks = list(stored), _remarks(stored)
    if len(stored) > 1:
        models = list(match(stored, names))
        remarks.insert(0, describe_match(stored, names, models[0]))
    if config.season is not None:
        count = len(models[0].init_times)
        models = list(in_season(models, config.season))
        kept = len(models[0].init_times)
        remarks.append(f"Scored are the {kept} of {count} forecasts that start in {config.season}.")
    known = models[0].variables
    true = own if isinstance(own, TrainingStore) else _as_truth(own, config, known)
    if isinstance(own, list):
        models, left_out = _in_truth(models, true)
        remarks += [*true.remarks, *left_out] if isinstance(true, XarrayTruth) else left_out
    true = true.on(models[0].grid)
    true, masked = on_common_cells(models, true)
    climatology = _climatology(config, true, models[0])
    is_plain = len(stored) == 1 and not config.name and not isinstance(stored[0], XarrayForecasts)
    return Inputs(
        stored,
        models,
        None if is_plain else names,
        true,
        climatology,
        [*remarks, *masked],
        threads,
    )


def _names(forecasts: Sequence[ForecastSource], config: EvaluationConfig) -> list[str]:
    if not forecasts:
        raise UserError("there is no forecast to judge; give a path, a dataset or a list of them.")
    if config.name and len(config.name) != len(forecasts):
        raise UserError(
            f"expected a --name for each of {len(forecasts)} forecasts, found {len(config.name)}."
        )
    return list(config.name) or [_stem(one) for one in forecasts]


def _stem(source: ForecastSource) -> str:
    """Return the name of a forecast, from its file or its provenance."""
    if not isinstance(source, str | Path):
        provenance = (
            provenance_of(source.attrs)
            if isinstance(source, xr.Dataset)
            else getattr(source, "provenance", {})
        )
        return str(provenance.get("model", "forecast"))
    path = Path(source)
    if any(character in path.name for character in "*?["):
        path = path.parent
    name = path.name
    for suffix in (".zarr", ".nc", ".nc4", ".h5", ".grib"):
        name = name.removesuffix(suffix)
    return name or "forecast"


def _open_forecast(source: ForecastSource) -> Forecasts | Parts:
    if isinstance(source, xr.Dataset):
        return [("the dataset", source)]
    if not isinstance(source, str | Path):
        return source
    path = Path(source)
    kind = _format(source)
    if kind == FORECAST_FORMAT or (not _is_pattern(source) and not path.exists()):
        return require_single_steps(ForecastStore.open(path))
    if kind == STORE_FORMAT:
        raise UserError(f"{source}: a training store, not a forecast. The order is FORECAST TRUTH.")
    if (path / DESCRIPTION).is_file() or (path / "forecaster" / DESCRIPTION).is_file():
        raise UserError(
            f"{source}: a model, not a forecast. Add --steps N to judge it while it is rolled out, or store its "
            "forecast first: `triton-earth forecast MODEL STORE --out FORECAST`."
        )
    return open_files(str(source))


def require_single_steps(forecast: ForecastStore) -> ForecastStore:
    """Return a forecast of single steps.

    Raises:
        UserError: if its fields are means, which the states of a truth are no match for.
    """
    if forecast.every is not None:
        raise UserError(
            f"{forecast.path}: its fields are means over each {forecast.every}, but scores compare single steps. Judge "
            "the model while it is rolled out, `triton-earth evaluate MODEL STORE --length 10y`, which stores no "
            "fields; the means open with xarray."
        )
    return forecast


def _open_truth(source: TruthSource) -> TrainingStore | Parts:
    if isinstance(source, TrainingStore):
        return source
    if isinstance(source, xr.Dataset):
        return [("the truth", source)]
    kind = _format(source)
    if kind == STORE_FORMAT or (not _is_pattern(source) and not Path(source).exists()):
        return TrainingStore.open(source)
    if kind == FORECAST_FORMAT:
        raise UserError(f"{source}: a forecast, not a truth. The order is FORECAST TRUTH.")
    return open_files(str(source))


def _as_truth(parts: Parts, config: EvaluationConfig, wanted: Variables) -> XarrayTruth:
    name = parts[0][0] if len(parts) == 1 else f"{parts[0][0]} … {parts[-1][0]}"
    return XarrayTruth(parts, name, rename=config.rename, wanted=wanted)


def _format(source: str | Path) -> str | None:
    """Return which store of this package a path is; None for anything else, and what cannot be read."""
    if _is_pattern(source) or not Path(source).is_dir():
        return None
    try:
        found = zarr.open_group(Path(source), mode="r").attrs.get("format")
    except DAMAGE:
        # The opener says what is wrong with it.
        return STORE_FORMAT if (Path(source) / "state").is_dir() else None
    return found if isinstance(found, str) else None


def _is_pattern(source: str | Path) -> bool:
    return any(mark in str(source) for mark in ("*", "?", "[", "://", "shipped:"))


def _rolled_out(
    forecasts: Sequence[ForecastSource], store: TruthSource, config: EvaluationConfig
) -> tuple[LiveForecasts, int | None]:
    model = forecasts[0]
    if len(forecasts) > 1 or not isinstance(model, str | Path):
        raise UserError(
            "--steps: expected one model, a run folder or the folder of a forecaster. Store the forecasts of several "
            "with `triton-earth forecast` and compare these."
        )
    if not isinstance(store, str | Path):
        raise UserError("--steps: a model starts from a training store; give its path.")
    request = request_forecast(
        Path(model),
        Path(store),
        steps=config.steps,
        length=config.length,
        split=config.split or "test",
        init=list(config.init),
        forcings=None if config.forcings is None else Path(config.forcings),
        ensemble=EnsembleConfig(members=config.members or 1, perturb=config.perturb or "auto"),
        guard=config.guard or "warn",
        stabilizers=list(config.stabilize),
        network=config.network,
    )
    return LiveForecasts(request.forecaster, request.store, **request.how), request.threads


def _in_truth(
    models: Sequence[Forecasts], truth: TrainingStore
) -> tuple[list[Forecasts], list[str]]:
    """Leave out the variables that a truth made elsewhere does not have."""
    names = models[0].variables.names
    kept = [name for name in names if name in truth.variables]
    if len(kept) == len(names):
        return list(models), []
    chosen = models[0].variables.select(kept)
    return [
        Selected(one, np.arange(len(one.init_times)), np.arange(len(one.lead_times)), chosen)
        for one in models
    ], [f"Not scored, as the truth lacks them: {', '.join(n for n in names if n not in kept)}."]


def _climatology(
    config: EvaluationConfig, truth: TrainingStore, forecast: Forecasts
) -> TrainingStore | None:
    period = config.climatology_period
    if config.climatology is None:
        return None if period is None else with_period(truth, period)
    opened = _open_truth(config.climatology)
    if isinstance(opened, list):
        if period is None:
            raise UserError(
                f"--climatology {opened[0][0]}: it has no training split. Add --climatology-period START..END, "
                "for example 1990..2019."
            )
        opened = _as_truth(opened, config, forecast.variables)
    store = opened.on(forecast.grid)
    return store if period is None else with_period(store, period)


def _remarks(stored: Sequence[Forecasts]) -> list[str]:
    return [text for one in stored if isinstance(one, XarrayForecasts) for text in one.remarks]
