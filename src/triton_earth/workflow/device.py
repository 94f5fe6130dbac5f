"""The device that work runs on, and the arithmetic that suits it."""

from typing import Literal

import torch

from triton_earth.core.errors import UserError
from triton_earth.models.forecaster import Precision

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> torch.device:
    """Return the device: ``auto`` takes a GPU where there is one.

    Raises:
        UserError: if a GPU is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("no GPU is found (torch.cuda.is_available() is false); use --device cpu.")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def resolve_precision(precision: Precision | Literal["auto"], device: torch.device) -> Precision:
    """Return the arithmetic of a network: ``auto`` takes bfloat16 where the device multiplies matrices of it fast.

    These are GPUs that have it in hardware, and CPUs with AMX; elsewhere it gains nothing, and ``auto`` is float32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # An older torch does not tell.
        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        fast = bool(known.get("amx_bf16", False))
    return "bfloat16" if fast else "float32"
