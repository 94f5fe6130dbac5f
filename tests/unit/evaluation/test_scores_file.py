import json

import numpy as np
import pytest
import xarray as xr

from triton_earth.core.errors import UserError
from triton_earth.evaluation.evaluate import evaluate_forecast
from triton_earth.evaluation.scores_file import save_scores, scores_as_json
from triton_earth.evaluation.verdict.verdict import verdict


@pytest.fixture
def scores(flow, forecasts_of, truth_of):
    forecast = flow[:, 1:].copy()
    forecast[0, 5:] = np.nan
    return evaluate_forecast(forecasts_of(forecast), truth_of(flow), resamples=30)


def test_netcdf_gives_back_the_scores(scores, tmp_path):
    save_scores(scores, tmp_path / "new" / "scores")
    with xr.open_dataset(tmp_path / "new" / "scores" / "scores.nc") as found:
        xr.testing.assert_identical(found.load(), scores)
    names = sorted(path.name for path in (tmp_path / "new" / "scores").iterdir())
    assert names == ["scores.json", "scores.nc"]


def test_large_arrays_with_little_in_them_take_little_room(scores, tmp_path):
    values = np.full((3, 400, 300), np.nan)
    values[:, -1] = np.random.default_rng(0).standard_normal(300)
    scores["zonal_ratio_interval"] = (("a", "b", "c"), values)
    save_scores(scores, tmp_path)
    assert (tmp_path / "scores.nc").stat().st_size < values.nbytes / 8
    with xr.open_dataset(tmp_path / "scores.nc") as found:
        xr.testing.assert_identical(found.load(), scores)


def test_calendar_times_survive(flow, forecasts_of, truth_of, tmp_path):
    times = np.datetime64("2020-01-01", "ns") + np.arange(8) * np.timedelta64(86400, "s")
    day = np.timedelta64(24, "h").astype("timedelta64[ns]")
    forecast = forecasts_of(flow[:, 1:4], init_times=times[[0] * 6], time_step=day)
    scores = evaluate_forecast(forecast, truth_of(flow, times=times), resamples=20)
    save_scores(scores, tmp_path)
    with xr.open_dataset(tmp_path / "scores.nc") as found:
        assert (found["lead_time"] == scores["lead_time"]).all()
        assert (found["init_time"] == scores["init_time"]).all()
    text = json.loads((tmp_path / "scores.json").read_text())
    assert text["lead_time"][0] == "1 d"


def test_json_is_strict_and_holds_the_scores(scores, tmp_path):
    save_scores(scores, tmp_path)
    text = (tmp_path / "scores.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(text, parse_constant=refuse)
    assert found == json.loads(json.dumps(scores_as_json(scores)))
    one = found["forecasts"]["triton"]
    rmse = one["variables"]["vorticity"]["rmse"]
    assert rmse["value"][:5] == [0.0] * 5
    assert rmse["value"][5:] == [None, None]
    assert rmse["lower"][0] == 0.0
    assert one["stability_criterion"] == "not finite"
    assert one["stability_horizon"]["value"] is None
    assert one["stability_horizon"]["upper"] is None
    assert one["stable_fraction"]["value"] == pytest.approx(5 / 6)
    assert found["forecasts"]["persistence"]["variables"]["vorticity"]["mse"]["value"][6] > 0
    assert list(found["flow"]) == ["triton", "persistence", "truth"]
    assert len(found["flow"]["truth"]["enstrophy"]["upper"]) == 7
    assert found["provenance"]["forecast"]["model"] == "triton"
    assert found["lead"] == [1, 2, 3, 4, 5, 6, 7]
    assert found["definitions"]["rmse"]["units"] == "s-1"
    assert (found["evaluated_leads"], found["seed"]) == (7, 0)


def test_json_is_readable(scores, tmp_path):
    save_scores(scores, tmp_path)
    lines = (tmp_path / "scores.json").read_text().splitlines()
    assert ' "lead": [ 1, 2, 3, 4, 5, 6, 7 ],' in lines
    assert len(lines) < 600


def test_the_verdict_is_data(scores, tmp_path):
    save_scores(scores, tmp_path)
    said = {
        name: [finding.to_dict() for finding in found] for name, found in verdict(scores).items()
    }
    assert json.loads((tmp_path / "scores.json").read_text())["findings"] == said
    with xr.open_dataset(tmp_path / "scores.nc") as stored:
        assert json.loads(stored.attrs["findings"]) == said
    assert all(finding["text"].startswith(finding["question"]) for finding in said["triton"])
    assert {finding["subject"] for finding in said["triton"]} >= {
        "stability",
        "rmse",
        "correlation",
    }


def test_the_table_to_quote_is_among_them(scores, tmp_path):
    save_scores(scores, tmp_path)
    table = json.loads((tmp_path / "scores.json").read_text())["headline"]
    assert table["columns"][0] == "RMSE, step 1"
    row = table["rows"][1]
    assert (row["variable"], row["forecast"]) == ("vorticity", "persistence")
    rmse = scores["rmse"].sel(forecast="persistence", variable="vorticity")
    assert row["value"][0] == float(rmse[0])
    assert table["markdown"].startswith("| Variable | Forecast | RMSE, step 1 |")


def test_saving_again_replaces(scores, tmp_path):
    save_scores(scores, tmp_path)
    save_scores(scores.assign_attrs(title="second"), tmp_path)
    assert json.loads((tmp_path / "scores.json").read_text())["title"] == "second"


def test_folder_that_is_a_file_is_refused(scores, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken: scores cannot be written there \(.*\). Make room"):
        save_scores(scores, tmp_path / "taken")


def test_failure_leaves_nothing_half_written(scores, tmp_path, monkeypatch):
    def fail(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(UserError, match="No space left on device"):
        save_scores(scores, tmp_path)
    assert list(tmp_path.iterdir()) == []
