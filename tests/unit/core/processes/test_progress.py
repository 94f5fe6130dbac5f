import logging

import pytest

from triton_earth.core.processes import progress as module
from triton_earth.core.processes.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves on."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now)
    return Clock


def test_plain_lines_come_now_and_then_and_at_the_end(caplog, clock):
    caplog.set_level(logging.INFO, logger="triton_earth")
    with progress("simulate", 10, done=2) as advance:
        clock.now += 4
        advance(2)
        assert caplog.messages == []
        clock.now += 12
        advance(2, note="loss 0.5")
        advance(4)
    assert caplog.messages == [
        "simulate: 6/10, 16 s, 16 s left, loss 0.5",
        "simulate: 10/10, 16 s, 0 s left",
    ]


def test_quiet_work_says_nothing(caplog, capsys):
    caplog.set_level(logging.WARNING, logger="triton_earth")
    with progress("simulate", 1) as advance:
        advance()
    assert caplog.messages == []
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(caplog, capsys, monkeypatch):
    caplog.set_level(logging.INFO, logger="triton_earth")
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with progress("simulate", 4) as advance:
        advance(4, note="loss 0.5")
    assert caplog.messages == []
    written = capsys.readouterr().err
    assert "simulate" in written
    assert "4/4" in written
