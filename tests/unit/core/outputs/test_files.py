import errno
import os
from pathlib import Path

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.outputs.files import (
    read_json,
    remove,
    remove_leftovers,
    require_apart,
    require_no_links,
    sync_all,
    sync_tree,
    write_bytes,
    write_json,
    write_text,
)


def folder_with(path, text):
    path.mkdir()
    (path / "a.txt").write_text(text)


@pytest.mark.parametrize(
    ("out", "given"),
    [
        ("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/../a", "a"), ("link", "a"), ("a", "link"), ("c", "c.partial"),
    ],
)  # fmt: skip
def test_an_output_apart_from_its_inputs(tmp_path, out, given):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c.partial").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UserError, match="is, holds or lies within") as caught:
        require_apart(tmp_path / out, [tmp_path / "no", tmp_path / given])
    assert f"{tmp_path / given}, which this command reads. Choose another path." in str(
        caught.value
    )


def test_an_output_beside_its_inputs_is_fine(tmp_path):
    (tmp_path / "a").mkdir()
    require_apart(tmp_path / "ab", [tmp_path / "a", "https://example.org/a"])


@pytest.mark.parametrize("out", [".", "..", "a/.."])
def test_an_output_without_a_name(out):
    with pytest.raises(UserError, match=r"is no name for a new output. Choose another path\."):
        require_apart(Path(out), [])


def test_a_file_that_the_system_refuses(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match=r"file/out cannot be written \((Not a directory|File exists)\)"
    ):
        write_bytes(tmp_path / "file" / "out", b"")


def test_a_loop_of_links_is_no_output(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match="cannot be written"):
        require_apart(tmp_path / "loop" / "out", [])


def test_only_temporary_files_are_left_overs(tmp_path):
    zarr = f"0.{'0a' * 16}.partial"
    for name in (".a.json.12.tmp", zarr, "a.partial", ".a.tmp", "0.0a.partial", "b.tmp"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.partial").mkdir()
    (tmp_path / "folder.partial" / ".b.7.tmp").write_text("")
    remove_leftovers(tmp_path, below=False)
    assert (tmp_path / "folder.partial" / ".b.7.tmp").exists()
    remove_leftovers(tmp_path)
    names = {path.name for path in tmp_path.rglob("*")}
    assert names == {"a.partial", ".a.tmp", "0.0a.partial", "b.tmp", "folder.partial"}


def test_links_within_a_folder_are_refused(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    require_no_links(tmp_path / "a")
    (tmp_path / "a" / "b" / "c").symlink_to(tmp_path)
    with pytest.raises(UserError, match="b/c is a link, and nothing is written through links"):
        require_no_links(tmp_path / "a")


def test_remove_takes_files_folders_links_and_nothing(tmp_path):
    folder_with(tmp_path / "folder", "x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert (tmp_path / "folder" / "a.txt").exists()
    remove(tmp_path / "folder")
    remove(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "ä\n")
    assert path.read_text(encoding="utf-8") == "ä\n"
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "long text that fails at its end \ud800")
    assert path.read_text(encoding="utf-8") == "ä\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, 2.5, None, "ä"]})
    assert read_json(tmp_path / "a.json", "thing") == {"a": [1, 2.5, None, "ä"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json", "thing") == {"a": [1, 2.5, None, "ä"]}


def test_missing_and_damaged_json_say_what_they_belong_to(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match=r"is missing: this is not a complete forecaster\."):
        read_json(path, "forecaster")
    path.write_text('{"a": ')
    with pytest.raises(UserError, match="the forecaster is damaged; make it again"):
        read_json(path, "forecaster")
    path.write_bytes(b"\xff")
    with pytest.raises(UserError, match="the forecaster is damaged"):
        read_json(path, "forecaster")


def test_a_tree_is_on_the_disk_file_by_file_and_then_folder_by_folder(tmp_path, monkeypatch):
    for number in range(40):
        (tmp_path / f"c/{number}").mkdir(parents=True)
        (tmp_path / f"c/{number}/0").write_bytes(b"chunk")
    synced, fsync = [], os.fsync

    def noted(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    sync_tree(tmp_path)
    files = {str(path) for path in tmp_path.rglob("*") if path.is_file()}
    folders = {str(tmp_path), *(str(path) for path in tmp_path.rglob("*") if path.is_dir())}
    assert set(synced[: len(files)]) == files
    assert sorted(synced[len(files) :]) == sorted(folders)


@pytest.mark.parametrize("count", [1, 40])
def test_a_disk_that_fails_is_heard_of(tmp_path, monkeypatch, count):
    paths = [tmp_path / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(b"")

    def full(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="Input/output error"):
        sync_all(paths)
