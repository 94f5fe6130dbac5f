import os
from pathlib import Path

import pytest

from triton_earth.core.errors import UserError
from triton_earth.core.files import (
    claim_output,
    make_folder,
    partial_path,
    publish,
    read_json,
    remove,
    require_apart,
    require_writable,
    set_aside,
    write_json,
    write_text,
)


def folder_with(path, text):
    path.mkdir()
    (path / "a.txt").write_text(text)


def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        claim_output(path, **{"resume": False, "overwrite": False, **options})
    return str(caught.value)


def test_a_new_output_grows_beside_its_final_name_and_claiming_makes_nothing(tmp_path):
    path = tmp_path / "a" / "b" / "new.zarr"
    partial = claim_output(path, resume=False, overwrite=False)
    assert partial == partial_path(path) == tmp_path / "a" / "b" / "new.zarr.partial"
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_and_left_alone(tmp_path):
    folder_with(tmp_path / "out", "old")
    assert "exists already. Choose another path, or add --overwrite" in refusal(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "old"


def test_an_unfinished_output_is_refused_and_left_alone(tmp_path):
    folder_with(tmp_path / "out.partial", "half")
    text = refusal(tmp_path / "out")
    assert "is an unfinished output of an earlier run. Add --resume" in text
    assert (tmp_path / "out.partial" / "a.txt").read_text() == "half"


def test_resume_keeps_and_overwrite_removes_an_unfinished_output(tmp_path):
    folder_with(tmp_path / "out.partial", "half")
    assert claim_output(tmp_path / "out", resume=True, overwrite=False).exists()
    assert not claim_output(tmp_path / "out", resume=False, overwrite=True).exists()


def test_overwrite_keeps_the_old_output_until_the_new_one_is_complete(tmp_path):
    out = tmp_path / "out"
    folder_with(out, "old")
    partial = claim_output(out, resume=False, overwrite=True)
    assert (out / "a.txt").read_text() == "old"
    folder_with(partial, "new")
    assert (out / "a.txt").read_text() == "old"
    publish(partial, out)
    assert (out / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_else_lies_beside_an_output_that_is_replaced_stays(tmp_path):
    out = tmp_path / "out"
    ours = f".out.{os.getpid()}.0.old"
    for name in ("out", "out.old", ours, "out.partial"):
        folder_with(tmp_path / name, name)
    publish(tmp_path / "out.partial", out)
    assert (out / "a.txt").read_text() == "out.partial"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.old", ours}
    assert (tmp_path / "out.old" / "a.txt").read_text() == "out.old"
    assert (tmp_path / ours / "a.txt").read_text() == ours


def test_what_is_set_aside_gets_a_hidden_name(tmp_path):
    folder_with(tmp_path / "out", "old")
    aside = set_aside(tmp_path / "out")
    assert aside == tmp_path / f".out.{os.getpid()}.0.old"
    assert [path.name for path in tmp_path.iterdir()] == [aside.name]
    assert (aside / "a.txt").read_text() == "old"


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


def test_a_folder_that_the_system_refuses(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/out cannot be written \(Not a directory\)"):
        make_folder(tmp_path / "file" / "out")


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    text = refusal(tmp_path / "out", resume=True, overwrite=True)
    assert text == "--resume and --overwrite exclude each other; give one of them."


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    text = refusal(tmp_path / "file" / "below" / "out")
    assert f"{tmp_path / 'file'} is no folder. Choose another path." in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UserError, match=r"may not be written. Choose another path"):
        require_writable(tmp_path / "locked" / "out")


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
