import json

import numpy as np

from triton_earth.bench.budget import Cost
from triton_earth.bench.errors import RELATIVE_L2
from triton_earth.bench.intervals import Summary
from triton_earth.bench.results import Results, Row
from triton_earth.bench.table import as_json, html, markdown


def summary(mean, difference, half=0.01):
    mean, difference = np.array(mean), np.array(difference)
    around = np.array([-half, half])
    return Summary(
        mean, mean + half, mean[:, None] + around, difference, difference[:, None] + around
    )


def results():
    cost = Cost(12_345, 2.5e9, 0.5, 0.6)
    known = {"steps": 40, "rate": 1e-3, "trials": {"0.001": 0.5}, "search_cpu_seconds": 7.0}
    means = {"mse_over_persistence": 0.05, "stable_fraction": 0.75, "cpu_seconds": 20.0}
    unknown = np.full((2, 2), np.nan)
    rows = [
        Row("first", cost, known, [0, 1], {}, {**means}, summary([0.1, 0.5], [0.0, 0.0])),
        Row("a|b <i>", cost, known, [0], {1: "no <memory>"}, means, summary([0.2, np.inf], [0.1, np.inf])),
        Row("broken", cost, {"failure": "x"}, [], {0: "no memory", 1: "no memory"}, {}, None),
        Row("persistence", None, {}, [], {}, {"mse_over_persistence": 1.0},
            Summary(np.array([1.0, 2.0]), np.array([1.0, 2.0]), unknown, unknown[0], unknown)),
    ]  # fmt: skip
    return Results("Table", "20 CPU seconds", RELATIVE_L2, [1, 9], rows, 8)


def test_markdown():
    text = markdown(results())
    assert "| first | 0.05 | 0.1 [0.09, 0.11] (0.11) | 0.5 [0.49, 0.51] (0.51) |" in text
    assert "| a\\|b <i> | 0.05 | 0.2 [0.19, 0.21] | ∞ [∞, ∞] |" in text
    assert "| persistence | 1 | 1 | 2 |" in text
    assert "| a\\|b <i> | worse, +0.1 [+0.09, +0.11] | – |" in text
    assert "| first | 12,345 | 2.5e+09 | 40 | 0.001 | 20 | 7 | 2 |" in text
    assert "| broken | – | – | – |" in text
    assert "| broken | 1 | no memory |" in text
    assert "| first | 75% | not reached | – | – | – |" in text


def test_climate_skill_has_a_column_where_a_row_has_it():
    assert "climate skill" not in markdown(results())
    judged = results()
    judged.rows[0].means.update(climate_skill=0.8, climate_skill_worst=0.1)
    text = markdown(judged)
    assert "| ACC | activity | climate skill |" in text
    assert "| first | 75% | not reached | – | – | – | 0.8 (0.1) |" in text
    assert "| persistence | – | – | – | – | – | – |" in text


def test_texts_are_escaped_in_html():
    text = html(results())
    assert '<th scope="row">a|b &lt;i&gt;</th>' in text
    assert "no &lt;memory&gt;" in text
    assert "<i>" not in text


def test_json_is_strict():
    told = json.loads(json.dumps(as_json(results()), allow_nan=False))
    assert told["rows"][1]["mean"] == [0.2, None]
    assert told["rows"][3]["interval"] == [[None, None], [None, None]]
    assert told["rows"][2]["failures"] == {"0": "no memory", "1": "no memory"}
