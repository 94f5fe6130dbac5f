"""Write a step of a model as ONNX or as a program of torch, which other tools run without this package."""

import importlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from triton_earth import __version__
from triton_earth.core.errors import DAMAGE, UserError, first_line, nearest
from triton_earth.core.outputs.files import require_apart, sync, writing
from triton_earth.core.outputs.sole_use import sole_use
from triton_earth.core.state import State
from triton_earth.core.time import encode_duration
from triton_earth.exchange.step_module import StepModule, step
from triton_earth.models.checkpoint import load_forecaster, load_provenance
from triton_earth.models.forecaster import NetworkForecaster

ABOUT = "triton_earth"
"""Name of the description in the file: in ONNX's metadata, and as ``triton_earth.json`` in torch's."""
TOLERANCE = 1e-4
"""Largest difference from the original, in standard deviations of each variable."""
STATES = 3
"""Random states that an export is compared with the original on."""
SECONDS = (-315_619_200, 951_868_800, 1_700_000_000)
"""When they are valid, in s since 1970: before it, at the end of February of a leap year, and lately."""


def export(
    model: str | Path, out: str | Path, *, format: str | None = None, overwrite: bool = False
) -> Path:
    """Write a step of a model for other tools, with its normalisation and prediction rule inside.

        x(t + Δt), … = M[x(t), x(t − Δt), …; f(t + Δt), …]

    All fields are in physical units, in the order of the description in the file, which also has grid, time step and
    units. Inputs are ``states`` [1, history, channel, y, x]; where the model has them ``forcing`` [1, block, channel,
    y, x] at the target times, ``time`` [1] of the newest state in s since 1970-01-01T00:00 UTC, as int64, for its cycle
    of the year and day, and ``noise`` [1, history, channel, y, x], normally distributed. The output is [1, block,
    channel, y, x], NaN where undefined. Before the file gets its name it is run on random states and compared with the
    model: differences above 1e-4 standard deviations of a variable are refused.

    Args:
        model: Run folder, forecaster, name of a shipped model, or ``hf:OWNER/NAME[@REVISION]``.
        out: New file.
        format: ``onnx``, which needs the extra `onnx`, or ``pt2``, torch's own; None: by the ending of `out`.
        overwrite: Replace an earlier export.

    Returns:
        The file.

    Raises:
        UserError: if the model cannot be read, the format lacks one of its operations, what comes out is not what the
            model gives, or the file is there already or cannot be written.

    Example:
        import torch

        triton_earth.export("run", "model.pt2")
        network = torch.export.load("model.pt2").module()
    """
    out = Path(out)
    format = format or out.suffix.removeprefix(".")
    if format not in FORMATS:
        raise UserError(f"--format: unknown '{format}'; {nearest(format, FORMATS)}")
    require_apart(out, [model])
    forecaster = load_forecaster(model)
    about = json.dumps(description(forecaster, load_provenance(model)["model_hash"]))
    with sole_use(out), writing(out):
        _require_free(out, overwrite)
        temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        try:
            with _quiet():
                FORMATS[format](forecaster, temporary, about, out)
            sync(temporary)
            temporary.replace(out)
            sync(out.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return out


def description(forecaster: NetworkForecaster, model_hash: str) -> dict[str, Any]:
    """Return the description of a model that another tool needs to run it, as plain values."""
    return {
        "format": "triton-earth step 1",
        "version": __version__,
        "model": model_hash,
        "history": forecaster.history,
        "block": forecaster.block,
        "time_step": encode_duration(forecaster.time_step),
        "grid": forecaster.grid.to_dict(),
        "states": forecaster.prognostic.to_list(),
        "forcing": forecaster.forcing.to_list(),
        "outputs": forecaster.predicted.to_list(),
        "noise_channels": 0 if forecaster.config.noise is None else forecaster.config.noise.total,
    }


def example_inputs(
    forecaster: NetworkForecaster, module: StepModule, number: int
) -> dict[str, Tensor]:
    """Return random inputs: fields of the model's mean and spread, without values where they are undefined."""
    generator = torch.Generator().manual_seed(number)
    shape = forecaster.grid.shape

    def fields(variables: Any, times: int, mask: Tensor | None) -> Tensor:
        names, normalizer = variables.names, forecaster.normalizer
        rows = [normalizer.variables.index(name) for name in names]
        mean, std = (
            torch.tensor(values)[rows][:, None, None]
            for values in (normalizer.mean, normalizer.std)
        )
        noise = torch.randn(1, times, len(names), *shape, generator=generator)
        newest = _newest(forecaster, number)[:, None]
        valid = newest + np.arange(1 - times, 1) * forecaster.time_step
        state = State(mean + std * noise, variables, forecaster.grid, valid, mask)
        return normalizer.restored(state).masked().data

    mask = forecaster.valid_mask
    if mask is not None:
        mask = mask[forecaster.predicted.indices(forecaster.prognostic.names)]
    made = {"states": fields(forecaster.prognostic, forecaster.history, mask)}
    if "forcing" in module.inputs:
        made["forcing"] = fields(forecaster.forcing, forecaster.block, forecaster.forcing_mask)
    if "time" in module.inputs:
        made["time"] = torch.tensor([SECONDS[number]])
    noise = forecaster.config.noise
    if noise is not None:
        size = (1, forecaster.history, noise.total, *shape)
        made["noise"] = torch.randn(size, generator=generator)
    return made


def _newest(forecaster: NetworkForecaster, number: int) -> np.ndarray:
    """Return when the newest of some random states is valid."""
    if isinstance(forecaster.time_step, np.timedelta64):
        return np.array([SECONDS[number]], "datetime64[s]").astype("datetime64[ns]")
    return np.zeros(1)


def _require_same(
    forecaster: NetworkForecaster, number: int, inputs: dict[str, Tensor], found: Tensor, out: Path
) -> None:
    """Refuse outputs that are not those of the model itself.

    Raises:
        UserError: naming the variable and the difference.
    """
    forecaster.given_noise = inputs.get("noise")
    with torch.no_grad():
        expected = step(
            forecaster, inputs["states"], inputs.get("forcing"), _newest(forecaster, number)
        )
    forecaster.given_noise = None
    worst = _differences(forecaster, expected, found)
    channel = int(worst.argmax())
    if not worst[channel] <= TOLERANCE:
        raise UserError(
            f"{out}: what was exported gives other values than the model: '{forecaster.predicted.names[channel]}' "
            f"differs by {float(worst[channel]):.2g} of its standard deviation, {TOLERANCE:g} at most is let through. "
            "Nothing was written; try the other format."
        )


def _differences(
    forecaster: NetworkForecaster, expected: Tensor, found: Tensor
) -> Float[Tensor, " channel"]:
    """Return the largest difference of each variable in its standard deviations; infinite where NaN stands alone."""
    names, normalizer = forecaster.predicted.names, forecaster.normalizer
    std = torch.tensor([normalizer.std[normalizer.variables.index(name)] for name in names])
    states = [
        normalizer.transformed(
            State(
                values,
                forecaster.predicted,
                forecaster.grid,
                np.broadcast_to(_newest(forecaster, 0), values.shape[:2]),
            )
        ).data
        for values in (expected, found)
    ]
    apart = (states[0] - states[1]).abs() / std[:, None, None]
    both = expected.isnan() & found.isnan()
    apart = torch.where(both, 0.0, torch.where(apart.isnan(), torch.inf, apart))
    return apart.amax(dim=(0, 1, 3, 4))


def _program(
    forecaster: NetworkForecaster, out: Path
) -> tuple[torch.export.ExportedProgram, list[dict[str, Tensor]]]:
    """Return the step as a program of torch, and the inputs that it is compared on."""
    module = StepModule(forecaster).eval()
    inputs = [example_inputs(forecaster, module, number) for number in range(STATES)]
    with torch.no_grad():
        module(**inputs[0])  # fills what is kept by device, before it would be filled while traced
        try:
            traced = torch.export.export(module, (), kwargs=inputs[0], strict=False)
        except DAMAGE as error:
            raise _cannot(out, forecaster, error) from error
    return traced, inputs


def _write_pt2(forecaster: NetworkForecaster, temporary: Path, about: str, out: Path) -> None:
    program, inputs = _program(forecaster, out)
    with temporary.open("wb") as stream:
        torch.export.save(program, stream, extra_files={f"{ABOUT}.json": about})
    with temporary.open("rb") as stream:
        loaded = torch.export.load(stream).module()
    for number, given in enumerate(inputs):
        with torch.no_grad():
            _require_same(forecaster, number, given, loaded(**given), out)


def _write_onnx(forecaster: NetworkForecaster, temporary: Path, about: str, out: Path) -> None:
    for name in ("onnxscript", "onnx"):
        _package(name)
    runtime = _package("onnxruntime")
    program, inputs = _program(forecaster, out)
    try:
        made = torch.onnx.export(program, (), kwargs=inputs[0], verbose=False, dynamo=True)
    except (*DAMAGE, torch.onnx.OnnxExporterError) as error:
        raise _cannot(out, forecaster, error) from error
    assert made is not None
    made.model.metadata_props[ABOUT] = about
    failures: tuple[type[BaseException], ...] = (*DAMAGE, *_runtime_errors())
    try:
        made.save(str(temporary), external_data=False)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
    except failures as error:
        raise _cannot(out, forecaster, error) from error
    names = {one.name for one in session.get_inputs()}
    for number, given in enumerate(inputs):
        arrays = {name: values.numpy() for name, values in given.items() if name in names}
        (found,) = session.run(None, arrays)
        _require_same(forecaster, number, given, torch.from_numpy(found), out)


FORMATS = {"onnx": _write_onnx, "pt2": _write_pt2}
"""Formats by name."""


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that ONNX Runtime raises for models that it cannot run."""
    states = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return tuple(
        getattr(states, name)
        for name in (
            "Fail",
            "InvalidArgument",
            "InvalidGraph",
            "NotImplemented",
            "RuntimeException",
        )
    )


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"--format onnx: needs the package {name}; install it with pip install 'triton-earth[onnx]', or choose "
            "--format pt2."
        ) from error


def _cannot(out: Path, forecaster: NetworkForecaster, error: BaseException) -> UserError:
    """Return the refusal of a model that a format cannot hold, with what the innermost error says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return UserError(
        f"{out}: the network '{forecaster.name}' has an operation that this format lacks ({first_line(error)}). "
        "Choose the other format, or a network without it."
    )


def _require_free(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise UserError(
            f"{out} exists already. Choose another path, or add --overwrite to replace it."
        )
    if not out.is_file() or out.is_symlink() or ABOUT.encode() not in out.read_bytes():
        raise UserError(
            f"{out} is no export of ours, and --overwrite replaces nothing else. Remove it yourself, or choose another "
            "path."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own packages, which say nothing on the model, from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    before = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
