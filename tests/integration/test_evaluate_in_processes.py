"""Scores that several processes make: those of one."""

import pytest
import xarray as xr

from tests.ocean import PERIOD, ocean_forecast, ocean_store

pytest.importorskip("distributed")


@pytest.fixture
def ocean(tmp_path):
    """A truth and two ensembles whose initial conditions are in three chunks."""
    ocean_store(tmp_path / "truth.zarr")
    for name, members in (("a", 17), ("b", 16)):
        ocean_forecast(tmp_path / f"{name}.zarr", members=members)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["evaluate", "compare"])
def test_processes_make_the_same_scores(command, ocean, verb, monkeypatch):
    drawing = "triton_earth.workflow.evaluate.write_report"
    monkeypatch.setattr(drawing, lambda scores, example, path, *_, **__: path.touch())
    stores = [ocean / "a.zarr", ocean / "b.zarr"][: 1 + (verb == "compare")]
    words = [verb, *stores, ocean / "truth.zarr", "--resamples", 10]
    words += ["--heat-waves", f"sst:{PERIOD}", "--eddies", "ssh", "--region", "32:38,141:148"]
    assert command(*words, "--out", ocean / "alone").code == 0
    shared = command(*words, "--workers", 2, "--out", ocean / "shared")
    assert (shared.code, shared.err) == (0, "")
    with (
        xr.open_dataset(ocean / "alone" / "scores.nc") as one,
        xr.open_dataset(ocean / "shared" / "scores.nc") as other,
    ):
        assert {"crps", "heat_wave_iou", "eddy_hit_rate"} <= set(one)
        kinds = ("rank_", "spread_", "finite_", "heat_wave_", "eddy_")
        same = [str(name) for name in one if str(name).startswith(kinds)]
        xr.testing.assert_identical(other[same].drop_attrs(), one[same].drop_attrs())
        xr.testing.assert_allclose(other, one, rtol=1e-12)
        assert other.attrs.pop("command").replace(" --workers 2", "").replace(
            "shared", "alone"
        ) == (one.attrs.pop("command"))
        assert other.attrs == one.attrs
