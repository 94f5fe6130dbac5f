"""Outputs are whole or absent, whatever happens at whatever moment."""

import contextlib
import errno
import os
import re

import pytest

from tests.builders import files_below
from triton_earth.core.errors import UserError
from triton_earth.core.outputs import claim as claims
from triton_earth.core.outputs import files, renames
from triton_earth.core.outputs.claim import MARK, Claim, Kind, hidden_path
from triton_earth.core.outputs.files import partial_path, write_text

THING = Kind("thing", ("thing.txt",), "thing 1", working=("working.txt",))
REPORT = Kind("report", ("thing.txt",), resumable=False)


def make(path, text="thing 1", kind=THING, *, resume=False, overwrite=False):
    """Make an output in two steps, as verbs do."""
    with Claim(path, kind, resume=resume, overwrite=overwrite) as claim:
        if not claim.goes_on(lambda found, where: same(found, text, where)):
            if claim.is_complete:
                return "complete"
            claim.begin(text)
        if not claim.is_created:
            claim.clear()
            write_text(claim.partial / "thing.txt", text)
            claim.created(half=True)
        write_text(claim.partial / "working.txt", "half")
        write_text(claim.partial / "more" / "deep.txt", text)
        claim.publish()
    return "made"


def same(found, wanted, where):
    if found != wanted:
        raise UserError(f"{where}: another")


def refusal(path, kind=THING, **options):
    before = files_below(path.parent)
    with (
        pytest.raises(UserError) as caught,
        Claim(path, kind, **{"resume": False, "overwrite": False, **options}),
    ):
        pass
    assert files_below(path.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole(path, text="thing 1"):
    assert files_below(path) == {
        "thing.txt": text.encode(), "more": b"", os.path.join("more", "deep.txt"): text.encode()
    }  # fmt: skip


@pytest.fixture(params=["exchange", "two renames"])
def system(request, monkeypatch):
    """A file system that can exchange names, and one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(renames, "_renameat2", lambda *_: False)
    return request.param


def test_a_new_output_has_nothing_beside_it(tmp_path):
    out = tmp_path / "a" / "b" / "out"
    assert make(out) == "made"
    whole(out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_claiming_alone_makes_nothing(tmp_path):
    with Claim(tmp_path / "a" / "out", THING, resume=False, overwrite=False) as claim:
        assert claim.partial == partial_path(claim.path)
        assert not claim.partial.exists()
    assert list(tmp_path.iterdir()) == []


def test_overwrite_keeps_the_old_output_until_the_new_one_is_complete(tmp_path, system):
    out = tmp_path / "out"
    make(out, "thing 1 old")
    make(out, "thing 1 new", overwrite=True)
    whole(out, "thing 1 new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def dying(monkeypatch, moment):
    """Die before the operation on the file system of this number, at every one of a claim's."""
    count = 0

    def counted(original):
        def call(*words, **how):
            nonlocal count
            count += 1
            if count > moment:
                raise Killed
            return original(*words, **how)

        return call

    for where, name in (
        (os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir"), (os, "open"),
        (renames, "_renameat2"),
    ):  # fmt: skip
        monkeypatch.setattr(where, name, counted(getattr(where, name)))
    return lambda: count <= moment


def killed_at_every_moment(monkeypatch, act, check, prepare):
    """Kill `act` before its first, second, ... operation, and check after each."""
    for moment in range(1000):
        prepare()
        with monkeypatch.context() as patch:
            lived = dying(patch, moment)
            with contextlib.suppress(Killed):
                act()
            ended = lived()
        check()
        if ended:
            assert moment > 10
            return
    raise AssertionError("it never ends")


def test_a_kill_at_any_moment_loses_nothing_and_resume_makes_the_new_output(
    tmp_path, monkeypatch, system
):
    out = tmp_path / "out"

    def prepare():
        files.remove(out)
        files.remove(partial_path(out))
        make(out, "thing 1 old")

    def check():
        told = (out / "thing.txt") if out.exists() else hidden_path(out) / "thing.txt"
        assert told.read_text() in ("thing 1 old", "thing 1 new")
        begun = partial_path(out).exists() or told.read_text() == "thing 1 new"
        make(out, "thing 1 new" if begun else "thing 1 old", resume=True)
        whole(out, "thing 1 new" if begun else "thing 1 old")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    killed_at_every_moment(
        monkeypatch, lambda: make(out, "thing 1 new", overwrite=True), check, prepare
    )


def test_a_kill_at_any_moment_of_a_resume_can_be_resumed(tmp_path, monkeypatch, system):
    out = tmp_path / "out"

    def prepare():
        files.remove(out)
        unfinished(out, "thing 1 new", created=False)

    def check():
        make(out, "thing 1 new", resume=True)
        whole(out, "thing 1 new")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    killed_at_every_moment(
        monkeypatch, lambda: make(out, "thing 1 new", resume=True), check, prepare
    )


@pytest.mark.parametrize("again", [{"overwrite": True}, {"discard": True}])
def test_a_kill_while_an_unfinished_output_is_removed_leaves_nothing_in_the_way(
    tmp_path, monkeypatch, again
):
    out = tmp_path / "out"

    def prepare():
        files.remove(out)
        unfinished(out, "thing 1 old")
        for name in ("a.txt", "thing.txt", "z.txt"):
            write_text(partial_path(out) / "more" / name, "x")

    def act():
        if "discard" in again:
            with Claim(out, THING, resume=False, overwrite=True) as claim:
                claim.discard()
        else:
            make(out, "thing 1 new", overwrite=True)

    def check():
        make(out, "thing 1 new", overwrite=True)
        whole(out, "thing 1 new")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    killed_at_every_moment(monkeypatch, act, check, prepare)


def unfinished(path, text="thing 1", *, created=True, overwrite=False):
    with Claim(path, THING, resume=False, overwrite=overwrite) as claim:
        claim.begin(text)
        write_text(claim.partial / "thing.txt", text)
        if created:
            claim.created()
    return claim.partial


def test_resume_goes_on_with_what_a_killed_overwrite_has_begun(tmp_path):
    out = tmp_path / "out"
    make(out)
    unfinished(out, overwrite=True)
    assert make(out, resume=True) == "made"
    unfinished(out, "thing 1 other", overwrite=True)
    assert make(out, resume=True) == "complete"
    assert make(out, "thing 1 other", resume=True) == "made"
    whole(out, "thing 1 other")


def test_what_may_not_be_touched_is_refused(tmp_path):
    out = tmp_path / "out"
    make(out)
    assert "exists already. Choose another path, or add --overwrite" in refusal(out)
    partial = unfinished(tmp_path / "half")
    assert f"{partial} is an unfinished output of an earlier run. Add --resume" in refusal(
        tmp_path / "half"
    )
    with pytest.raises(UserError, match="another"):
        make(tmp_path / "half", "thing 1 other", resume=True)
    other = Kind("chart", ("chart.txt",))
    text = refusal(tmp_path / "half", other, resume=True)
    assert "is an unfinished thing, no chart. Choose another path." in text
    text = refusal(out, resume=True, overwrite=True)
    assert text == "--resume and --overwrite exclude each other; give one of them."


def test_a_report_is_started_again_by_itself(tmp_path):
    def fail():
        with Claim(tmp_path / "out", REPORT, resume=False, overwrite=False) as claim:
            claim.begin()
            raise UserError("full disk")

    with pytest.raises(UserError, match="full disk"):
        fail()
    assert list(tmp_path.iterdir()) == []
    claims.begin_folder(tmp_path / "out.partial", {"kind": "report", "created": True})
    make(tmp_path / "out", kind=REPORT)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}])
def test_what_is_not_ours_is_never_emptied(tmp_path, options):
    out = tmp_path / "out"
    partial_path(out).mkdir()
    (partial_path(out) / "thesis.tex").write_text("years")
    assert "is in the way: it is no unfinished output of ours" in refusal(out, **options)
    files.remove(partial_path(out))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".a.1.tmp").write_text("mine")
    for target in ("elsewhere", "nowhere"):
        partial_path(out).symlink_to(tmp_path / target)
        assert "is in the way" in refusal(out, **options)
        partial_path(out).unlink()
    partial_path(out).write_text("a file")
    assert "is in the way" in refusal(out, **options)


def test_overwrite_replaces_only_what_the_verb_itself_makes(tmp_path):
    out = tmp_path / "out"
    out.write_text("a file")
    assert "is no thing, and --overwrite replaces nothing else" in refusal(out, overwrite=True)
    out.unlink()
    out.mkdir()
    (out / "thing.txt").write_text("a poem")
    assert "is no thing, and --overwrite replaces nothing else" in refusal(out, overwrite=True)
    (out / "thing.txt").unlink()
    make(out, overwrite=True)  # an empty folder
    whole(out)
    (tmp_path / "link").symlink_to(out)
    text = refusal(tmp_path / "link", overwrite=True)
    assert "is a link, and outputs replace no links" in text
    assert make(tmp_path / "link", resume=True) == "complete"


def test_links_within_an_unfinished_output_are_not_written_through(tmp_path):
    partial = unfinished(tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    (partial / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="more is a link, and nothing is written through links"):
        make(tmp_path / "out", resume=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gs://bucket/x", "outputs are folders of this machine, no addresses"),
        ("simplecache::s3://x", "outputs are folders of this machine, no addresses"),
        ("hf:owner/x", "outputs are folders of this machine, no addresses"),
        ("..", "is no name for a new output"),
        ("x" * 201, "has 201 bytes; the name of an output has at most 200"),
        ("\u00e4" * 150, "has 300 bytes; the name of an output has at most 200"),
    ],
)
def test_names_that_are_none(tmp_path, monkeypatch, name, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(text)):
        make(type(tmp_path)(name))
    assert list(tmp_path.iterdir()) == []


def test_a_loop_of_links(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        assert "cannot be written" in refusal(
            tmp_path / "loop", **options
        ) or "is a link" in refusal(tmp_path / "loop", **options)


def test_a_damaged_mark_says_so(tmp_path):
    partial = unfinished(tmp_path / "out")
    (partial / MARK).write_text("[]")
    with pytest.raises(
        UserError, match=r"unfinished.json is damaged; start again with --overwrite"
    ):
        make(tmp_path / "out", resume=True)
    (partial / MARK).write_text("{")
    with pytest.raises(UserError, match="the unfinished output is damaged"):
        make(tmp_path / "out", resume=True)
    make(tmp_path / "out", overwrite=True)
    whole(tmp_path / "out")


def test_what_was_set_aside_comes_back(tmp_path):
    make(tmp_path / "out", "thing 1 old")
    (tmp_path / "out").rename(hidden_path(tmp_path / "out"))
    assert "exists already" in refuse_after_settling(tmp_path / "out")
    whole(tmp_path / "out", "thing 1 old")


def refuse_after_settling(path):
    with pytest.raises(UserError) as caught:
        make(path)
    return str(caught.value)


@pytest.mark.parametrize("old", [None, "thing 1 old"])
def test_somebody_takes_the_name_meanwhile(tmp_path, monkeypatch, old):
    out = tmp_path / "out"
    if old:
        make(out, old)
    original = claims.sync_tree

    def taking(folder):
        original(folder)
        if old:
            out.rename(tmp_path / "saved")
        out.mkdir()
        (out / "mine").write_text("")

    monkeypatch.setattr(claims, "sync_tree", taking)
    with pytest.raises(UserError, match=r"out cannot be written \(File exists\)"):
        make(out, "thing 1 new", overwrite=True)
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_system_that_cannot_exchange(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    assert renames.exchange(tmp_path / "a", tmp_path / "b") in (True, False)

    def unknown(*_):
        return -1

    monkeypatch.setattr(renames.ctypes, "get_errno", lambda: errno.ENOSYS)
    monkeypatch.setattr(
        renames.ctypes, "CDLL", lambda *_, **__: type("Libc", (), {"renameat2": unknown})
    )
    assert not renames.exchange(tmp_path / "a", tmp_path / "b")
    with pytest.raises(FileExistsError):
        renames.rename_to_free(tmp_path / "a", tmp_path / "b")
    renames.rename_to_free(tmp_path / "a", tmp_path / "c")
    monkeypatch.setattr(renames.ctypes, "get_errno", lambda: errno.EACCES)
    with pytest.raises(PermissionError):
        renames.exchange(tmp_path / "c", tmp_path / "b")


def test_the_name_of_what_is_begun_is_on_the_disk_before_anything_is_written_into_it(
    tmp_path, monkeypatch
):
    seen = []

    def sync(folder):
        seen.append((folder, sorted(path.name for path in folder.iterdir())))

    monkeypatch.setattr(claims, "sync", sync)
    claims.begin_folder(tmp_path / "out.partial", {"kind": "thing"})
    assert seen == [(tmp_path, ["out.partial"])]
