"""Make statistics.json from a daily sea surface height of another model's double gyre; see README.md.

python tests/golden/double_gyre/make_statistics.py FILE
"""

import json
import sys
from pathlib import Path

import xarray as xr
from jet_statistics import jet_statistics

with xr.open_dataset(sys.argv[1]) as data:
    height = data["ssh"].transpose("time", "y", "x").values.astype("float64")
    found = jet_statistics(height, float(data.attrs["dx"]), float(data.attrs["f0"]))
    note = str(data.attrs["note"])
Path(__file__).with_name("statistics.json").write_text(
    json.dumps({"note": note, **found}, indent=1) + "\n"
)
