"""Make the small data files that come with the package from the larger ones they are reduced from.

    python scripts/make_embedded_data.py FOLDER

FOLDER holds ``speedy_t31_daily_3yr.nc``, ``veros_4deg_daily_3yr.nc`` and ``sst_anomaly_1979_2008_monthly.nc``; the
files are written to ``src/triton_earth/data/embedded``. The same inputs give the same bytes. Sources and licences are
in the files' attributes and in ``docs/embedded_data.md``.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.places.regrid import conservative, equal_angle_grid

EMBEDDED = Path(__file__).parents[1] / "src" / "triton_earth" / "data" / "embedded"

SPEEDY = {
    "speedy_64x32_mass": {"t_sigma835": 0.25, "z_sigma510": 64.0},
    "speedy_64x32_wind": {"u_sigma835": 0.5, "v_sigma835": 0.5},
}
"""Variables of each file and the step to which they are rounded: an eighth to a sixth of the mean change in a day."""

MODEL_OUTPUT = (
    "MODEL OUTPUT, not observations: SPEEDY general circulation model (jcm 3.0.0), T31, 8 levels, "
    "daily, climatological SST"
)


VEROS = {
    "veros_4deg_surface": {"sst": 0.025, "sss": 0.005, "ssh": 0.0025},
    "veros_4deg_currents": {"u": 0.0015, "v": 0.0015},
    "veros_4deg_forcing": {
        "heat_flux_anomaly": 15.0,
        "wind_stress_x_anomaly": 0.02,
        "wind_stress_y_anomaly": 0.02,
    },
}
"""Variables of each file and the step to which they are rounded: a third to the whole of the mean change in a day."""

VEROS_NAMES = {
    "sst": "sea surface temperature",
    "sss": "sea surface salinity",
    "ssh": "sea surface height",
    "u": "eastward current at the surface",
    "v": "northward current at the surface",
    "heat_flux_anomaly": "anomaly of the heat flux into the ocean",
    "wind_stress_x_anomaly": "anomaly of the eastward wind stress",
    "wind_stress_y_anomaly": "anomaly of the northward wind stress",
}


def speedy(source: Path, name: str, steps: dict[str, float]) -> None:
    """Average fields of the model conservatively onto 32 x 64 cells and pack them into 16 bits."""
    with xr.open_dataset(source) as data:
        grid = LatLonGrid(tuple(data["lat"].values), tuple(data["lon"].values))
        regrid = conservative(grid, equal_angle_grid(grid, 32, 64))
        fields = {
            variable: (("time", "latitude", "longitude"), regrid(data[variable].values), attributes(data[variable]))
            for variable in steps
        }  # fmt: skip
        result = xr.Dataset(
            fields,
            coords={"time": data["time"].values, **coordinates(regrid.target)},
            attrs={
                "title": "SPEEDY, daily, three years, 32 x 64",
                "source": MODEL_OUTPUT,
                "license": "Apache-2.0 (jcm 3.0.0, which made the fields)",
                "processing": f"conservative averages from 48 x 96 cells, rounded to {steps}",
            },
        )
    save(result, name, steps)


def veros(source: Path, name: str, steps: dict[str, float]) -> None:
    """Take the last two years of the ocean model, mask land and points of no flow and pack into 16 bits."""
    with xr.open_dataset(source) as data:
        data = data.isel(time=slice(-730, None))
        ocean = data["ocean_mask"].values
        grid = LatLonGrid(tuple(data["lat"].values), tuple(data["lon"].values))
        dims = ("latitude", "longitude", "time")
        fields = {
            variable: (
                dims,
                np.where(
                    ocean & (np.ptp(data[variable].values, axis=0) > 0), data[variable], np.nan
                ).transpose(1, 2, 0),
                {"units": data[variable].attrs["units"], "long_name": VEROS_NAMES[variable]},
            )
            for variable in steps
        }
        result = xr.Dataset(
            fields,
            coords={"time": data["time"].values, **coordinates(grid)},
            attrs={
                "title": "Veros, global ocean at 4 degrees, daily, two years, 40 x 90",
                "source": "MODEL OUTPUT, not observations: veros 1.7.0, global_4deg, forced by the climatology of "
                "MITgcm's tutorial and daily anomalies of the SPEEDY model (jcm 3.0.0); non-eddying",
                "license": "MIT (veros 1.7.0, MITgcm's inputs) and Apache-2.0 (jcm 3.0.0)",
                "comment": "the sign of the wind-stress anomalies is that of SPEEDY's and has not been verified",
                "processing": f"masked: land, and cells that never change (velocities beside land); rounded to {steps}",
            },
        )
        if "sst" in steps:
            result["land_sea_mask"] = (
                dims[:2],
                (~ocean).astype("int8"),
                {"units": "1", "long_name": "land fraction"},
            )
    save(result, name, steps)


def sea_surface_temperature(source: Path, name: str) -> None:
    """Mask land and ice, and pack hundredths of a kelvin."""
    with xr.open_dataset(source) as data:
        data = data.sortby("lat")
        anomaly = data["ssta"].values
        zero = np.mean(np.abs(anomaly) < 5e-4, axis=0)
        latitude = data["lat"].values[:, None]
        open_sea = (
            (zero < 0.1) & (np.abs(anomaly).max(axis=0) <= 6) & (latitude > -56) & (latitude < 66)
        )
        grid = LatLonGrid(tuple(data["lat"].values), tuple(data["lon"].values))
        result = xr.Dataset(
            {
                "ssta": (
                    ("time", "latitude", "longitude"),
                    np.where(open_sea, anomaly, np.nan),
                    {"units": "K", "long_name": "sea surface temperature anomaly from 1981-2010"},
                )
            },
            coords={"time": data["time"].values, **coordinates(grid)},
            attrs={
                "title": "Sea surface temperature anomalies, monthly, 1979-2008, 48 x 96 (Gaussian)",
                "source": "analyses of observations; boundary data of jcm 3.0.0, which does not name the analysis",
                "license": "Apache-2.0 (jcm 3.0.0)",
                "processing": "masked: land; cells that are 0 in a tenth of the months; poleward of "
                "56 S and 66 N; cells ever more than 6 K from normal (ice); rounded to 0.01 K",
            },
        )
    save(result, name, {"ssta": 0.01})


def attributes(array: xr.DataArray) -> dict[str, str]:
    """Return what the files say about a variable."""
    names = ("units", "long_name", "standard_name")
    return {name: str(array.attrs[name]) for name in names if name in array.attrs}


def coordinates(grid: LatLonGrid) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Return latitude and longitude with their units."""
    return {
        "latitude": ("latitude", grid.y, {"units": "degrees_north"}),
        "longitude": ("longitude", grid.x, {"units": "degrees_east"}),
    }


def save(result: xr.Dataset, name: str, steps: dict[str, float]) -> None:
    """Write one file, packed and compressed."""
    packing = {
        variable: {
            "dtype": "int16",
            "scale_factor": step,
            "add_offset": float(step * np.round(np.nanmean(result[variable].values) / step)),
            "_FillValue": -32768,
            "zlib": True,
            "complevel": 9,
            "shuffle": True,
            "chunksizes": result[variable].shape,
        }
        for variable, step in steps.items()
    }
    EMBEDDED.mkdir(exist_ok=True)
    path = EMBEDDED / f"{name}.nc"
    time = {"units": "days since 1979-01-01", "dtype": "int32"}
    result.to_netcdf(path, encoding={**packing, "time": time})
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.2f} MB\n")


def main() -> None:
    """Make all files."""
    folder = Path(sys.argv[1])
    for name, steps in SPEEDY.items():
        speedy(folder / "speedy_t31_daily_3yr.nc", name, steps)
    for name, steps in VEROS.items():
        veros(folder / "veros_4deg_daily_3yr.nc", name, steps)
    sea_surface_temperature(
        folder / "sst_anomaly_1979_2008_monthly.nc", "sst_anomaly_1979_2008_monthly"
    )


if __name__ == "__main__":
    main()
