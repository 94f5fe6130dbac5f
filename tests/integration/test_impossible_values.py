"""A forecast whose temperatures cannot be, from the command line to the report."""

import xarray as xr
import zarr

from tests.ocean import ocean_forecast, ocean_store


def test_the_report_names_the_variable_its_range_and_what_is_possible(command, tmp_path):
    store = ocean_store(tmp_path / "store.zarr")
    forecast = ocean_forecast(tmp_path / "forecast.zarr", members=1)
    array = zarr.open_array(forecast.path, path="sst", mode="r+")
    array[0, 4, 5, 5:7] = 9999.0
    done = command("evaluate", forecast.path, store.path, "--out", tmp_path / "report")
    assert done.code == 0, done.err
    said = "to 9999 °C: 2 values are outside -18.15 to 46.85 °C, which is impossible on Earth, the first at step 5."
    assert said in (tmp_path / "report" / "report.html").read_text()
    with xr.open_dataset(tmp_path / "report" / "scores.nc") as scores:
        assert said in scores.attrs["remarks"]
        assert said in scores.attrs["findings"]
