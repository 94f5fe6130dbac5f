"""Freed memory that stays with the process: pages fetched and pages held, counted by the system."""

import subprocess
import sys

import pytest

from triton_earth.core.processes import kept_memory

SIZE = 64 * 2**20
PROGRAM = f"""
import resource

import torch

from triton_earth.core.processes.kept_memory import kept_memory

def fetched(times=5):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones({SIZE // 4})
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

torch.ones(1)
start = resident()
print(fetched())
with kept_memory():
    fetched(30)  # until there is a piece large enough for the next tensor and what aligns it
    print(fetched(), resident() - start)
print(resident() - start)
"""


@pytest.mark.skipif(kept_memory._c_library() is None, reason="another C library than GNU's")
def test_pages_are_fetched_once_and_given_back_in_the_end():
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    without, within, held, after = map(int, found.stdout.split())
    assert without > 3 * SIZE
    assert within < 0.1 * SIZE < 0.9 * SIZE < held
    assert after < 0.2 * SIZE


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(kept_memory, "_c_library", lambda: None)
    with kept_memory.kept_memory():
        pass


def test_memory_is_given_back_after_an_error(monkeypatch):
    told = []

    class Library:
        def mallopt(self, parameter, value):
            told.append((parameter, value))

        def malloc_trim(self, pad):
            told.append(("trim", pad))

    monkeypatch.setattr(kept_memory, "_c_library", Library)
    with pytest.raises(ValueError, match="a step"), kept_memory.kept_memory():
        raise ValueError("a step")
    assert told == [(-1, -1), (-4, 0), (-4, 65536), (-1, 64 * 2**20), ("trim", 0)]
