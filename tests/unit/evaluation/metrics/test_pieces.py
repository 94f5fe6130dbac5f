"""What is kept of initial conditions apart, and merged, is what is kept of them together."""

import pickle
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from tests.cases import case_of
from tests.ocean import PERIOD, STARTS, ocean_forecast, ocean_store

from triton_earth.core.processes.tasks import InThisProcess
from triton_earth.core.region import Region
from triton_earth.evaluation.aggregator import Always
from triton_earth.evaluation.example import ExampleFields, Examples
from triton_earth.evaluation.matching import match
from triton_earth.evaluation.metrics.eddies.scores import Eddies, EddySums
from triton_earth.evaluation.metrics.ensembles import EnsembleMeans, ensembles
from triton_earth.evaluation.metrics.errors import Errors
from triton_earth.evaluation.metrics.extremes import Extremes
from triton_earth.evaluation.metrics.heat_waves.scores import HeatWaves, HeatWaveSums
from triton_earth.evaluation.metrics.similarity import Similarity
from triton_earth.evaluation.streaming import stream

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
def kept(stores):
    """What is kept of the initial conditions from one to another, of two models in a region."""
    truth, forecasts = stores
    region = Region.parse("32:38,140:148")
    how = {"region": region, "weights_name": "cos_latitude", "seed": 5}
    case = case_of(match(forecasts, ["a", "b"]), truth, **how)
    chosen = [Always(Errors), Always(Similarity), Always(Extremes), Always(ensembles)]
    chosen += [HeatWaves(f"sst:{PERIOD}"), Eddies("ssh"), Examples()]
    families = [family.fit(case, InThisProcess()) for family in chosen]

    @cache
    def between(first, last):
        part = case.select(np.arange(first, last))
        aggregators = [one for family in families for one in family.start(part)]
        stream(part, aggregators)
        return aggregators

    return between


@pytest.mark.parametrize("cuts", CUTS)
def test_pieces_are_the_whole(kept, cuts):
    pieces = [kept(*piece) for piece in pairwise([0, *cuts, INITS])]
    kinds = []
    for whole, first, *rest in zip(kept(0, INITS), *pieces, strict=True):
        kinds.append(type(whole))
        merged = pickle.loads(pickle.dumps(first)).merge(*rest)
        names = ["fields"] if isinstance(whole, ExampleFields) else whole.INIT_AXES
        for name in names:
            found = getattr(whole, name)
            if found is not None:
                # Sums over cells are those of numpy, whose order depends on how many fields there are.
                rtol = 1e-12 if isinstance(whole, Errors | Similarity) else 0
                np.testing.assert_allclose(getattr(merged, name), found, rtol=rtol, err_msg=name)
                assert np.nan_to_num(found).any(), name
    expected = [Errors, Similarity, Extremes, EnsembleMeans, EnsembleMeans]
    assert kinds == [*expected, HeatWaveSums, EddySums, ExampleFields]


def test_nothing_is_kept_without_a_truth(kept):
    found = kept(INITS - 1, INITS)
    warm, rings = (one for one in found if isinstance(one, HeatWaveSums | EddySums))
    members = next(one for one in found if isinstance(one, EnsembleMeans))
    assert not warm.area[..., 5:].any()
    assert not rings.sums[..., 5:].any()
    assert np.isnan(rings.energy[..., 5:]).all()
    assert np.isnan(members.crps[:, 5:]).all()
    assert members.ranks[:, 4].sum() > 0
    assert not members.ranks[:, 5:].any()


def test_what_only_helps_stays_behind(kept):
    """An aggregator that goes to another process takes arrays along, not the forecasts and the truth."""
    for one in kept(0, INITS):
        there = pickle.loads(pickle.dumps(one))
        assert not [name for name in vars(there) if name.startswith("_")]
        assert set(one.INIT_AXES) <= set(vars(there))
