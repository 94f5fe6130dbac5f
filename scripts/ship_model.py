"""Puts a trained model among those that come with the package, with the scores of its evaluation.

python scripts/ship_model.py RUN NAME --task TASK --recipe RECIPE --store STORE --scores REPORT [--trained RECIPE]
    [--long FIGURE ...]

STORE is the data of RECIPE, by which the model is judged; it may have been trained on that of another recipe.

The model is that of the run folder; the card quotes scores of the folder that `evaluate` wrote, at the first, middle
and last lead, and says by which commands both come about. A test makes the scores of forecasts of a single step again.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

import triton_earth
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.models.checkpoint import load_forecaster, load_provenance, save_forecaster
from triton_earth.models.zoo import CARD

ZOO = Path(__file__).parents[1] / "src" / "triton_earth" / "zoo"
BY_LEAD = ("rmse", "acc", "relative_l2")


def quoted(folder: Path) -> list[dict]:
    """Return scores of the first forecast at three leads, with their intervals and those of persistence."""
    with xr.open_dataset(folder / "scores.nc", decode_timedelta=True) as file:
        scores = file.load()
    leads = scores.sizes["lead_time"]
    rows = []
    for name in BY_LEAD:
        if name not in scores:
            continue
        for variable in scores["variable"].values.tolist():
            for lead in sorted({0, leads // 2, leads - 1}):
                chosen = scores[name].sel(variable=variable).isel(lead_time=lead)
                interval = scores[f"{name}_interval"].sel(variable=variable).isel(lead_time=lead)
                rows.append(
                    {
                        "name": name,
                        "variable": variable,
                        "step": int(scores["lead"][lead]),
                        "value": number(chosen[0]),
                        "interval": [number(bound) for bound in interval[0]],
                        "persistence": number(chosen.sel(forecast="persistence")),
                    }
                )
    return rows


def single_steps(run: Path, store: Path) -> dict[str, float]:
    """Return the RMSE of each variable of forecasts of one step from all starts of the test split."""
    with tempfile.TemporaryDirectory() as folder:
        stored = triton_earth.forecast(run, store, Path(folder) / "f.zarr", steps=1)
        scores = evaluate_forecast(stored, triton_earth.open_store(store), resamples=2)
    return {
        name: float(f"{float(scores['rmse'].sel(variable=name)[0, 0]):.6g}")
        for name in scores["variable"].values.tolist()
    }


def number(value: xr.DataArray) -> float | None:
    """Return a number with six digits; None where there is none."""
    return float(f"{float(value):.6g}") if np.isfinite(value) else None


def main() -> None:
    """Write the folder of the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--task", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--trained", help="recipe of the training, if another one")
    parser.add_argument("--limits", default="")
    parser.add_argument("--long", nargs="*", default=[], help="sentences on long runs")
    arguments = parser.parse_args()
    forecaster, facts = load_forecaster(arguments.run), load_provenance(arguments.run)["training"]
    # Paths of the machine that it was trained on say nothing to anybody.
    trained = arguments.trained or arguments.recipe
    years = "truth.zarr" if trained == arguments.recipe else "training.zarr"
    prepared = {years: trained, "truth.zarr": arguments.recipe}
    command = f"triton-earth train {trained} {years} --out run"
    folder = ZOO / arguments.name
    save_forecaster(forecaster, folder, {**facts, "command": command})
    log = arguments.run / "log.csv"
    if log.is_file():
        shutil.copy(log, folder / "log.csv")
    card = {
        "task": arguments.task,
        "recipe": arguments.recipe,
        "parameters": forecaster.parameter_count,
        "data": triton_earth.open_store(arguments.store).content_hash,
        "commands": [
            *(f"triton-earth prepare {recipe} --out {store}" for store, recipe in prepared.items()),
            command,
            "triton-earth forecast run truth.zarr --out forecast.zarr",
            "triton-earth evaluate forecast.zarr truth.zarr --out report",
        ],
        "scores": quoted(arguments.scores),
        "single_steps": single_steps(arguments.run, arguments.store),
        "long_runs": arguments.long,
        "limits": arguments.limits,
    }
    (folder / CARD).write_text(
        json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
