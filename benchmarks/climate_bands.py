"""How often the truth itself stays within the bands of the climate: held-out runs of each small case.

python benchmarks/climate_bands.py [--cases weather_small turbulence_small ...] [--json FILE]
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
from triton_earth.workflow.prepare import prepare

CASES = {
    "weather_small": (60, 120, 230),
    "turbulence_small": (60, 99),
    "kuroshio_small": (60, 120),
    "ocean_forced_small": (60, 120),
}
"""Recipes, and the lengths of runs in steps."""


def case(recipe: str, lengths: tuple[int, ...], folder: Path) -> list[dict]:
    """Return for each length how many held-out runs are judged stable, and their climate skill."""
    prepare(recipe, out=folder / f"{recipe}.zarr")
    store = TrainingStore.open(folder / f"{recipe}.zarr")
    names = [one.name for one in store.variables if one.role in ("prognostic", "diagnostic")]
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
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in arguments.cases for row in case(name, CASES[name], Path(folder))]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
