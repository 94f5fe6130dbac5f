import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.workflow.device import resolve_device, resolve_precision


@pytest.fixture
def machine(monkeypatch):
    """Pretend what the machine can do."""

    def pretend(*, gpu=False, gpu_bfloat16=False, amx=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation: gpu_bfloat16
        )
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx}, raising=False)

    return pretend


def test_a_gpu_is_taken_where_there_is_one(machine):
    machine(gpu=True)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cpu") == torch.device("cpu")
    machine()
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="no GPU is found"):
        resolve_device("cuda")


@pytest.mark.parametrize(
    ("device", "abilities", "expected"),
    [
        ("cpu", {}, "float32"),
        ("cpu", {"amx": True}, "bfloat16"),
        ("cpu", {"gpu": True, "gpu_bfloat16": True}, "float32"),
        ("cuda", {"gpu_bfloat16": True}, "bfloat16"),
        ("cuda", {"amx": True}, "float32"),
    ],
)
def test_the_precision_suits_the_device(machine, device, abilities, expected):
    machine(**abilities)
    assert resolve_precision("auto", torch.device(device)) == expected
    for asked in ("float32", "bfloat16"):
        assert resolve_precision(asked, torch.device(device)) == asked


def test_a_torch_that_does_not_tell_means_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision("auto", torch.device("cpu")) == "float32"
