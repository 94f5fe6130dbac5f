"""A file that ends before it should is refused by its own header, one that is whole never."""

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gridded import dataset, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.formats.whole_files import require_whole
from triton_earth.data.inspection.source_checks import inspect_files

FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def classic(path, form, shapes, *, unlimited=False, types="f4"):
    """Write variables of these shapes, the first dimension without limit or not."""
    with netCDF4.Dataset(path, "w", format=form) as out:
        out.title = "attributes of odd length"
        out.createDimension("time", None if unlimited else shapes[0][0])
        for number, shape in enumerate(shapes):
            names = ["time"]
            for axis, size in enumerate(shape[1:]):
                names.append(f"d{number}_{axis}")
                out.createDimension(names[-1], size)
            made = out.createVariable(f"v{number}", types, names)
            made.units = "K"
            made[:] = np.ones(shape)
    return path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("unlimited", [False, True])
def test_a_netcdf3_file_that_lacks_its_last_value(tmp_path, form, unlimited):
    path = classic(tmp_path / "a.nc", form, [(6, 3, 5), (6, 7)], unlimited=unlimited)
    require_whole(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError) as caught:
        require_whole(str(path))
    assert str(caught.value) == (
        f"{path}: the file has {len(whole) - 1} bytes, but its header asks for {len(whole)}: it ends too early, and "
        "what is missing would read as any numbers. Fetch it again."
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_netcdf3_file_that_ends_within_its_padding_is_whole(tmp_path, form):
    path = classic(tmp_path / "a.nc", form, [(3, 3)], types="i2")  # 18 bytes, padded to 20
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    require_whole(str(path))
    path.write_bytes(whole[:-3])
    with pytest.raises(UserError, match="it ends too early"):
        require_whole(str(path))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(FORMATS),
    unlimited=st.booleans(),
    types=st.sampled_from(["i1", "i2", "i4", "f4", "f8"]),
    times=st.integers(1, 4),
    sizes=st.lists(st.lists(st.integers(1, 5), max_size=2), min_size=1, max_size=3),
)
def test_a_whole_netcdf3_file_is_never_refused(tmp_path, form, unlimited, types, times, sizes):
    shapes = [(times, *size) for size in sizes]
    path = classic(tmp_path / "a.nc", form, shapes, unlimited=unlimited, types=types)
    require_whole(str(path))
    # Its last value begins within the last eight bytes, padding included.
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(UserError):
        require_whole(str(path))


def test_a_netcdf3_file_that_ends_within_its_header(tmp_path):
    path = classic(tmp_path / "a.nc", "NETCDF3_CLASSIC", [(6, 3)])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(
        UserError, match=r"the file ends within its header, after 60 bytes; .*Fetch it again\."
    ):
        require_whole(str(path))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("block", [0, 512])
def test_a_truncated_hdf5_file(tmp_path, libver, block):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver, userblock_size=block) as file:
        file["fields"] = np.ones((4, 5, 6, 7))
    require_whole(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 7 // 10])
    with pytest.raises(UserError, match=f"but its header asks for {len(whole)}: it ends too early"):
        require_whole(str(path))


def test_inspect_and_prepare_refuse_a_truncated_file(tmp_path):
    for form, name in (("NETCDF3_64BIT", "a.nc"), ("NETCDF4", "b.nc")):
        path = tmp_path / name
        dataset()[["t2m"]].to_netcdf(path, format=form)
        path.write_bytes(path.read_bytes()[:-2000])
        found = inspect_files(str(path))
        assert found.kinds == ["unreadable"]
        assert "it ends too early" in found.findings[0].message
        assert found.findings[0].remedy == "Fetch it again."
        with pytest.raises(UserError, match="it ends too early"):
            source(path, variables=["2m_temperature"])


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_zarr_chunk_that_is_shorter_than_its_shape(tmp_path, zarr_format, compressed):
    path = tmp_path / "a.zarr"
    encoding = {"t2m": {"chunks": (10, 8, 12), **({} if compressed else {"compressors": None})}}
    dataset().to_zarr(path, zarr_format=zarr_format, encoding=encoding, consolidated=False)
    chunk = path / "t2m" / ("1.0.0" if zarr_format == 2 else "c/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"variable 't2m' cannot be read .*damaged; fetch it again"):
        source(path, variables=["2m_temperature"]).read(slice(None))
    assert "unreadable" in inspect_files(str(path)).kinds


def test_a_file_that_is_none_of_these_is_not_judged(tmp_path):
    (tmp_path / "a.txt").write_text("no data")
    require_whole(str(tmp_path / "a.txt"))
    write(tmp_path / "a.nc", dataset())
    require_whole(str(tmp_path / "a.nc"))
