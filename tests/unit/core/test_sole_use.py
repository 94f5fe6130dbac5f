"""One process at a time writes into a folder."""

import fcntl

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.sole_use import SoleUse


def test_the_second_is_refused_until_the_first_has_ended(tmp_path):
    with SoleUse() as first, SoleUse() as second:
        first.claim(tmp_path)
        first.claim(tmp_path)
        with pytest.raises(UserError, match="another process is writing into it"):
            second.claim(tmp_path)
    with SoleUse() as third:
        third.claim(tmp_path)


def test_a_renamed_folder_stays_claimed(tmp_path):
    (tmp_path / "a").mkdir()
    with SoleUse() as first, SoleUse() as second:
        first.claim(tmp_path / "a")
        (tmp_path / "a").rename(tmp_path / "b")
        with pytest.raises(UserError, match="another process"):
            second.claim(tmp_path / "b")


def test_a_file_system_without_locks_refuses_nobody(tmp_path, monkeypatch):
    def none(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with SoleUse() as first, SoleUse() as second:
        first.claim(tmp_path)
        second.claim(tmp_path)
