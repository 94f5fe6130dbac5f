"""Years of forecasts of trained models against the climate of their training data, and the skill of their first days.

    python benchmarks/long_runs.py STORE RUN [RUN ...] [--json FILE] [--runs 365x12 3652x4] [--leads 1 3 5 10]
        [--starts 12] [--members 8] [--split test] [--truth STORE]

For each run folder: anomaly correlation and error of the mean of the members, and of single members, from starts of the
test split; then runs of so many steps from so many starts (STEPSxSTARTS), beyond the end of the store, with forcings as
`forecast --forcings-beyond repeat` takes them. Scores are those of `evaluation/climate`: departures of the area mean
from the season in windows of 30 days, variance over that expected in windows of 90 days, amplitude and delay of the
annual wave, bias map over its noise floor, ratio of power in octaves of the wavenumber, climate skill; El Niño, eddies,
the jet and energy where the variables are there (`run_series.py`). States are corrected by the stabilisers of the
model's recipe. Nothing of the test split is used to choose a model:
for that take the starts of the validation split, `--split valid`. `--truth` judges runs of the truth alike, which shows
what a perfect model would score.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from run_series import series_of

from triton_earth.core.state import State
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.climate.measures import BANDS
from triton_earth.evaluation.climate.records import STATISTICS, ClimateRecords, climate_skill
from triton_earth.evaluation.climate.reference import TrainingClimate, fit_training_climate
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.models.base import Forecaster
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.guard.stabilizers import Correction, Stabilizer, StabilizersConfig
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.row_forecaster import RowForecaster

MEMBERS = 8
DAYS = (1, 3, 5, 10)
Start = tuple[int, int]
"""Trajectory and time of the store that a run starts from."""
Step = tuple[np.ndarray, np.ndarray]
"""Valid times and fields [run, channel, y, x] of all runs after a step."""


def together(
    model: Forecaster,
    store: TrainingStore,
    starts: list[Start],
    steps: int,
    stabilizers: list[Stabilizer],
    members: int = 1,
) -> Iterator[State]:
    """Yield the forecasts from some times of the store, all rows at once: faster, but for rounding alike."""
    trajectories, times = ([start[part] for start in starts] for part in (0, 1))
    ensemble = EnsembleConfig(members=members)
    seeds = ensemble.noise_seeds(trajectories, times)
    rows = RowForecaster(model, one_by_one=False, noise_seeds=seeds)
    inits = np.repeat(np.arange(len(starts)), members).tolist()
    forcings = Forcings(model, store, trajectories, store.times[times], steps, "repeat")
    window = store.windows(
        [trajectories[init] for init in inits],
        [times[init] - model.history + 1 for init in inits],
        model.history,
    )
    correction = None
    if stabilizers:
        initial = window.select(model.prognostic.names)
        mask = None if initial.valid_mask is None else initial.valid_mask.numpy()
        correction = Correction(stabilizers, initial, mask)
    for state in rollout(rows, window, forcings.states(inits, 0, "cpu"), steps, correction):
        if correction is not None:
            correction.changes.clear()
        yield state


def stabilizers_of(folder: str, store: TrainingStore, model: Forecaster) -> list[Stabilizer]:
    """Return what the recipe of a model corrects its states with, as `forecast` does."""
    recipe = load_provenance(folder)["training"].get("recipe", {})
    chosen = recipe.get("forecast", {}).get("stabilizers") or {}
    return StabilizersConfig.parse(chosen, folder).build(store, model.prognostic)


def evenly(
    store: TrainingStore, count: int, before: int, room: int, split: str = "test"
) -> list[Start]:
    """Return starts in a split, evenly spread, that have some truth before each and some after."""
    segments = store.segments(split)
    each = -(-count // len(segments))
    return [
        (segment.trajectory, int(time))
        for segment in segments
        for time in np.linspace(segment.start + before, segment.stop - 1 - room, each).round()
    ][:count]


def skill(
    model: Forecaster,
    store: TrainingStore,
    climate: TrainingClimate,
    starts: list[Start],
    stabilizers: list[Stabilizer],
    leads: Sequence[int] = DAYS,
    count: int = MEMBERS,
) -> dict[str, Any]:
    """Return anomaly correlations at some leads, the mean over starts, and the spread of members over their error.

    The root mean square error of the mean of the members is there too, over all starts.
    """
    channels = store.variables.indices(climate.names)
    climatology, weights = climate.reference.climatology, store.grid.cell_area_weights
    found: dict[str, list] = {"mean": [], "member": [], "spread_over_error": []}
    valid = climate.reference.measures.weights > 0
    for trajectory, start in starts:
        by_lead: dict[str, list] = {name: [] for name in found}
        states = together(model, store, [(trajectory, start)], max(leads), stabilizers, count)
        for lead, state in enumerate(states, start=1):
            if lead not in leads:
                continue
            when = slice(start + lead, start + lead + 1)
            cycle = climatology.at(store.times[when])[0]
            truth = np.where(valid, store.read(trajectory, when)[0, channels] - cycle, 0)
            members = state.select(list(climate.names)).data[:, 0].numpy()
            members = np.where(valid, members - cycle, 0)
            mean = members.mean(axis=0)

            def correlation(field: np.ndarray, truth: np.ndarray = truth) -> np.ndarray:
                product, own, other = (
                    (weights * one).sum((-2, -1)) for one in (field * truth, field**2, truth**2)
                )
                return product / np.sqrt(own * other)

            by_lead["mean"].append(correlation(mean))
            by_lead["member"].append(np.mean([correlation(one) for one in members], axis=0))
            spread = (weights * members.var(axis=0, ddof=min(1, count - 1))).mean((-2, -1)) * (
                1 + 1 / count
            )
            by_lead["spread_over_error"].append(
                np.stack([spread, (weights * (mean - truth) ** 2).mean((-2, -1))])
            )
        for name, values in by_lead.items():
            found[name].append(values)
    both = np.mean(found["spread_over_error"], axis=0)
    named = {name: np.mean(found[name], axis=0) for name in ("mean", "member")}
    named["spread_over_error"] = np.sqrt(both[:, 0] / both[:, 1])
    named["error"] = np.sqrt(both[:, 1] / (weights * valid).mean((-2, -1)))
    unit = "day" if isinstance(store.time_step, np.timedelta64) else "step"
    return {
        name: {
            f"{unit} {lead}": {
                one: float(f"{value:.3g}") for one, value in zip(climate.names, row, strict=True)
            }
            for lead, row in zip(leads, values, strict=True)
        }
        for name, values in named.items()
    }


def forecasts(
    model: Forecaster,
    store: TrainingStore,
    names: list[str],
    starts: list[Start],
    steps: int,
    stabilizers: list[Stabilizer],
) -> Iterator[Step]:
    """Yield valid times and fields of runs of a model."""
    for state in together(model, store, starts, steps, stabilizers):
        yield state.valid_times[:, 0], state.select(names).data[:, 0].numpy()


def truth(
    store: TrainingStore, names: list[str], starts: list[Start], steps: int
) -> Iterator[Step]:
    """Yield valid times and fields of runs that are the trajectories of a store themselves."""
    channels = store.variables.indices(names)
    for step in range(1, steps + 1):
        found = [
            (
                store.times[start + step],
                store.read(trajectory, slice(start + step, start + step + 1)),
            )
            for trajectory, start in starts
        ]
        yield (
            np.stack([when for when, _ in found]),
            np.concatenate([one for _, one in found])[:, channels],
        )


def climate_of(
    run_steps: Iterator[Step],
    store: TrainingStore,
    climate: TrainingClimate,
    starts: list[Start],
    steps: int,
) -> dict[str, Any]:
    """Return what runs of so many steps look like beside the climate, the worst start beside the mean."""
    names, reference = list(climate.names), climate.reference
    setting = ClimateSetting.measured(store, climate, steps, [start for _, start in starts])
    records = ClimateRecords.empty(1, len(starts), setting)
    series = series_of(store, names, reference.climatology)
    began, run = time.perf_counter(), reference.run(len(starts))
    for times, fields in run_steps:
        run.add(times, fields)
        for one in series.values():
            one.add(fields, times)
    records.put(0, np.arange(len(starts)), run, setting)
    columns = slice(BANDS, BANDS + reference.measures.bands)
    power = [
        numbers[..., columns].mean(axis=0)
        / reference.expectation.at(times)[..., columns].mean(axis=0)
        for numbers, times in zip(run.numbers, run.valid_times, strict=True)
    ]
    seconds = time.perf_counter() - began

    def by_variable(values: np.ndarray) -> dict[str, Any]:
        """Smallest, mean and largest over starts and windows of each variable, which is the last axis."""
        flat = values.reshape(-1, len(names))
        return {
            name: [round(float(f(flat[:, column])), 4) for f in (np.min, np.mean, np.max)]
            for column, name in enumerate(names)
        }

    departure = records.departure[0]
    scores, floors = records.statistics[0], np.stack([setting.floor[name] for name in STATISTICS])
    ratio = scores / floors
    skills = climate_skill(records.statistics, setting)[0]
    return {
        "starts": [f"{trajectory}: {str(store.times[start])[:10]}" for trajectory, start in starts],
        "steps": steps,
        "finite": bool(np.isfinite(scores[:, STATISTICS.index("bias_map")]).all()),
        "seconds": round(seconds, 1),
        "steps_per_second": round(len(starts) * steps / seconds, 1),
        "departure_30_days": by_variable(departure),
        "largest_departure_30_days": by_variable(np.abs(departure).max(axis=1)),
        "trend_over_its_error": by_variable(np.stack([significance(one) for one in departure])),
        "variance_90_days": by_variable(records.variance[0]),
        "variance_whole": by_variable(records.variance[0].mean(axis=1)),
        "season_amplitude": by_variable(records.amplitude[0]),
        "season_days_late": by_variable(records.late[0]),
        "power_by_octave": {
            name: {
                f"from {2**band}": [
                    round(float(f([one[column, band] for one in power])), 3)
                    for f in (np.min, np.mean, np.max)
                ]
                for band in range(reference.measures.bands)
            }
            for column, name in enumerate(names)
        },
        "ratio_to_floor": {
            name: by_variable(ratio[:, place]) for place, name in enumerate(STATISTICS)
        },
        "climate_skill": [round(float(f(skills)), 4) for f in (np.min, np.mean, np.max)],
        "failures": {
            name: int(records.failures[0, :, place].sum()) for place, name in enumerate(FAILURES)
        },
        "series": {name: one.beside(store, names) for name, one in series.items()},
    }


def significance(departure: np.ndarray) -> np.ndarray:
    """Return the slope of a run's 30-day means over its standard error, allowing for their autocorrelation.

    Bretherton et al. (1999), J. Climate 12, 1990: n (1 − r)/(1 + r) independent means, r the correlation of
    neighbouring residuals.
    """
    count = len(departure)
    axis = np.arange(count) - (count - 1) / 2
    slope = axis @ departure / (axis @ axis)
    rest = departure - departure.mean(axis=0) - np.outer(axis, slope)
    squares = (rest**2).sum(axis=0)
    lag = np.clip((rest[1:] * rest[:-1]).sum(axis=0) / squares, 0, 0.95)
    free = np.maximum(3, count * (1 - lag) / (1 + lag)) - 2
    return slope / np.sqrt(squares / free / (axis @ axis))


def runs_of(text: str) -> tuple[int, int]:
    """Return the steps and the starts that STEPSxSTARTS names."""
    steps, starts = (int(part) for part in text.split("x"))
    return steps, starts


def note(results: dict[str, Any], folder: str, part: str, path: Path | None) -> None:
    """Print what was just found of a model, and write all that is known so far."""
    print(json.dumps({folder: results[folder][part]}), flush=True)
    if path:
        path.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """Measure every model: its first days, then its long runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("models", nargs="+", help="run folders, or names of shipped models")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=runs_of, nargs="*", default=[(365, 12), (3652, 4)])
    parser.add_argument("--leads", type=int, nargs="*", default=list(DAYS))
    parser.add_argument("--starts", type=int, default=12, help="of the errors at the leads")
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--split", choices=["test", "valid"], default="test")
    parser.add_argument("--truth", type=Path, help="store with longer trajectories of the truth")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    store = TrainingStore.open(arguments.store)
    results: dict[str, Any] = {}
    climate, before = None, 0
    for folder in arguments.models:
        model = load_forecaster(folder)
        stabilizers = stabilizers_of(folder, store, model)
        climate = fit_training_climate(store, model.predicted.names)
        if climate is None:
            raise SystemExit(f"{arguments.store}: the training split is too short.")
        found = results[folder] = {}
        before, leads = model.history - 1, arguments.leads
        if leads:
            starts = evenly(store, arguments.starts, before, max(leads), arguments.split)
            found["skill"] = skill(
                model, store, climate, starts, stabilizers, leads, arguments.members
            )
            note(results, folder, "skill", arguments.json)
        for steps, count in arguments.runs:
            starts = evenly(store, count, before, 0, arguments.split)
            runs = forecasts(model, store, list(climate.names), starts, steps, stabilizers)
            found[f"{steps} steps"] = climate_of(runs, store, climate, starts, steps)
            note(results, folder, f"{steps} steps", arguments.json)
    if arguments.truth is not None and climate is not None:
        other, name = TrainingStore.open(arguments.truth), str(arguments.truth)
        results[name] = {}
        for steps, count in arguments.runs:
            starts = evenly(other, count, before, steps, arguments.split)
            runs = truth(other, list(climate.names), starts, steps)
            results[name][f"{steps} steps"] = climate_of(runs, store, climate, starts, steps)
            note(results, name, f"{steps} steps", arguments.json)


if __name__ == "__main__":
    main()
