import numpy as np
import xarray as xr

from triton_earth.evaluation.example import with_anomalies
from triton_earth.models.climatology import fit_climatology


def test_only_what_mean_and_season_hide_has_anomalies(weather):
    """Temperature here is a season and little else, sunshine is nothing but noise about its mean."""
    names = weather.variables.names
    climatology = fit_climatology(weather, names)
    times = weather.times[:3]
    mean = np.swapaxes(climatology.at(times), 0, 1)
    noise = np.random.default_rng(0).standard_normal(mean.shape)
    spread = np.nanstd(mean, axis=(1, 2, 3), keepdims=True)
    scale = np.array([0.1, 3.0])[:, None, None, None] * spread
    scale[1] += 1.0
    dims = ("variable", "lead_time", "y", "x")
    truth = mean + scale * noise
    example = xr.Dataset(
        {"truth": (dims, truth), "forecast": (dims, mean), "error": (dims, mean - truth)},
        coords={"variable": names, "lead_time": times - times[0]},
        attrs={"init_time": str(times[0])},
    )
    found = with_anomalies(example, climatology)
    assert found.attrs["anomalies"] == [names[0]]
    known = np.isfinite(truth)
    wanted = (scale * noise)[known]
    np.testing.assert_allclose(found["truth_anomaly"].values[known], wanted, atol=1e-3)
    assert found["truth_anomaly"].isnull().values[~known].all()
    np.testing.assert_allclose(found["forecast_anomaly"].fillna(0), 0, atol=1e-3)
    xr.testing.assert_identical(found["error"], example["error"])
