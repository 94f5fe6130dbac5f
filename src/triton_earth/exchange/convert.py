"""Convert weights that were published for the original system into a forecaster of this package."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from triton_earth import __version__
from triton_earth.core.errors import UserError, first_line
from triton_earth.core.outputs.files import require_apart
from triton_earth.core.processes.machine import require_fits
from triton_earth.core.variables import Role
from triton_earth.data.statistics.normalization import NormalizationConfig, Normalizer
from triton_earth.data.statistics.seasons import SeasonalCycle
from triton_earth.interop.experiments import Experiment, find_experiment
from triton_earth.interop.official import load_network, official_config
from triton_earth.interop.statistics import (
    CELSIUS,
    read_climatology,
    read_mask,
    read_mean_and_std,
)
from triton_earth.models.checkpoint import save_forecaster
from triton_earth.models.forecaster import ModelConfig, NetworkForecaster
from triton_earth.models.triton import Triton

UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    safetensors.SafetensorError,
    zipfile.BadZipFile,
)
"""What torch and safetensors raise on files that are damaged or none of theirs."""

COPIES = 3
"""Copies of the weights in memory: as read, in the network, and as written."""


def convert(
    official: str | Path,
    to: str | Path,
    *,
    experiment: str | None = None,
    shape: tuple[int, int] | None = None,
    mean: str | Path | None = None,
    std: str | Path | None = None,
    climatology: str | Path | None = None,
    mask: str | Path | None = None,
    normalised: bool = False,
    overwrite: bool = False,
    force: bool = False,
) -> NetworkForecaster:
    """Make a forecaster of weights that were published for the original system.

    The network computes what the original does, with zeros beyond every border and rows from north to south where the
    original has them so. Everything that the weights do not say is that of the experiment: variables, levels, units,
    grid, time step.

    Args:
        official: Weights: a state dict as torch or safetensors save it, or a training checkpoint that holds one.
        to: New folder of the forecaster.
        experiment: ``weather``, ``ocean``, ``kuroshio`` or ``turbulence``; None: the one whose channels the weights
            have.
        shape: Rows and columns of the grid; None: those that the experiment was published on.
        mean: File of the means of every channel, or of means and standard deviations by year.
        std: File of the standard deviations.
        climatology: File of the climatology by day of the year.
        mask: File that says where every channel is defined.
        normalised: Whether fields stay normalised, as the weather experiment's files ``{year}_norm.nc`` are: units are
            1 then, and no statistics are asked for.
        overwrite: Replace an existing forecaster.
        force: Go on though memory or disk do not suffice.

    Returns:
        The forecaster.

    Raises:
        UserError: if the weights cannot be read or belong to no experiment, a file of statistics is missing or does not
            fit, or memory or disk do not suffice.
    """
    official, to = Path(official), Path(to)
    require_apart(to, [official])
    if not force and official.is_file():
        size = float(official.stat().st_size)
        require_fits(
            f"{to}: the conversion",
            memory=COPIES * size,
            disk=size,
            path=to,
            advice="Make room; a state dict without the optimizer's state takes less.",
        )
    network = load_network(read_weights(official))
    readout = network.decoder.readout
    found = find_experiment(
        experiment,
        network.frames,
        network.input_channels,
        readout.out_channels,
        readout.in_channels,
    )
    if normalised:
        found = found.of_normalised_fields()
    cells = shape or found.shape
    files = {"mean": mean, "std": std, "climatology": climatology, "mask": mask}
    paths = {name: None if file is None else Path(file) for name, file in files.items()}
    if to.exists() and not overwrite:
        raise UserError(
            f"{to} exists already. Choose another path, or add --overwrite to replace it."
        )
    forecaster = _forecaster(network, found, cells, paths)
    provenance = {
        "converted": official.name,
        "experiment": found.name,
        "statistics": {name: path.name for name, path in paths.items() if path is not None},
        "triton_earth_version": __version__,
    }
    save_forecaster(forecaster, to, provenance, overwrite=overwrite)
    return forecaster


def parse_shape(text: str) -> tuple[int, int]:
    """Return rows and columns that are written as ``128x128``.

    Raises:
        UserError: if they are not written so.
    """
    rows, cross, columns = text.partition("x")
    if not (cross and rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise UserError(f"--shape: expected ROWSxCOLUMNS such as 128x128, found '{text}'.")
    return int(rows), int(columns)


def read_weights(path: Path) -> dict[str, Any]:
    """Read a state dict or training checkpoint without running code that is in it.

    Args:
        path: File that torch or safetensors wrote.

    Raises:
        UserError: if there is none, it is damaged, or it holds more than tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of weights.")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: holds Python objects beside tensors, which are not loaded since that could run code. Save the "
            "state dict alone (torch.save(model.state_dict(), ...)) where you trust the file."
        ) from error
    except UNREADABLE as error:
        raise UserError(
            f"{path}: the weights cannot be read ({first_line(error)}); fetch the file again."
        ) from error
    if not isinstance(found, dict):
        raise UserError(
            f"{path}: expected a state dict, found {type(found).__name__}; save model.state_dict()."
        )
    return found


def _forecaster(
    network: Triton, experiment: Experiment, shape: tuple[int, int], files: dict[str, Path | None]
) -> NetworkForecaster:
    """Return the forecaster of a network, with the statistics of its experiment."""
    variables, grid = experiment.variables, experiment.grid(shape)
    count = len(variables)
    unused = [name for name in _unused(experiment) if files[name] is not None]
    if unused:
        raise UserError(
            f"--{unused[0]}: the experiment '{experiment.name}' has no such file; leave the option out."
        )
    means, deviations = np.zeros(count), np.ones(count)
    if experiment.statistics != "none":
        means, deviations = read_mean_and_std(files["mean"], files["std"], count)
    seasons = None
    if experiment.anomalies:
        if files["climatology"] is None:
            raise UserError(
                f"the experiment '{experiment.name}' works in anomalies; name the original's climatology by day of the "
                "year with --climatology FILE."
            )
        offsets = np.array(
            [
                CELSIUS if name.startswith("potential_temperature") else 0.0
                for name in experiment.anomalies
            ]
        )
        climatology = read_climatology(
            files["climatology"],
            variables.indices(list(experiment.anomalies)),
            offsets,
            shape,
            count,
            north_first=experiment.north_first,
        )
        seasons = SeasonalCycle(tuple(experiment.anomalies), climatology)
    normalizer = Normalizer(
        tuple(variables.names),
        tuple(means.tolist()),
        tuple(deviations.tolist()),
        tuple(deviations.tolist()),
        seasons=seasons,
    )
    config = ModelConfig(
        network=official_config(network),
        history=experiment.frames,
        prediction="state",
        north_first=experiment.north_first,
        normalization=NormalizationConfig(subtract="climatology" if seasons else "mean"),
    )
    forecaster = NetworkForecaster(config, variables, grid, experiment.step, normalizer)
    forecaster.network.load_state_dict(network.state_dict())
    forecaster.network.eval()
    if files["mask"] is not None:
        mask = torch.from_numpy(
            read_mask(files["mask"], count, shape, north_first=experiment.north_first)
        )
        given = [one.role == Role.FORCING for one in variables]
        forecaster.valid_mask = mask[[not one for one in given]]
        forecaster.forcing_mask = mask[given] if any(given) else None
    elif experiment.masked:
        raise UserError(
            f"the experiment '{experiment.name}' is defined at sea alone; name the file that says where that is with "
            "--mask FILE (true is sea)."
        )
    return forecaster


def _unused(experiment: Experiment) -> list[str]:
    unused = []
    if experiment.statistics == "none":
        unused += ["mean", "std"]
    if not experiment.anomalies:
        unused.append("climatology")
    if not experiment.masked:
        unused.append("mask")
    return unused
