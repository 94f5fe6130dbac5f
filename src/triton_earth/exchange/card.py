"""Model cards: what is said of a model where it is published, from what is stored with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from triton_earth.core.errors import UserError, first_line
from triton_earth.core.time import describe_duration
from triton_earth.models.forecaster import NetworkForecaster

LIBRARY = "triton-earth"
BY_LEAD = ("rmse", "acc")
OF_RUNS = ("climate_skill", "climate_skill_worst", "climate_stable")
"""Scores that a card shows, where a score file has them."""


def model_card(
    forecaster: NetworkForecaster,
    provenance: dict[str, Any],
    *,
    name: str,
    licence: str,
    scores: Path | None = None,
) -> str:
    """Return a model card in Markdown, with the front matter that the Hub reads.

    Args:
        forecaster: The model.
        provenance: How it was trained, as `load_provenance` gives it.
        name: What the model is called.
        licence: Identifier of its licence, such as ``apache-2.0``.
        scores: Folder that `evaluate` wrote, whose scores are quoted.

    Raises:
        UserError: if the scores cannot be read.
    """
    training = provenance.get("training", {})
    recipe = training.get("recipe", {}) if isinstance(training.get("recipe"), dict) else {}
    title = str(recipe.get("title") or name.rpartition("/")[2])
    front = {
        "license": licence,
        "library_name": LIBRARY,
        "tags": ["earth-system", "forecast", "long-rollout", forecaster.name],
    }
    variables = ", ".join(f"{one.name} ({one.units})" for one in forecaster.predicted)
    given = ", ".join(forecaster.forcing.names) or "none"
    quoted = _quoted(scores)
    parts = [
        "---\n" + yaml.safe_dump(front, sort_keys=False) + "---",
        f"# {title}",
        f"A forecaster of Triton Earth (`{LIBRARY}`): {forecaster.parameter_count:,} parameters, network "
        f"`{forecaster.name}`, steps of {describe_duration(forecaster.time_step)}, grid {forecaster.grid}.",
        f'```python\nimport triton_earth\n\nmodel = triton_earth.load_forecaster("hf:{name}")\n```',
        "## Task\n"
        f"From {forecaster.history} state(s) it forecasts {variables}, fed with its own output for as long as asked. "
        f"Given from outside: {given}.",
        "## Data and training\n" + _training(training, provenance),
        "## Scores\n" + quoted,
        "## Intended use\nResearch on forecasts over long rollouts, on data like those it was trained on: the same "
        "variables, grid and time step.",
        "## Limits\nIt knows nothing that was not in its training data. Look at the scores of the worst run, not at "
        "the mean alone, before you trust it over years; it is no basis for warnings.",
        f"## Licence\n{licence}",
    ]
    return "\n\n".join(parts) + "\n"


def _training(training: dict[str, Any], provenance: dict[str, Any]) -> str:
    recipe = training.get("recipe")
    facts = {
        "command": training.get("command"),
        "converted from": training.get("converted"),
        "seed": training.get("seed"),
        "content hash of the data": training.get("store_hash"),
        "versions": ", ".join(f"{k} {v}" for k, v in dict(training.get("versions", {})).items()),
        "SHA-256 of the weights": provenance["model_hash"],
    }
    lines = [f"- {words}: `{value}`" for words, value in facts.items() if value not in (None, "")]
    if isinstance(recipe, dict):
        text = yaml.safe_dump(recipe, sort_keys=False)
        lines.append(f"\n<details><summary>recipe</summary>\n\n```yaml\n{text}```\n</details>")
    return "\n".join(lines)


def _quoted(folder: Path | None) -> str:
    """Return a table of the scores of the first model that was evaluated."""
    if folder is None:
        return "None were given when this card was made; `triton-earth evaluate` makes them."
    path = folder / "scores.nc"
    try:
        with xr.open_dataset(path, decode_timedelta=True) as file:
            scores = file.load()
    except (OSError, ValueError) as error:
        raise UserError(
            f"--scores {folder}: scores.nc cannot be read ({first_line(error)}); name a folder that evaluate wrote."
        ) from error
    rows = [*_by_lead(scores), *_of_runs(scores)]
    if not rows:
        raise UserError(
            f"--scores {folder}: scores.nc has none of the scores that a card quotes: "
            f"{', '.join((*BY_LEAD, *OF_RUNS))}."
        )
    head = "| score | of | value | 95 % interval |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def _by_lead(scores: xr.Dataset) -> Iterator[str]:
    leads = scores.sizes.get("lead_time", 0)
    for name in BY_LEAD:
        if name not in scores:
            continue
        for variable in scores["variable"].values:
            for lead in sorted({0, leads // 2, leads - 1}):
                where = {"forecast": 0, "lead_time": lead}
                value = scores[name].sel(variable=variable).isel(where)
                interval = scores[f"{name}_interval"].sel(variable=variable).isel(where)
                yield _row(name, f"{variable}, step {int(scores['lead'][lead])}", value, interval)


def _of_runs(scores: xr.Dataset) -> Iterator[str]:
    for name in OF_RUNS:
        if name in scores:
            interval = scores.get(f"{name}_interval")
            runs = f"{scores.sizes['init']} runs"
            yield _row(name, runs, scores[name][0], None if interval is None else interval[0])


def _row(name: str, of: str, value: xr.DataArray, interval: xr.DataArray | None) -> str:
    shown = ""
    if interval is not None and np.isfinite(interval).all():
        shown = " to ".join(f"{bound:.3g}" for bound in interval.values)
    return f"| {name} | {of} | {float(value):.3g} | {shown} |"
