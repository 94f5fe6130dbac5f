import os

from triton_earth.data.preparation.fingerprints import fingerprints, without_folders


def test_a_file_has_size_and_time(tmp_path):
    path = tmp_path / "a.nc"
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 10**18))
    assert fingerprints([str(path), "gs://bucket/a.zarr", "jcm:30"]) == [
        {"name": str(path), "bytes": 5, "modified": "2001-09-09T01:46:40.000000000Z"},
        {"name": "gs://bucket/a.zarr"},
        {"name": "jcm:30"},
    ]


def test_names_are_shown_without_folders(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"1")
    shown = without_folders(fingerprints([str(tmp_path / "a.nc"), "gs://bucket/a.zarr"]))
    assert [each["name"] for each in shown] == ["a.nc", "gs://bucket/a.zarr"]


def test_a_folder_changes_with_any_file_in_it(tmp_path):
    chunk = tmp_path / "a.zarr" / "t2m" / "c" / "0"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(b"12345")
    (tmp_path / "a.zarr" / "zarr.json").write_bytes(b"{}")
    (before,) = fingerprints([str(tmp_path / "a.zarr")])
    assert before["bytes"] == 7
    assert fingerprints([str(tmp_path / "a.zarr")]) == [before]
    status = chunk.stat()
    chunk.write_bytes(b"54321")
    os.utime(chunk, ns=(status.st_atime_ns, status.st_mtime_ns - 1))
    (after,) = fingerprints([str(tmp_path / "a.zarr")])
    assert after["bytes"] == 7
    assert after["listing"] != before["listing"]
