"""One process at a time writes an output."""

import fcntl
import multiprocessing
import os
import signal

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.sole_use import lock_path, sole_use


def refusal(path):
    with pytest.raises(UserError) as caught, sole_use(path):
        pass
    return str(caught.value)


def test_the_second_is_refused_until_the_first_has_ended(tmp_path):
    out = tmp_path / "a" / "out"
    with sole_use(out):
        text = refusal(tmp_path / "a" / "." / "out")
        assert f"another process is writing it (process {os.getpid()} on " in text
        assert "Wait for its end, stop it, or choose another path." in text
        with sole_use(tmp_path / "a" / "other"):
            pass
    assert list(tmp_path.iterdir()) == []
    with sole_use(out):
        pass


def test_the_folder_may_have_two_names(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with sole_use(tmp_path / "a" / "out"):
        assert "another process is writing it" in refusal(tmp_path / "b" / "out")


def hold(path, ready):
    with sole_use(path):
        ready.set()
        signal.pause()


def test_a_killed_process_holds_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(tmp_path / "out", ready))
    holder.start()
    assert ready.wait(60)
    assert f"process {holder.pid} on" in refusal(tmp_path / "out")
    holder.kill()
    holder.join()
    assert lock_path(tmp_path / "out").exists()
    with sole_use(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_meanwhile_stays(tmp_path):
    with sole_use(tmp_path / "a" / "b" / "out"):
        (tmp_path / "a" / "note").write_text("mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "note"]


@pytest.mark.parametrize("kept", [0, 3, 12, 20])
def test_a_lock_that_a_power_cut_has_torn_claims_nothing(tmp_path, kept):
    with sole_use(tmp_path / "out"):
        content = lock_path(tmp_path / "out").read_bytes()
    lock_path(tmp_path / "out").write_bytes(content[:kept] + bytes(len(content) - kept))
    with sole_use(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_something_else_in_place_of_the_lock_is_left_alone(tmp_path):
    lock = lock_path(tmp_path / "out")
    lock.write_text("somebody's")
    assert "is in the way and is not ours" in refusal(tmp_path / "out")
    assert lock.read_text() == "somebody's"
    lock.unlink()
    os.mkfifo(lock)
    assert "is in the way and is not ours" in refusal(tmp_path / "out")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    assert "may not be written" in refusal(tmp_path / "out")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_locks_refuses_nobody(tmp_path, monkeypatch):
    def none(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with sole_use(tmp_path / "out"), sole_use(tmp_path / "out"):
        pass


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file'} is no folder. Choose another path." in refusal(
        tmp_path / "file" / "below" / "out"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "may not be written (" in refusal(tmp_path / "locked" / "out")


def test_parts_of_one_work_share_an_output_and_keep_others_away(tmp_path):
    out = tmp_path / "out"
    with sole_use(out, shared=True):
        with sole_use(out, shared=True):
            assert "another process is writing it" in refusal(out)
        assert lock_path(out).exists()
        assert "another process is writing it" in refusal(out)
    assert list(tmp_path.iterdir()) == []
    with (
        sole_use(out),
        pytest.raises(UserError, match="another process is writing it"),
        sole_use(out, shared=True),
    ):
        pass
