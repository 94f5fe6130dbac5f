"""Files and stores far away: read in parts, fetched as a whole, or refused by what they are and where."""

import functools
import gzip
import http.server
import json
import re
import shutil
import threading
import warnings
import zipfile
from typing import ClassVar

import numpy as np
import pytest

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.formats import remote_files
from triton_earth.data.inspection.source_checks import inspect_files

T2M = ["2m_temperature"]


class Server(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, in parts where `parts` is set; `sent` counts bytes."""

    parts = False
    sent = 0

    def log_message(self, *what):
        pass

    def do_GET(self):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not (type(self).parts and found):
            super().do_GET()
            return
        with open(self.translate_path(self.path), "rb") as file:
            whole = file.read()
        first, last = int(found[1]), min(int(found[2]), len(whole) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(whole[first : last + 1])
        type(self).sent += last - first + 1

    def end_headers(self):
        if type(self).parts:
            self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a web server of the folder."""
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(Server, "parts", False)
    monkeypatch.setattr(Server, "sent", 0)
    handler = functools.partial(Server, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def is_the_usual(path, **data):
    """Whether a path gives the fields of the usual data set."""
    fields = source(path, variables=T2M, **data).read(slice(None))[:, 0]
    np.testing.assert_allclose(fields, dataset()["t2m"].values[: len(fields)], rtol=1e-6)


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_behind_a_web_server(tmp_path, server, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata are not part of version 3 yet
        dataset().to_zarr(tmp_path / "era5.zarr", zarr_format=version, consolidated=True)
    is_the_usual(f"{server}/era5.zarr")
    with pytest.raises(UserError, match=r"none\.zarr: cannot be read as Zarr"):
        source(f"{server}/none.zarr")


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_64BIT"])
def test_netcdf_is_fetched_where_a_server_gives_no_parts(tmp_path, server, form):
    pytest.importorskip("h5netcdf")
    dataset().to_netcdf(tmp_path / "era5.nc", format=form)
    is_the_usual(f"{server}/era5.nc?token=1")
    with pytest.raises(UserError, match=r"none\.nc: there is no such file, or no way to it"):
        source(f"{server}/none.nc")


def test_netcdf_is_read_in_parts(tmp_path, server, monkeypatch):
    pytest.importorskip("h5netcdf")
    monkeypatch.setattr(Server, "parts", True)
    data = dataset()[["t2m"]]
    noise = np.random.default_rng(0).standard_normal((40, 100, 100))
    large = (("time", "y", "x"), noise, {"units": "1"})
    data.assign(large=large).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    is_the_usual(f"{server}/a.nc", storage_options={"block_size": 2**16})
    assert 0 < Server.sent < 0.5 * (tmp_path / "a.nc").stat().st_size


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("NETCDF3_64BIT", "the file has .* but its header asks for"),
        ("NETCDF4", "truncated file"),
    ],
)
def test_a_truncated_file_is_refused_far_away_too(tmp_path, server, form, expected):
    path = tmp_path / "a.nc"
    dataset().to_netcdf(path, format=form)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match=rf"http://.*/a\.nc: .*{expected}"):
        source(f"{server}/a.nc", variables=T2M)


def test_a_zipped_zarr_is_fetched(tmp_path, server):
    dataset().to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    shutil.make_archive(str(tmp_path / "a.zarr"), "zip", tmp_path / "a.zarr")
    is_the_usual(f"{server}/a.zarr.zip")


def test_what_is_not_read_is_named_far_away_too(tmp_path, server):
    write(tmp_path / "a.nc", dataset(4))
    (tmp_path / "a.nc.gz").write_bytes(gzip.compress((tmp_path / "a.nc").read_bytes()))
    (tmp_path / "login.nc").write_bytes(b"<!DOCTYPE html><title>Log in</title>")
    (tmp_path / "a.json").write_text(json.dumps({"version": 1, "refs": {".zgroup": "{}"}}))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.nc", "a.nc")
    for name, what in (
        ("a.nc.gz", "a file compressed by gzip; expected NetCDF, HDF5, GRIB or Zarr. Unpack it"),
        ("login.nc", "a web page, perhaps of a login"),
        ("a.json", "references of kerchunk"),
        ("a.zip", "a zip archive of 1 files (a.nc …)"),
    ):
        with pytest.raises(UserError, match=re.escape(f"{server}/{name}: {what}")):
            source(f"{server}/{name}")
        assert inspect_files(f"{server}/{name}").kinds == ["unreadable"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://data.org/thredds/dodsC/a.nc", "an address of OPeNDAP.*/fileServer/"),
        ("reference::https://data.org/a.json", "is not read; known are http, https, s3"),
        ("dap://data.org/a.nc", "'dap://' is not read; known are http, https, s3"),
        ("http://127.0.0.1:1/a.zarr", "cannot be reached .* Check the address and the network"),
    ],
)
def test_addresses_that_are_not_read(path, expected):
    with pytest.raises(UserError, match=expected):
        source(path)


def test_the_package_for_an_address_is_named(monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    def missing(protocol):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    for path in ("s3://bucket/a.nc", "s3://bucket/*.nc", "s3://bucket/a.zarr"):
        with pytest.raises(
            UserError, match=r"'s3://' needs a package .*s3fs.*pip install 'triton-earth\[remote\]'"
        ):
            source(path)


@pytest.fixture
def bucket(monkeypatch):
    """The storage of s3, in memory."""
    pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem
    from fsspec.registry import _registry

    class Bucket(MemoryFileSystem):
        protocol = "s3"
        store: ClassVar[dict] = {}
        pseudo_dirs: ClassVar[list] = [""]

        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.removeprefix("s3://").lstrip("/").rstrip("/")

        def unstrip_protocol(self, name):
            return "s3://" + name.lstrip("/")

    monkeypatch.setitem(_registry, "s3", Bucket)
    return Bucket()


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_64BIT"])
def test_netcdf_on_s3(tmp_path, bucket, form):
    pytest.importorskip("h5netcdf")
    data = dataset()
    for name, part in (("a", slice(0, 25)), ("b", slice(25, 40))):
        data.isel(time=part).to_netcdf(tmp_path / f"{name}.nc", format=form)
        bucket.pipe_file(f"s3://bucket/{name}.nc", (tmp_path / f"{name}.nc").read_bytes())
    is_the_usual("s3://bucket/*.nc")
    is_the_usual(["s3://bucket/b.nc", "s3://bucket/a.nc"])
    with pytest.raises(UserError, match=r"s3://bucket/c\.nc: there is no such file"):
        source("s3://bucket/c.nc")
    with pytest.raises(UserError, match=r"s3://bucket/c\*\.nc: no file matches the pattern"):
        source("s3://bucket/c*.nc")


def test_every_file_that_is_read_is_known_by_its_ending():
    for name in ("a.nc", "a.NC4", "a.grib2", "a.nc?x=1", "a.zarr.zip", "a.nc.gz"):
        assert remote_files.is_file_address(f"https://data.org/{name}")
    assert not remote_files.is_file_address("https://data.org/a.zarr")
    assert not remote_files.is_file_address("https://data.org/a.nc/group")
