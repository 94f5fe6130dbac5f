"""Make the event lists with heatwave3: run as `python make_events.py` in this folder."""

import tempfile
from pathlib import Path

import heatwave3
import numpy as np
import xarray as xr

FOLDER = Path(__file__).parent
COLUMNS = (
    "date_start",
    "date_peak",
    "date_end",
    "duration",
    "intensity_max",
    "intensity_mean",
    "intensity_cumulative",
    "category",
)


def main(site: str, folder: Path) -> None:
    """Write the series as a map of 2 x 2 equal cells, detect, and keep the events of the first cell."""
    rows = np.loadtxt(FOLDER / f"sst_{site}.csv.gz", delimiter=",", skiprows=1, dtype=str)
    times, sst = rows[:, 0].astype("M8[ns]"), rows[:, 1].astype(float)
    cells = {"time": times, "lat": [0.0, 0.25], "lon": [0.0, 0.25]}
    field = xr.DataArray(np.tile(sst[:, None, None], (1, 2, 2)), coords=cells, name="sst")
    days = {"units": "days since 1970-01-01", "dtype": "int32"}
    field.to_dataset().to_netcdf(folder / f"{site}.nc", encoding={"time": days})
    stem = str(folder / site)
    heatwave3.ts2clm3(f"{stem}.nc", stem, ("1982-01-01", "2011-12-31"), quiet=True)
    heatwave3.detect_event3(f"{stem}.nc", stem, category=True, quiet=True)
    events = xr.open_dataset(f"{stem}_events.nc")
    first = events.isel(event=events["pixel_index"].values == events["pixel_index"].values.min())
    lines = [",".join(COLUMNS)]
    for number in range(first.sizes["event"]):
        values = [first[name].values[number] for name in COLUMNS]
        lines.append(
            ",".join(
                str(value.astype("M8[D]")) if isinstance(value, np.datetime64) else f"{value:g}"
                for value in values
            )
        )
    (FOLDER / f"events_{site}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("wa", "med"):
            main(name, Path(temporary))
