"""Scores on disk: `scores.nc` for programs and pictures, `scores.json` for people and scripts."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import write_text
from triton_earth.core.time import describe_duration
from triton_earth.evaluation.remarks import REMARKS
from triton_earth.evaluation.verdict.headline import headline
from triton_earth.evaluation.verdict.verdict import FINDINGS

NETCDF = "scores.nc"
JSON = "scores.json"

PACKED_BYTES = 2**20
"""Size above which an array of scores is compressed."""

NOTE = (
    "null is a value that does not exist: a forecast that is not finite, a horizon that is not reached, an interval of "
    "a single trajectory. Spectra, maps and errors of single starts are in scores.nc only."
)


def save_scores(scores: xr.Dataset, folder: Path) -> None:
    """Write scores as `scores.nc` (everything) and `scores.json` (everything but the spectra).

    Each file is written under a temporary name and renamed: it is whole or absent.

    Args:
        scores: What `evaluate_forecast` gave.
        folder: Where to; made if it is not there.

    Raises:
        UserError: if the folder cannot be made or written.
    """
    temporary = folder / f".{NETCDF}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Intervals of large spectra are missing at most leads.
        packed = {
            name: {"zlib": True, "complevel": 1}
            for name, values in scores.data_vars.items()
            if values.dtype.kind == "f" and values.nbytes > PACKED_BYTES
        }
        scores.to_netcdf(temporary, engine="netcdf4", encoding=packed)
        temporary.replace(folder / NETCDF)
        write_text(folder / JSON, _text(scores_as_json(scores)))
    except (OSError, RuntimeError) as error:  # netCDF4 says of a full disk that HDF has an error
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{folder}: scores cannot be written there ({reason}). Make room, or choose another folder."
        ) from error
    finally:
        if folder.is_dir():
            temporary.unlink(missing_ok=True)


def scores_as_json(scores: xr.Dataset) -> dict[str, Any]:
    """Return scores as plain values for strict JSON: per forecast, then variable, then score.

    Args:
        scores: What `evaluate_forecast` gave.

    Returns:
        Nested mappings. A score over lead times is {"value": [...], "lower": [...], "upper": [...]}; what is not
        finite is null.
    """
    by_variable = _named(scores, ("forecast", "variable", "lead_time"))
    by_source = _named(scores, ("source", "lead_time"))
    overall = _named(scores, ("forecast", "variable"))
    by_field = _named(scores, ("source", "variable", "lead_time"))
    of_ensemble = _named(scores, ("variable", "lead_time"))
    by_forecast = _named(scores, ("forecast",))
    by_region = _named(scores, ("region", "forecast", "variable", "lead_time"))
    by_index = _named(scores, ("forecast", "lead_time", "index"))
    sources = [str(name) for name in scores["source"].values]
    return {
        "title": scores.attrs["title"],
        "note": NOTE,
        "headline": headline(scores).to_dict(),
        "forecasts": {
            name: {
                **{score: _one(scores, score, forecast=name) for score in by_forecast},
                "variables": {
                    variable: {
                        score: _one(scores, score, forecast=name, variable=variable)
                        for score in [*by_variable, *overall]
                    }
                    for variable in map(str, scores["variable"].values)
                },
            }
            for name in map(str, scores["forecast"].values)
        },
        "flow": {
            name: {score: _one(scores, score, source=name) for score in by_source}
            for name in sources
            if by_source
        },
        "fields": {
            name: {
                variable: {
                    score: _one(scores, score, source=name, variable=variable) for score in by_field
                }
                for variable in map(str, scores["variable"].values)
            }
            for name in sources
            if by_field
        },
        "ensemble": {
            variable: {score: _one(scores, score, variable=variable) for score in of_ensemble}
            for variable in map(str, scores["variable"].values)
            if of_ensemble
        },
        **({"regions": _regions(scores, by_region)} if by_region else {}),
        **({"indices": _indices(scores, by_index)} if by_index else {}),
        "lead": _plain(scores["lead"].values),
        "lead_time": _plain(scores["lead_time"].values),
        "initial_conditions": _plain(scores["initial_conditions"].values),
        "definitions": {
            name: {
                key: scores[name].attrs[key]
                for key in ("definition", "units")
                if key in scores[name].attrs
            }
            for name in [
                *by_forecast,
                *by_variable,
                *overall,
                *by_source,
                *by_field,
                *of_ensemble,
                *by_region,
                *by_index,
            ]
        },
        **{
            key: json.loads(value)
            if key in ("provenance", "stability_bands", FINDINGS)
            else _plain(value)
            for key, value in scores.attrs.items()
            if key not in ("title", REMARKS)
        },
        REMARKS: scores.attrs.get(REMARKS, "").splitlines(),
    }


def _regions(scores: xr.Dataset, names: list[str]) -> dict[str, Any]:
    """Return the scores of each region: what it is, then per forecast and variable."""
    return {
        region: {
            "description": str(scores["region_description"].sel(region=region).values),
            "forecasts": {
                forecast: {
                    variable: {
                        name: _one(
                            scores, name, region=region, forecast=forecast, variable=variable
                        )
                        for name in names
                    }
                    for variable in map(str, scores["variable"].values)
                }
                for forecast in map(str, scores["forecast"].values)
            },
        }
        for region in map(str, scores["region"].values)
    }


def _indices(scores: xr.Dataset, names: list[str]) -> dict[str, Any]:
    """Return the scores of each climate index: what it is, then per forecast."""
    return {
        index: {
            "definition": str(scores["index_definition"].sel(index=index).values),
            "units": str(scores["index_units"].sel(index=index).values),
            "forecasts": {
                forecast: {
                    name: _one(scores, name, index=index, forecast=forecast) for name in names
                }
                for forecast in map(str, scores["forecast"].values)
            },
        }
        for index in map(str, scores["index"].values)
    }


def _text(values: dict[str, Any]) -> str:
    """Return strict JSON, indented, with each list of plain values on one line."""
    text = json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False)
    # No text in JSON holds a line break, so that those matched here are all between values.
    lists = re.compile(r"\[\n[^\[\]{}]*\n *\]")
    return lists.sub(lambda found: re.sub(r"\n *", " ", found[0]), text) + "\n"


def _named(scores: xr.Dataset, dimensions: tuple[str, ...]) -> list[str]:
    return [str(name) for name, values in scores.data_vars.items() if values.dims == dimensions]


def _one(scores: xr.Dataset, name: str, **where: str) -> Any:
    value = _plain(scores[name].sel(where).values)
    if f"{name}_interval" not in scores:
        return value
    interval = scores[f"{name}_interval"].sel(where)
    return {
        "value": value,
        "lower": _plain(interval.sel(bound="lower").values),
        "upper": _plain(interval.sel(bound="upper").values),
    }


def _plain(values: Any) -> Any:
    """Return values as JSON has them: lists, numbers, text; spans in words; what is not finite as null."""
    array = np.asarray(values)
    if array.ndim:
        return [_plain(value) for value in array]
    if array.dtype.kind == "f":
        return float(array) if np.isfinite(array) else None
    if array.dtype.kind in "iub":
        return array.item()
    if array.dtype.kind == "m":
        return describe_duration(values)
    return str(array)
