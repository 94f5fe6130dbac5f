"""A hundred years of a model in a single run, judged year by year against the climate of its training data.

    python benchmarks/century.py STORE MODEL [--years 100] [--seed 0] [--json FILE] [--figure FILE.png]

MODEL is a run folder, a forecaster or the name of a shipped model. The run starts at the first time of the test split
and takes forcings as `forecast --forcings-beyond repeat` does. Each year of the run (365 days) has the climate scores
of `evaluation/climate` over the noise floor of a year, climate skill and failures of the bands that a year of the
truth stays within. What is known after each year is written at once.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.climate.records import STATISTICS, ClimateRecords, climate_skill
from triton_earth.evaluation.climate.reference import TrainingClimate, fit_training_climate
from triton_earth.evaluation.climate.setting import ClimateSetting
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.models.base import Forecaster
from triton_earth.models.checkpoint import load_forecaster
from triton_earth.rollout.batches import Batches
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.guard.stabilizers import StabilizersConfig

YEAR = 365


def century(
    model: Forecaster, store: TrainingStore, climate: TrainingClimate, years: int, seed: int
) -> Any:
    """Yield the scores of each year of one run."""
    names = list(climate.names)
    start = store.segments("test")[0].start
    batches = Batches.of(
        model,
        store,
        trajectories=[0],
        starts=[start],
        steps=years * YEAR,
        ensemble=EnsembleConfig(seed=seed),
        forcings=None,
        guard=None,
        stabilizers=StabilizersConfig(),
        device="cpu",
        forcings_beyond="repeat",
    )
    setting = ClimateSetting.measured(store, climate, YEAR, [start])
    floors = np.stack([setting.floor[name] for name in STATISTICS])
    states = batches.start(slice(0, 1)).states()
    began = time.perf_counter()
    for year in range(1, years + 1):
        run = climate.reference.run(1)
        for _ in range(YEAR):
            state = next(states)
            run.add(state.valid_times[:, 0], state.select(names).data[:, 0].numpy())
        records = ClimateRecords.empty(1, 1, setting)
        records.put(0, np.array([0]), run, setting)

        def named(values: np.ndarray) -> dict[str, float]:
            return dict(zip(names, np.round(values, 4).tolist(), strict=True))

        scores = records.statistics[0, 0]
        yield {
            "year": year,
            "days": year * YEAR,
            "mean_departure": named(records.departure[0, 0].mean(axis=0)),
            "largest_departure_30_days": named(np.abs(records.departure[0, 0]).max(axis=0)),
            "variance": named(records.variance[0, 0].mean(axis=0)),
            "season_amplitude": named(records.amplitude[0, 0]),
            "season_days_late": named(records.late[0, 0]),
            "ratio_to_floor": {
                name: named(row) for name, row in zip(STATISTICS, scores / floors, strict=True)
            },
            "climate_skill": round(float(climate_skill(records.statistics, setting)[0, 0]), 4),
            "failures": [
                name
                for name, failed in zip(FAILURES, records.failures[0, 0], strict=True)
                if failed
            ],
            "hours": round((time.perf_counter() - began) / 3600, 4),
        }


def draw(years: list[dict[str, Any]], path: Path) -> None:
    """Draw departure of the mean, variance, ratio of the bias map to its floor, and skill over the years."""
    axis = [one["year"] for one in years]
    figure, axes = plt.subplots(4, 1, figsize=(8, 9), sharex=True, layout="constrained")
    for name in years[0]["variance"]:
        label = name.replace("_", " ")
        axes[1].plot(axis, [one["variance"][name] for one in years], label=label)
        axes[2].plot(axis, [one["ratio_to_floor"]["bias_map"][name] for one in years], label=label)
    first = next(iter(years[0]["variance"]))
    axes[0].plot(axis, [one["mean_departure"][first] for one in years], color="black")
    axes[0].axhline(0, color="grey", linewidth=0.8)
    axes[0].set_ylabel("departure of the\nmean (K)")
    axes[1].axhline(1, color="grey", linewidth=0.8)
    axes[1].set_ylabel("variance over that\nexpected")
    axes[1].legend(ncols=2, fontsize="small")
    axes[2].axhline(1, color="grey", linewidth=0.8)
    axes[2].set_ylabel("bias map of the year\nover its noise floor")
    axes[2].set_ylim(bottom=0)
    axes[3].plot(axis, [one["climate_skill"] for one in years], color="black")
    axes[3].set_ylim(0, 1)
    axes[3].set_ylabel("climate skill\nof the year")
    axes[3].set_xlabel("year of the run")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    """Run, and write what was found after each year."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("model")
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    store = TrainingStore.open(arguments.store)
    model = load_forecaster(arguments.model)
    climate = fit_training_climate(store, model.predicted.names)
    if climate is None:
        raise SystemExit(f"{arguments.store}: the training split is too short.")
    years: list[dict[str, Any]] = []
    for year in century(model, store, climate, arguments.years, arguments.seed):
        years.append(year)
        print(json.dumps(year), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(years, indent=1) + "\n")
    if arguments.figure:
        draw(years, arguments.figure)


if __name__ == "__main__":
    main()
