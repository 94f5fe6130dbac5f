"""Files that are not read are named, with what to do about them."""

import gzip
import json
import zipfile

import pytest

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (gzip.compress(b"fields", mtime=0), "a file compressed by gzip", "Unpack it (gunzip)."),
        (b"\x0e\x03\x13\x01" + bytes(100), "an HDF4 file", "Convert it to NetCDF-4"),
        (b"II*\x00" + bytes(100), "a TIFF image", "Convert it to NetCDF with its times"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "a web page, perhaps of a login", "Fetch the data"),
        (b"PAR1" + bytes(100), "a Parquet table", "Write it as NetCDF or Zarr"),
        (bytes(257) + b"ustar" + bytes(250), "an archive (tar)", "Unpack it (tar xf)."),
        (b"MATLAB 5.0 MAT-file" + bytes(100), "a file of MATLAB", "Write it as NetCDF"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS to the data", "Fetch these"),
        (b"<?xml version='1.0'?><netcdf/>", "an XML file", "Name the data themselves."),
        (b'{"error":\n "not authorised"}', "a text file, which begins with '{\"error\": \"not", "Fetch the data"),
        (b"BUFR" + bytes(100), "a BUFR file of observations", "Put them onto a grid first."),
        (json.dumps({"version": 1, "refs": {".zgroup": "{}"}}).encode(), "references of kerchunk", "Name"),
        (json.dumps({".zgroup": "{}", "t2m/0.0": ["a.nc", 0, 4]}).encode(), "references of kerchunk", "Name"),
    ],
)  # fmt: skip
def test_a_foreign_file_is_named(tmp_path, content, what, remedy):
    path = tmp_path / "a.nc"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        source(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: {what}")
    assert f"; expected NetCDF, HDF5, GRIB or Zarr. {remedy}" in text
    assert inspect_files(str(path)).kinds == ["unreadable"]


def test_a_zip_of_netcdf(tmp_path):
    write(tmp_path / "data_0.nc", dataset(4))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "data_0.nc", "data_0.nc")
    with pytest.raises(
        UserError, match=r"a zip archive of 1 files \(data_0.nc …\); .*Unpack it \(unzip\)\."
    ):
        source(tmp_path / "a.zip")


def test_a_folder_of_kerchunk_references(tmp_path):
    folder = tmp_path / "a.parquet"
    folder.mkdir()
    (folder / ".zmetadata").write_text(json.dumps({"metadata": {}, "record_size": 1000}))
    with pytest.raises(
        UserError, match=r"references of kerchunk, which point into other files; .*Name"
    ):
        source(folder)
