"""The recipe and the commands of docs/data.md, from files to a report."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def printed():
    """The page's first recipe, and the words of the commands that follow it."""
    text = PAGE.read_text(encoding="utf-8").partition("## From a file to a report")[2]
    recipe, commands = re.findall(r"```(?:yaml)?\n(.*?)```", text, re.DOTALL)[:2]
    return recipe, [shlex.split(line)[1:] for line in commands.splitlines()]


def write_files():
    """What the page says the files are: daily, with land."""
    latitude, longitude = np.linspace(-70, 70, 8), 22.5 * np.arange(16)
    days = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    season = np.cos(2 * np.pi * np.arange(len(days)) / 365.25)[:, None, None]
    noise = np.random.default_rng(0).standard_normal((len(days), 8, 16))
    for day in range(1, len(days)):
        noise[day] = 0.9 * noise[day - 1] + 0.4 * noise[day]
    values = 15 + 10 * np.cos(np.deg2rad(latitude))[:, None] - 3 * season + noise
    values[:, 2:4, 3:6] = np.nan
    data = xr.Dataset(
        {"sst": (("time", "lat", "lon"), values.astype("f4"), {"units": "degC"})},
        coords={
            "time": days,
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", longitude, {"units": "degrees_east"}),
        },
    )
    for year in ("2001", "2002"):
        data.sel(time=year).to_netcdf(f"sst_{year}.nc")


@pytest.mark.slow
def test_the_printed_recipe_leads_from_files_to_a_report(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe, commands = printed()
    assert [words[0] for words in commands] == [
        "inspect", "prepare", "inspect", "train", "forecast", "evaluate",
    ]  # fmt: skip
    (tmp_path / "my_sst.yaml").write_text(recipe, encoding="utf-8")
    write_files()
    for words in commands:
        done = command(*words)
        assert done.code == 0, (words, done.err)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Sea surface temperature" in page or "sea surface temperature" in page
    with xr.open_dataset(tmp_path / "report" / "scores.nc") as scores:
        names = scores["forecast"].values.tolist()
        assert set(names[1:]) == {"persistence", "damped persistence", "climatology"}
        assert np.isfinite(scores["rmse"]).all()
        assert np.isfinite(scores["heat_wave_area"].sel(source="truth")[:4]).all()
