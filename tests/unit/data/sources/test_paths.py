"""What a path in a recipe means: home folder, environment, brackets, and what is not there."""

import numpy as np
import pytest

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.sources.paths import matching
from triton_earth.workflow.inspect import inspect

ONLY = {"variables": ["2m_temperature"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write(tmp_path / "a.nc", dataset())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ARCHIVE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("path", ["~/a.nc", "~/*.nc", "$ARCHIVE/a.nc", "${ARCHIVE}/?.nc"])
def test_home_and_environment(folder, path):
    opened = source(path, **ONLY)
    assert opened.files == [str(folder / "a.nc")]


@pytest.mark.parametrize("path", ["~/a.nc", "$ARCHIVE/a.nc", "~/*.nc"])
def test_the_data_doctor_goes_the_same_way(folder, path):
    assert not inspect(path).is_fatal


def test_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(
        UserError,
        match=r"\$\{NOWHERE\}/a.nc: the variable \$\{NOWHERE\} is not set in the environment",
    ):
        matching("${NOWHERE}/a.nc", {})


@pytest.mark.parametrize(
    ("path", "what"),
    [("~/b.nc", "there is no such file or folder"), ("~/b*.nc", "no file matches")],
)
def test_what_is_not_there_is_named_in_full(folder, path, what):
    with pytest.raises(
        UserError, match=rf"^{path.replace('*', '.')}: {what}.* {folder}/b.*Correct data.path"
    ):
        matching(path, {})


def test_a_file_that_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "$a~[1].nc", dataset(4))
    assert matching("$a~[1].nc", {}) == ["$a~[1].nc"]


def test_brackets_in_the_name_of_a_folder(tmp_path):
    for name in ("run[1]", "run1"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.nc", dataset(4))
    assert matching(f"{tmp_path}/run[1]/*.nc", {}) == [f"{tmp_path}/run[1]/a.nc"]
    assert matching(f"{tmp_path}/run[0-9]/*.nc", {}) == [f"{tmp_path}/run1/a.nc"]


def test_patterns_in_memory():
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name in ("b", "a"):
        files.pipe(f"/fields/{name}.nc", b"nothing")
    assert matching("memory://fields/*.nc", {}) == [
        "memory:///fields/a.nc",
        "memory:///fields/b.nc",
    ]
    with pytest.raises(UserError, match=r"memory://fields/\*.grib: no file matches the pattern"):
        matching("memory://fields/*.grib", {})


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_64BIT"])
def test_netcdf_in_memory(tmp_path, form):
    """The same way goes to https and s3: HDF5 is read in parts, NetCDF-3 is fetched."""
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("h5netcdf")
    data = dataset()[["t2m"]]
    data.to_netcdf(tmp_path / "a.nc", format=form)
    fsspec.filesystem("memory").pipe("/far/a.nc", (tmp_path / "a.nc").read_bytes())
    opened = source("memory://far/a.nc", **ONLY)
    np.testing.assert_array_equal(opened.read(slice(None))[:, 0], data["t2m"].astype("f4"))
    assert opened.files == ["memory://far/a.nc"]
    fsspec.filesystem("memory").pipe("/far/b.nc", (tmp_path / "a.nc").read_bytes()[:-900])
    with pytest.raises(UserError, match=r"memory://far/b.nc: (the file has|cannot be read)"):
        source("memory://far/b.nc", **ONLY)
    with pytest.raises(UserError, match=r"memory://far/c.nc: there is no such file"):
        source("memory://far/c.nc", **ONLY)
