"""The device that work runs on."""

from typing import Literal

import torch

from triton_earth.core.errors import UserError

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
