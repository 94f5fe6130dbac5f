"""Tensors with a text in one safetensors file that tells whether any bit of it has changed."""

import hashlib
import json

import safetensors.torch
import torch
from torch import Tensor

_SEALED = "sha256 and text"
"""The only key of the header's metadata: those of several come in any order, and the same file has the same bits."""


def to_bytes(tensors: dict[str, Tensor], text: str) -> bytes:
    """Return a safetensors file of tensors on the CPU and a text, with the SHA-256 over both in its header."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(tensors, metadata={_SEALED: f"{_digest(tensors, text)} {text}"})


def from_bytes(content: bytes) -> tuple[dict[str, Tensor], str]:
    """Read back what `to_bytes` gave.

    Raises:
        ValueError: if it is not what was written.
        safetensors.SafetensorError: if it is cut off.
    """
    tensors = safetensors.torch.load(content)
    length = int.from_bytes(content[:8], "little")
    told = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    seal, _, text = told.get(_SEALED, "").partition(" ")
    if seal != _digest(tensors, text):
        raise ValueError("its checksum is wrong: it is not what was written")
    return tensors, text


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
