"""Plausible scores and examples for the pictures."""

import pytest
import xarray as xr
from tests.plausible import add_ensemble, add_long_runs, build_example, build_scores


@pytest.fixture(scope="session")
def make_scores():
    return build_scores


@pytest.fixture(scope="session")
def with_long_runs():
    return add_long_runs


@pytest.fixture(scope="session")
def with_ensemble():
    return add_ensemble


@pytest.fixture(scope="session")
def make_example():
    return build_example


@pytest.fixture
def scores() -> xr.Dataset:
    return build_scores()


@pytest.fixture
def example() -> xr.Dataset:
    return build_example(leads=8, size=32)
