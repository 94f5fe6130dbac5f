"""Maps that lie upside down, or half a turn off, within a series; seasons and noise are none."""

import numpy as np
import pytest

from tests.gridded import dataset, write
from triton_earth.data.inspection.findings import Inspection
from triton_earth.data.inspection.scan import Scan
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.inspection.turned_maps import TurnedMaps

LATITUDE, LONGITUDE = np.deg2rad(np.linspace(-87.5, 87.5, 36)), np.deg2rad(np.arange(72) * 5.0)


def weather(times=40, *, seed=0, season=0.0):
    """Temperatures that are a little higher in the north, with waves along a circle and noise."""
    noise = np.random.default_rng(seed).normal(0, 3, (times, 36, 72))
    month = 2 * np.pi * np.arange(times)[:, None, None] / 12
    north = (8 + season * np.cos(month)) * np.sin(LATITUDE)[:, None]
    return 260 + 40 * np.cos(LATITUDE)[:, None] + north + 4 * np.cos(LONGITUDE) + noise


def found(fields):
    inspection, maps = Inspection("a.nc"), TurnedMaps()
    names = [str(number) for number in range(len(fields))]
    scan = Scan(directions=maps)
    for first in range(0, len(fields), 7):
        scan.add(fields[first : first + 7], names[first : first + 7], follows=True)
    maps.check(inspection, "t2m")
    return [(one.kind, one.message) for one in inspection.findings]


@pytest.mark.parametrize("masked", [False, True])
def test_a_map_upside_down_is_named(masked):
    fields = weather()
    fields[20] = fields[20, ::-1]
    if masked:
        fields[:, 5:9, 10:30] = np.nan
    ((kind, message),) = found(fields)
    assert kind == "turned-map"
    assert message == "a map is unlike those before and after, but like them upside down, at 20."


def test_several_maps_and_half_a_turn():
    fields = weather()
    fields[11:14] = fields[11:14, ::-1]
    fields[30] = np.roll(fields[30], 36, axis=1)
    assert [message for _, message in found(fields)] == [
        "3 maps are unlike those before and after, but like them upside down, first at 11.",
        "a map is unlike those before and after, but like them half a turn of longitude off, at 30.",
    ]


@pytest.mark.parametrize("season", [0.0, 8.0, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_weather_and_seasons_are_not_turned(season, seed):
    assert found(weather(120, seed=seed, season=season)) == []


def test_a_map_upside_down_among_seasons_that_turn_them_too():
    fields = weather(120, season=10.0) - 5 * np.sin(LATITUDE)[:, None]
    fields[55] = fields[55, ::-1]
    ((_, message),) = found(fields)
    assert message == "a map is unlike those before and after, but like them upside down, at 55."


@pytest.fixture
def series():
    """A month of temperatures that are higher in the north."""
    data = dataset()
    values = data["t2m"].values + 20 * np.sin(np.deg2rad(data["latitude"].values))[:, None]
    data["t2m"] = (data["t2m"].dims, values, {"units": "K"})
    return data[["t2m"]]


def turned_in(tmp_path):
    found = inspect_files(str(tmp_path / "*.nc")).findings
    return [one.message for one in found if one.kind == "turned-map"]


@pytest.mark.parametrize("single", [False, True])
def test_a_map_upside_down_that_is_a_file(tmp_path, series, single):
    for number in range(20):
        one = series.isel(time=number if single else [number])
        if number == 7:
            one["t2m"] = one["t2m"].copy(data=one["t2m"].values[..., ::-1, :])
        write(tmp_path / f"{number:02d}.nc", one)
    (message,) = turned_in(tmp_path)
    assert f"upside down, at 2001-01-08 in {tmp_path / '07.nc'}" in message


def test_a_whole_file_upside_down(tmp_path, series):
    write(tmp_path / "a.nc", series.isel(time=slice(0, 25)))
    rest = series.isel(time=slice(25, 40))
    write(tmp_path / "b.nc", rest.isel(latitude=slice(None, None, -1)))
    assert turned_in(tmp_path) == []  # its latitudes say so
    wrong = rest.assign(t2m=rest["t2m"].copy(data=rest["t2m"].values[:, ::-1]))
    write(tmp_path / "b.nc", wrong)
    (message,) = turned_in(tmp_path)
    assert "15 maps are unlike those before and after" in message
    assert f"first at 2001-01-26 in {tmp_path / 'b.nc'}" in message


def test_inspect_says_it(tmp_path):
    data = dataset()
    values = data["t2m"].values + 20 * np.sin(np.deg2rad(data["latitude"].values))[:, None]
    values[9] = values[9, ::-1]
    data["t2m"] = (data["t2m"].dims, values, {"units": "K"})
    (finding,) = [
        one
        for one in inspect_files(str(write(tmp_path / "a.nc", data))).findings
        if one.kind == "turned-map"
    ]
    assert finding.variable == "t2m"
    assert "at 2001-01-10" in finding.message
