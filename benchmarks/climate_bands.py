"""How often the truth itself stays within the bands of the climate and within the bands of single leads.

python benchmarks/climate_bands.py [--cases weather_small turbulence_small ...] [--only climate|leads] [--json FILE]
python benchmarks/climate_bands.py --store STORE --lengths 120 365 [--only climate|leads] [--json FILE]

Runs of the climate are held out. At single leads another truth stands in for the forecast of a held-out state: the
states that followed the same date of a training year or, without a calendar, the same time of a training trajectory.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.climate.records import ClimateRecords, climate_skill
from triton_earth.evaluation.climate.reference import fit_training_climate
from triton_earth.evaluation.climate.scores import climate_scores
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import FAILURES, judge
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.workflow.prepare import prepare

CASES = {
    "weather_small": (60, 120, 230),
    "turbulence_small": (60, 99),
    "kuroshio_small": (60, 120),
    "ocean_forced_small": (60, 120),
}
"""Recipes, and the lengths of runs in steps."""

LEADS = (10, 30)
"""Leads at which another truth stands in for a forecast."""
STARTS = 12
"""Largest number of starts in a held-out stretch."""


class OtherTruth:
    """Forecasts made of the states that followed other states of a store: a perfect climate without skill."""

    chunk_inits = 1

    def __init__(
        self, store: TrainingStore, names: list[str], pairs: list[tuple], steps: int
    ) -> None:
        """Take pairs of (trajectory, start) of the truth and of the other truth."""
        self.variables, self.grid = store.variables.select(names), store.grid
        self.time_step = store.time_step
        self.lead_times = np.asarray(np.arange(1, steps + 1) * store.time_step)
        self.init_times = store.times[[start for (_, start), _ in pairs]]
        self.trajectories = np.array([trajectory for (trajectory, _), _ in pairs])
        self.provenance = {"model": "another truth"}
        self._store, self._channels = store, store.variables.indices(names)
        self._others = [other for _, other in pairs]

    def read(self, inits: slice, lead: int) -> np.ndarray:
        """Read one lead of some forecasts."""
        return np.concatenate(
            [
                self._store.read(trajectory, slice(start + lead + 1, start + lead + 2))
                for trajectory, start in self._others[inits]
            ]
        )[:, self._channels]


def pairs_of(store: TrainingStore, steps: int) -> list[tuple]:
    """Return held-out states, each beside training states of the same date or the same time after the start."""
    found = []
    train = store.segments("train")
    year = None
    if isinstance(store.time_step, np.timedelta64):
        year = round(np.timedelta64(365, "D") / store.time_step)
    for segment in [one for split in ("valid", "test") for one in store.segments(split)]:
        last = segment.stop - 1 - steps
        if last < segment.start:
            continue
        starts = np.unique(np.linspace(segment.start, last, STARTS).astype(int)).tolist()
        for number, start in enumerate(starts):
            if year is not None:
                others = [
                    (one.trajectory, start - years * year) for one in train for years in range(1, 9)
                ]
            else:
                others = [(train[number % len(train)].trajectory, start)]
            found += [
                ((segment.trajectory, start), (trajectory, other))
                for trajectory, other in others
                if any(
                    one.trajectory == trajectory and one.start <= other and other + steps < one.stop
                    for one in train
                )
            ]
    return found


def at_leads(recipe: str, store: TrainingStore, names: list[str]) -> list[dict]:
    """Return for each number of leads which part of the forecasts that are another truth is judged stable."""
    rows = []
    for steps in LEADS:
        pairs = pairs_of(store, steps)
        if not pairs:
            continue
        forecasts = OtherTruth(store, names, pairs, steps)
        scores = evaluate_forecasts([forecasts], store, resamples=2).scores
        rows.append(
            {
                "case": recipe,
                "leads": steps,
                "runs": len(pairs),
                "stable": {
                    str(name): round(float(value), 3)
                    for name, value in zip(
                        scores["forecast"].values, scores["stable_fraction"].values, strict=True
                    )
                },
                "first": json.loads(scores["stability_criterion"].attrs["counts"])[0],
                "bands": json.loads(scores.attrs["stability_bands"]),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def case(recipe: str, lengths: tuple[int, ...], folder: Path, only: str | None) -> list[dict]:
    """Prepare the store of a recipe and judge it."""
    prepare(recipe, out=folder / f"{recipe}.zarr")
    return judged(recipe, TrainingStore.open(folder / f"{recipe}.zarr"), lengths, only)


def judged(
    recipe: str, store: TrainingStore, lengths: tuple[int, ...], only: str | None
) -> list[dict]:
    """Return for each length how many held-out runs are judged stable, and their climate skill."""
    names = [one.name for one in store.variables if one.role in ("prognostic", "diagnostic")]
    leads = [] if only == "climate" else at_leads(recipe, store, names)
    return leads if only == "leads" else [*leads, *of_climate(recipe, store, names, lengths)]


def of_climate(
    recipe: str, store: TrainingStore, names: list[str], lengths: tuple[int, ...]
) -> list[dict]:
    """Return for each length how many held-out runs are judged stable, and their climate skill."""
    channels = store.variables.indices(names)
    climate = fit_training_climate(store, names)
    if climate is None:
        return []
    rows = []
    held_out = [one for split in ("valid", "test") for one in store.segments(split)]
    for length in lengths:
        starts = [
            (segment, start)
            for segment in held_out
            for start in np.unique(
                np.linspace(segment.start, max(segment.start, segment.stop - length), 6).astype(int)
            )
            if start + length <= segment.stop
        ]
        if not starts:
            continue
        setting = ClimateSetting.measured(store, climate, length, [start for _, start in starts])
        stable, skills, failed, ratios = [], [], dict.fromkeys(FAILURES, 0), []
        for segment, start in starts:
            run = climate.reference.run(1)
            fields = store.read(segment.trajectory, slice(start, start + length))[:, channels]
            for time, field in zip(store.times[start : start + length], fields, strict=True):
                run.add(time[None], field[None])
            found = judge(run, climate.reference, setting.bands, names)
            stable.append(bool(found.stable[0]))
            for name, values in found.failures.items():
                failed[name] += int(values[0])
            records = ClimateRecords.empty(1, 1, setting)
            records.put(0, np.array([0]), run, setting)
            skills.append(float(climate_skill(records.statistics, setting)[0, 0]))
            scores = climate_scores(run, climate.reference)
            ratios.append([(scores[name][0] / setting.floor[name]).mean() for name in scores])
        rows.append(
            {
                "case": recipe,
                "steps": length,
                "runs": len(starts),
                "stable": float(np.mean(stable)),
                "skill": float(np.mean(skills)),
                "worst_skill": float(np.min(skills)),
                "failures": failed,
                "ratios": dict(zip(scores, np.mean(ratios, axis=0).round(2).tolist(), strict=True)),
            }
        )
        print(json.dumps(rows[-1]))
    return rows


def main() -> None:
    """Print a line for each case and length; write them as JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--only", choices=("climate", "leads"))
    parser.add_argument("--store", type=Path, help="judge this training store in place of recipes")
    parser.add_argument("--lengths", nargs="+", type=int, default=[60, 120])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.store:
        store = TrainingStore.open(arguments.store)
        rows = judged(arguments.store.stem, store, tuple(arguments.lengths), arguments.only)
        save(rows, arguments.json)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for name in arguments.cases
            for row in case(name, CASES[name], Path(folder), arguments.only)
        ]
    save(rows, arguments.json)


def save(rows: list[dict], path: Path | None) -> None:
    """Write the rows as JSON where a file is named."""
    if path:
        path.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
