"""Scores and sections of others: the page's example, in the score file and the report, alone and in processes."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import triton_earth
from tests.foreign import DAY, GRID, INITS, LEADS, TIMES, forecast_fields, true_fields
from triton_earth.core.errors import UserError

PAGE = Path(__file__).parents[2] / "docs" / "your_score.md"
OWN = ("--score", "my_score:RIGHT_SIGN", "--section", "my_score:right_sign_sections")


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The page's example as a file in the current folder."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "my_score.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_score", raising=False)
    yield tmp_path
    sys.modules.pop("my_score", None)


def test_the_example_of_the_page_is_in_score_file_and_report(
    command, example, tiny_forecast, tiny_store
):
    words = ("evaluate", tiny_forecast, tiny_store, "--resamples", 20)
    assert command(*words, *OWN, "--out", "report").code == 0
    with xr.open_dataset(example / "report/scores.nc") as scores:
        share = scores["right_sign"]
        assert share.dims == ("forecast", "variable", "lead_time")
        assert "right_sign_interval" in scores
        assert "right_sign_interval" not in scores.attrs["command"]
        assert "--score my_score:RIGHT_SIGN" in scores.attrs["command"]
        assert float(share.min()) >= 0.0
        assert float(share.max()) <= 1.0
        assert float(share.sel(forecast="persistence").max()) < 1.0
    page = (example / "report/report.html").read_text(encoding="utf-8")
    assert "<h2>Right sign</h2>" in page
    assert "Right sign of the anomaly" in page
    assert page.index("<h2>Right sign</h2>") < page.index("<h2>Definitions</h2>")


def test_a_family_as_it_is_gives_what_numpy_gives(example, monkeypatch):
    monkeypatch.syspath_prepend(example)
    from my_score import RIGHT_SIGN

    true, fields = true_fields()[:, 0], forecast_fields()[:, :, 0]
    axes = {"latitude": np.array(GRID.latitude), "longitude": np.array(GRID.longitude)}
    units = {"units": "K"}
    truth = xr.Dataset(
        {"2m_temperature": (("time", *axes), true, units)}, coords={"time": TIMES, **axes}
    )
    forecast = xr.Dataset(
        {"2m_temperature": (("init_time", "lead_time", *axes), fields[:, 1:], units)},
        coords={"init_time": INITS, "lead_time": LEADS * DAY, **axes},
    )
    scores = triton_earth.evaluate(forecast, truth, score=[RIGHT_SIGN], resamples=20)
    start = np.searchsorted(TIMES, INITS)
    normal = true[start][:, None]
    right = (fields[:, 1:] - normal) * (true[start[:, None] + LEADS] - normal) > 0
    weights = np.asarray(GRID.cell_area_weights)
    share = (right * weights).sum(axis=(-2, -1)) / weights.sum()
    ours = scores["right_sign"].isel(forecast=0, variable=0)
    np.testing.assert_allclose(ours.values, share.mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--score", "my_score:NOTHING", "score 'my_score:NOTHING': cannot be imported"),
        ("--score", "my_score:np", "expected a triton_earth.evaluation.aggregator.Family"),
        ("--section", "no_such_module:f", "section 'no_such_module:f': cannot be imported"),
        ("--section", "my_score:__name__", "expected a function of scores and examples"),
    ],
)
def test_refusals(command, example, tiny_forecast, tiny_store, option, value, words):
    ended = command("evaluate", tiny_forecast, tiny_store, option, value, "--out", "report")
    assert ended.code == 2
    assert words in ended.err
    assert "docs/your_score.md" in ended.err or "of a file in the current folder" in ended.err
    assert not (example / "report").exists()


def test_an_object_that_is_no_family_is_refused(tiny_forecast, tiny_store):
    with pytest.raises(UserError, match="score"):
        triton_earth.evaluate(tiny_forecast, tiny_store, score=[5])


@pytest.mark.slow
def test_two_processes_give_the_same(command, example, tiny_forecast, tiny_store, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(example))
    words = ("evaluate", tiny_forecast, tiny_store, "--resamples", 20, *OWN[:2])
    assert command(*words, "--out", "one").code == 0
    assert command(*words, "--out", "two", "--workers", 2).code == 0
    with xr.open_dataset("one/scores.nc") as one, xr.open_dataset("two/scores.nc") as two:
        xr.testing.assert_identical(two["right_sign"], one["right_sign"])
