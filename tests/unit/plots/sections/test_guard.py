import base64
import io
import re

import numpy as np
from PIL import Image

from triton_earth.core.wording import LONG_NAMES
from triton_earth.plots.sections.guard import first_trips, triage

TRIP = {
    "init": 3,
    "step": 4,
    "variable": "vorticity",
    "statistic": "variance at wavenumbers 15.5 to 31.5",
    "value": 1.25e7,
    "lower": None,
    "upper": 0.5,
    "y": 5,
    "x": 9,
    "scale": "wavenumbers 15.5 to 31.5",
    "scale_step": 4,
    "growth_rate": 0.7,
}
RECORD = {"policy": "warn", "climate_states": 64, "count": 3, "trips": []}


def test_nothing_happened():
    section = triage(RECORD, 16, None)
    assert section.title == "Guard"
    assert "Every state of 16 forecasts stayed within the training climate" in section.body
    assert "64 training states" in section.body


def test_first_trip_of_each_forecast():
    later = {**TRIP, "step": 5, "statistic": "variance"}
    other = {**TRIP, "step": 9, "init": 1}
    assert first_trips({**RECORD, "trips": [TRIP, later, other]}) == [TRIP, other]


def test_table_and_picture(make_example):
    example = make_example(leads=20, size=32)
    example["forecast"][:, 5:] = np.nan
    body = triage({**RECORD, "trips": [TRIP]}, 16, example).body
    assert "1 of 16 forecasts left the training climate" in body
    for words in (
        "variance at wavenumbers 15.5 to 31.5",
        "1.25 × 10⁷",
        "– to 0.500",
        f"y {float(example['y'][5]):.4g}, x {float(example['x'][9]):.4g}",
        "first, at step 4 · 0.22 time units",
        "Maps of vorticity before and after step 4 · 0.22 time units",
        "0.700 per step",
    ):
        assert words in body
    (uri,) = re.findall(r"data:image/png;base64,([^\"]+)", body)
    assert Image.open(io.BytesIO(base64.b64decode(uri))).width > 800


def test_with_a_calendar_a_lead_is_a_length_of_time(make_example):
    names = ("u_850", "v_850")
    example = make_example(leads=20, size=16, variables=names, calendar=True).assign_coords(
        {LONG_NAMES: ("variable", ["eastward wind", "northward wind"])}
    )
    body = triage({**RECORD, "trips": [{**TRIP, "variable": "u_850"}]}, 16, example).body
    for words in ("<td>day 1</td>", "<td>eastward wind (850)</td>", "first, at day 1"):
        assert words in body
    assert "u_850" not in body


def test_stopped_forecasts_and_many_rows():
    trips = [{**TRIP, "init": number, "y": None, "growth_rate": None} for number in range(15)]
    body = triage({**RECORD, "policy": "stop", "trips": trips}, 16, None).body
    assert "each was stopped there, and its later states are missing" in body
    assert "9 more are in the forecast store" in body
    assert body.count("<tr>") == 7


def test_every_text_is_escaped():
    body = triage({**RECORD, "trips": [{**TRIP, "variable": "<b>"}]}, 1, None).body
    assert "<b>" not in body
    assert "&lt;b&gt;" in body
