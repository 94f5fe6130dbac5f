import numpy as np
import xarray as xr

from triton_earth.evaluation.several import by_ensemble, together


def part(value):
    return xr.Dataset(
        {
            "hits": (("forecast", "lead_time"), [[value], [7.0]], {"units": "1"}),
            "count": (("source", "lead_time"), [[value], [7.0], [9.0]]),
        }
    )


def test_all_models_come_before_the_references():
    joined = together([part(1.0), part(2.0), part(3.0)])
    assert joined["hits"][:, 0].values.tolist() == [1, 2, 3, 7]
    assert joined["count"][:, 0].values.tolist() == [1, 2, 3, 7, 9]
    assert joined["hits"].attrs == {"units": "1"}


def test_one_model_stays_as_it_is():
    xr.testing.assert_identical(together([part(1.0)]), part(1.0))


def test_ensembles_of_different_sizes():
    parts = [
        xr.Dataset({"ranks": ("rank", np.full(n, 1 / n))}, coords={"rank": np.arange(n)})
        for n in (3, 5)
    ]
    joined = by_ensemble(["a", "b"], parts)
    assert joined["ranks"].sel(ensemble="a").notnull().sum() == 3
    np.testing.assert_allclose(joined["ranks"].sel(ensemble="b"), 0.2)
    xr.testing.assert_identical(by_ensemble(["a"], parts[:1]), parts[0])
