"""A model judged while it is rolled out: `triton-earth evaluate MODEL STORE --steps N`."""

import numpy as np
import xarray as xr


def test_scores_are_those_of_the_stored_forecast(
    command, tiny_run, tiny_forecast, tiny_store, tmp_path
):
    options = ["--resamples", 20, "--out"]
    live = command("evaluate", tiny_run, tiny_store, "--steps", 7, *options, tmp_path / "live")
    assert live.code == 0
    assert live.out.endswith(f"report: {tmp_path / 'live' / 'report.html'}\n")
    stored = command("evaluate", tiny_forecast, tiny_store, *options, tmp_path / "stored")
    assert stored.code == 0
    with (
        xr.open_dataset(tmp_path / "live" / "scores.nc") as one,
        xr.open_dataset(tmp_path / "stored" / "scores.nc") as other,
    ):
        for name in ("rmse", "correlation", "extreme", "enstrophy_spectrum"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5)
        assert "--steps 7 --split test" in one.attrs["command"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live", "stored"]


def test_not_in_several_processes(command, tiny_run, tiny_store, tmp_path):
    words = ["evaluate", tiny_run, tiny_store, "--steps", 7, "--out", tmp_path / "live"]
    refused = command(*words, "--workers", 2)
    assert refused.code == 2
    assert "a model is rolled out in one process" in refused.err
    assert not list(tmp_path.iterdir())
