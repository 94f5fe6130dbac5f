import numpy as np
import xarray as xr

from triton_earth.evaluation.metrics.ensembles import by_ensemble


def test_ensembles_of_different_sizes():
    parts = [
        xr.Dataset({"ranks": ("rank", np.full(n, 1 / n))}, coords={"rank": np.arange(n)})
        for n in (3, 5)
    ]
    joined = by_ensemble(dict(zip("ab", parts, strict=True)))
    assert joined["ranks"].sel(ensemble="a").notnull().sum() == 3
    np.testing.assert_allclose(joined["ranks"].sel(ensemble="b"), 0.2)
    xr.testing.assert_identical(by_ensemble({"a": parts[0]}), parts[0])
