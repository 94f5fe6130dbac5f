"""Initial conditions that are recorded apart and joined give what those recorded together give, to the bit."""

from dataclasses import fields
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from tests.ocean import PERIOD, STARTS, ocean_forecast, ocean_store

from triton_earth.core.region import Region
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.baselines import fit_baselines
from triton_earth.evaluation.distributed import HeatWaves, Recorded, Recording, record_rows
from triton_earth.evaluation.matching import match
from triton_earth.evaluation.metrics.heat_wave_baseline import heat_wave_baseline

INITS = len(STARTS)
CUTS = [
    [cut for cut in range(1, INITS) if number >> (cut - 1) & 1]
    for number in range(1, 2 ** (INITS - 1))
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ocean")
    forecasts = [
        ocean_forecast(folder / f"forecast_{members}.zarr", members=members) for members in (3, 2)
    ]
    return ocean_store(folder / "truth.zarr"), forecasts


@pytest.fixture(scope="module")
def recorded(stores):
    """Records of the initial conditions from one to another, of two models in a region."""
    truth, forecasts = stores
    models = tuple(match(forecasts, ["a", "b"]))
    alignment = align(models[0], truth)
    warm = heat_wave_baseline(f"sst:{PERIOD}", models[0], truth, alignment)
    work = Recording(
        models,
        truth,
        alignment,
        fit_baselines(models[0], truth, alignment),
        Region.parse("32:38,140:148"),
        "cos_latitude",
        5,
        HeatWaves(warm.variable, warm.climate()),
        "ssh",
    )
    return cache(lambda first, last: record_rows(work, np.arange(first, last)))


@pytest.mark.parametrize("cuts", CUTS)
def test_pieces_are_the_whole(recorded, cuts):
    whole = recorded(0, INITS)
    joined = Recorded.join([recorded(*piece) for piece in pairwise([0, *cuts, INITS])])
    assert list(whole.ensembles) == list(joined.ensembles) == [0, 1]
    kinds = [(whole.heat_waves, joined.heat_waves), (whole.eddies, joined.eddies)]
    kinds += [(whole.ensembles[place], joined.ensembles[place]) for place in (0, 1)]
    for one, other in kinds:
        for field in fields(one):
            found = getattr(one, field.name)
            np.testing.assert_array_equal(getattr(other, field.name), found, err_msg=field.name)
            assert np.nan_to_num(found).any()


def test_nothing_is_kept_without_a_truth(recorded):
    last = recorded(INITS - 1, INITS)
    assert not last.heat_waves.area[..., 5:].any()
    assert not last.eddies.sums[..., 5:].any()
    assert np.isnan(last.eddies.energy[..., 5:]).all()
    assert np.isnan(last.ensembles[0].crps[:, 5:]).all()
    assert last.ensembles[0].ranks[:, 4].sum() > 0
    assert not last.ensembles[0].ranks[:, 5:].any()
