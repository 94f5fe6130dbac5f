"""Make the orography and the land fraction that the SPEEDY model of the shipped weather has.

    python scripts/make_speedy_geography.py TERRAIN

TERRAIN is ``jcm/data/bc/t30/clim/terrain.nc`` of the package jcm 3.0.0 (Apache-2.0), on the model's grid of 48 x 96
cells. The file goes to ``src/triton_earth/data/embedded``; the same input gives the same bytes.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from triton_earth.core.grid import LatLonGrid
from triton_earth.data.sources.places.regrid import conservative, equal_angle_grid

EMBEDDED = Path(__file__).parents[1] / "src" / "triton_earth" / "data" / "embedded"
NAME = "speedy_64x32_geography"
FIELDS = {
    "orog": ("surface_altitude", "m", "height of the surface", 1.0),
    "lsm": ("land_sea_mask", "1", "land fraction", 0.001),
}
"""Name in the source: name, units, words, step to which it is rounded."""


def main() -> None:
    """Average both fields conservatively onto 32 x 64 cells and pack them into 16 bits."""
    with xr.open_dataset(sys.argv[1]) as data:
        data = data.transpose("lat", "lon").sortby("lat")
        grid = LatLonGrid(tuple(data["lat"].values), tuple(data["lon"].values))
        regrid = conservative(grid, equal_angle_grid(grid, 32, 64))
        fields = {
            name: (("latitude", "longitude"), regrid(data[source].values[None].astype(np.float64))[0],
                   {"units": units, "long_name": words})
            for source, (name, units, words, _) in FIELDS.items()
        }  # fmt: skip
    result = xr.Dataset(
        fields,
        coords={
            "latitude": ("latitude", regrid.target.y, {"units": "degrees_north"}),
            "longitude": ("longitude", regrid.target.x, {"units": "degrees_east"}),
        },
        attrs={
            "title": "Orography and land fraction of SPEEDY, 32 x 64",
            "source": "boundary data of the SPEEDY general circulation model (jcm 3.0.0), T30",
            "license": "Apache-2.0 (jcm 3.0.0)",
            "processing": "conservative averages from 48 x 96 cells, rounded to 1 m and 0.001",
        },
    )
    packing = {
        name: {"dtype": "int16", "scale_factor": step, "_FillValue": -32768, "zlib": True, "complevel": 9}
        for name, _, _, step in FIELDS.values()
    }  # fmt: skip
    path = EMBEDDED / f"{NAME}.nc"
    result.to_netcdf(path, encoding=packing)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e3:.1f} kB\n")


if __name__ == "__main__":
    main()
