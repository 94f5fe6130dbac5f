"""GRIB files, written with eccodes and read through cfgrib; skipped without these packages."""

import numpy as np
import pytest

from tests.gridded import recipe_values
from triton_earth.core.errors import UserError
from triton_earth.data.formats.whole_files import require_whole
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData

pytest.importorskip("cfgrib")
eccodes = pytest.importorskip("eccodes")

LATITUDE, LONGITUDE = np.arange(75.0, -76, -30), np.arange(0.0, 360, 30)
DAYS = np.datetime64("2001-01-01") + np.arange(40)


def write_grib(path, name, fields, *, level_type="pl", levels=(850, 500)):
    """Write daily fields [time, level, y, x] from the north, as ERA5 has them (GRIB 1, packed in 24 bits)."""
    with path.open("wb") as file:
        for day, maps in zip(DAYS, fields, strict=True):
            for level, values in zip(levels, maps, strict=True):
                message = eccodes.codes_grib_new_from_samples(f"regular_ll_{level_type}_grib1")
                keys = {
                    "Ni": len(LONGITUDE), "Nj": len(LATITUDE), "dataDate": int(str(day).replace("-", "")),
                    "latitudeOfFirstGridPointInDegrees": LATITUDE[0], "latitudeOfLastGridPointInDegrees": LATITUDE[-1],
                    "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": LONGITUDE[-1],
                    "iDirectionIncrementInDegrees": 30, "jDirectionIncrementInDegrees": 30, "dataTime": 0,
                    "level": level, "shortName": name, "bitsPerValue": 24,
                }  # fmt: skip
                for key, value in keys.items():
                    eccodes.codes_set(message, key, value)
                eccodes.codes_set_values(message, values.ravel())
                eccodes.codes_write(message, file)
                eccodes.codes_release(message)
    return path


@pytest.fixture(scope="module")
def fields():
    noise = np.random.default_rng(0).normal(size=(40, 2, len(LATITUDE), len(LONGITUDE)))
    return np.array([280.0, 250.0])[:, None, None] + noise


def test_prepare_reads_grib(fields, tmp_path):
    path = write_grib(tmp_path / "t.grib", "t", fields)
    choice = [{"name": "temperature", "levels": [500, 850]}]
    data = GriddedData.parse(recipe_values(path, variables=choice)["data"], "recipe")
    store = prepare_gridded(data, tmp_path / "a.zarr", {}, window=2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.zarr", "t.grib"]
    assert store.variables.names == ["temperature_500", "temperature_850"]
    assert store.variables.channels[0].units == "K"
    np.testing.assert_array_equal(store.grid.y, LATITUDE[::-1])
    assert store.times[0] == np.datetime64("2001-01-01")
    np.testing.assert_allclose(store.read(0, slice(None)), fields[:, ::-1, ::-1], atol=1e-4)


def test_the_data_doctor_reads_grib(fields, tmp_path):
    found = inspect_files(str(write_grib(tmp_path / "t.grib", "t", fields)))
    assert set(found.kinds) == {"orientation"}
    rows = [(row["variable"], row["level"], row["level_units"]) for row in found.variables]
    assert rows == [("t", 850.0, "hPa"), ("t", 500.0, "hPa")]


def test_a_damaged_grib_file(tmp_path):
    (tmp_path / "a.grib").write_bytes(b"GRIB and then nothing")
    found = inspect_files(str(tmp_path / "a.grib"))
    assert found.kinds == ["unreadable"]
    assert "there is no GRIB message of edition 1 or 2 in it" in found.findings[0].message


@pytest.mark.parametrize("ending", [".grib", ".f000"])
def test_a_grib_file_that_ends_inside_a_message(tmp_path, fields, ending):
    path = write_grib(tmp_path / f"a{ending}", "t", fields[:, None], levels=(500,))
    whole = path.read_bytes()
    length = len(whole) // len(DAYS)
    assert "unreadable" not in inspect_files(str(path)).kinds
    for kept in (len(whole) - 1, len(whole) - length // 2, len(whole) - length + 3):
        path.write_bytes(whole[:kept])
        found = inspect_files(str(path))
        assert found.kinds == ["unreadable"], kept
        assert f"the file has {kept} bytes, but its header asks for" in found.findings[0].message
        assert found.findings[0].remedy == "Fetch it again."
    path.write_bytes(whole[: length - 4] + b"0000" + whole[length:])
    (finding,) = inspect_files(str(path)).findings
    assert "the GRIB message at byte 0 does not end with 7777" in finding.message
    path.write_bytes(b"a heading\n" + whole[:length] + b"\n\nanother\n" + whole[length:])
    assert "unreadable" not in inspect_files(str(path)).kinds


def test_a_large_message_of_edition_1_counts_in_120_bytes(tmp_path):
    """Beyond 8 MB the length of the message says how many 120 bytes it has, less what its data section says."""
    message = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib1")
    for key, value in {"Ni": 2100, "Nj": 1400, "bitsPerValue": 24}.items():
        eccodes.codes_set(message, key, value)
    eccodes.codes_set_values(message, np.linspace(200.0, 300.0, 2100 * 1400))
    path = tmp_path / "a.grib"
    with path.open("wb") as file:
        eccodes.codes_write(message, file)
    eccodes.codes_release(message)
    assert path.stat().st_size > 2**23
    require_whole(str(path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="it ends too early"):
        require_whole(str(path))
