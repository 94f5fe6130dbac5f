"""A model of ours behind the interface of earth2studio's prognostic models, without and with that package."""

from collections import OrderedDict
from itertools import islice

import numpy as np
import pytest
import torch
import xarray as xr

from tests.builders import daily_store, tiny_forecaster, weather_store
from triton_earth.core.errors import UserError
from triton_earth.core.variables import Variable
from triton_earth.exchange.earth2studio import Earth2StudioModel, their_name
from triton_earth.rollout.forcing import Forcings
from triton_earth.rollout.rollout import rollout

DAY = np.timedelta64(1, "D")
TIMES = np.datetime64("2001-01-01", "ns") + np.arange(40) * DAY


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return daily_store(tmp_path_factory.mktemp("e2s") / "truth.zarr", TIMES, sunshine=False)


def wrapped(store, **options):
    return Earth2StudioModel(tiny_forecaster(store, **options), static=store.path)


def inputs(model, store, indices=(5,)):
    """States of the store as earth2studio gives them, and their coordinates."""
    coords = model.input_coords()
    del coords["batch"]
    coords["time"] = store.times[list(indices)]
    history = len(coords["lead_time"])
    windows = [
        store.read(1, slice(index + 1 - history, index + 1))[:, :1, ::-1] for index in indices
    ]
    return torch.from_numpy(np.stack(windows)), coords


@pytest.mark.parametrize(
    ("variable", "theirs"),
    [
        (Variable("temperature_850", "K", level=850.0), "t850"),
        (Variable("geopotential_500", "m2 s-2", level=500.0), "z500"),
        (Variable("2m_temperature", "K"), "t2m"),
        (Variable("temperature", "K"), "temperature"),
        (Variable("soil_warmth", "K"), "soil_warmth"),
    ],
)
def test_variables_have_the_names_of_the_lexicon(variable, theirs):
    assert their_name(variable) == theirs


def test_it_has_what_the_protocol_asks_for(store):
    model = wrapped(store, history=2)
    for name in ("__call__", "create_iterator", "input_coords", "output_coords", "to"):
        assert callable(getattr(model, name))
    coords = model.input_coords()
    assert list(coords) == ["batch", "time", "lead_time", "variable", "lat", "lon"]
    assert coords["batch"].shape == coords["time"].shape == (0,)
    assert coords["lead_time"].dtype.kind == "m"
    np.testing.assert_array_equal(coords["lead_time"], [-DAY, 0 * DAY])
    assert coords["variable"].dtype.kind == "U"
    assert coords["lat"][0] > coords["lat"][-1]
    assert coords["lon"][0] == 0
    after = model.output_coords(coords)
    assert list(after) == list(coords)
    np.testing.assert_array_equal(after["lead_time"], [DAY])
    again = model.output_coords(OrderedDict(coords, lead_time=coords["lead_time"] + 5 * DAY))
    np.testing.assert_array_equal(again["lead_time"], [6 * DAY])
    assert model.to("cpu") is model


@pytest.mark.parametrize("history", [1, 2])
def test_steps_are_those_of_our_own_rollout(store, history):
    forecaster = tiny_forecaster(store, history=history)
    model = Earth2StudioModel(forecaster, static=store.path)
    x, coords = inputs(model, store, (5, 9))
    steps = list(islice(model.create_iterator(x, coords), 6))
    torch.testing.assert_close(steps[0][0], x[:, -1:])
    starts = [6 - history, 10 - history]
    initial = store.windows([1, 1], starts, history)
    forcings = Forcings(forecaster, store, [1, 1], store.times[[5, 9]], 6).states([0, 1], 0, "cpu")
    with torch.no_grad():
        expected = list(rollout(forecaster, initial, forcings, 5))
    for number, (found, state) in enumerate(zip(steps[1:], expected, strict=True), start=1):
        torch.testing.assert_close(found[0], state.data.flip(-2), rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(found[1]["lead_time"], [number * DAY])
    once, after = model(x, coords)
    torch.testing.assert_close(once, steps[1][0])
    np.testing.assert_array_equal(after["lead_time"], [DAY])


def test_an_ensemble_before_the_time_is_kept_apart(store):
    model = wrapped(store, noise={"channels": 1, "scales": [1]})
    x, coords = inputs(model, store, (5, 9))
    members = OrderedDict(ensemble=np.arange(3), **coords)
    found, after = model(torch.stack([x, x, x + 1]), members)
    assert list(after) == ["ensemble", "time", "lead_time", "variable", "lat", "lon"]
    assert found.shape == (3, 2, 1, 1, *store.grid.shape)
    alone, _ = model(x, coords)
    torch.testing.assert_close(found[0], alone)
    assert not torch.allclose(found[0], found[1])  # noise of its own


def test_hooks_see_every_step_and_what_they_return_is_fed_back(store):
    model = wrapped(store)
    x, coords = inputs(model, store)
    plain = [state for state, _ in islice(model.create_iterator(x, coords), 3)]
    leads = []

    def warmer(x, coords):
        leads.append(coords["lead_time"].tolist())
        return x + 1, coords

    model.rear_hook = warmer
    changed = [state for state, _ in islice(model.create_iterator(x, coords), 3)]
    torch.testing.assert_close(changed[1], plain[1] + 1)
    again, _ = model(changed[1], OrderedDict(coords, lead_time=coords["lead_time"] + DAY))
    torch.testing.assert_close(changed[2], again)
    nanoseconds = DAY // np.timedelta64(1, "ns")
    assert leads[:2] == [[nanoseconds], [2 * nanoseconds]]


def test_forcings_that_nobody_computes_are_refused(tmp_path):
    sea = weather_store(tmp_path / "sea.zarr")
    with pytest.raises(UserError, match=r"needs \['sunshine'\] at every time"):
        Earth2StudioModel(tiny_forecaster(sea))


def wrong(coords, **changes):
    return OrderedDict(coords, **changes)


REFUSALS = {
    "order": (
        lambda c: OrderedDict(reversed(list(c.items()))),
        r"expected the dimensions \(..., time,",
    ),
    "south first": (lambda c: wrong(c, lat=c["lat"][::-1]), "coordinate 'lat' is not that"),
    "longitude": (lambda c: wrong(c, lon=c["lon"] + 1), "coordinate 'lon' is not that"),
    "variable": (lambda c: wrong(c, variable=np.array(["t2m"])), "coordinate 'variable' is not"),
    "history": (lambda c: wrong(c, lead_time=np.array([-DAY, 0 * DAY])), "'lead_time' is not that"),
    "size": (lambda c: wrong(c, time=TIMES[:2]), r"has coordinates of \[2, 1, 1, 8, 8\] values"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_other_coordinates_are_refused(store, case):
    change, message = REFUSALS[case]
    model = wrapped(store)
    x, coords = inputs(model, store)
    with pytest.raises(UserError, match=message):
        model(x, change(coords))


def test_models_that_do_not_fit_are_refused(store, waves):
    with pytest.raises(UserError, match="has fields on latitude and longitude; the model is on"):
        Earth2StudioModel(tiny_forecaster(waves))
    with pytest.raises(UserError, match=r"needs the static fields \['height'\]"):
        Earth2StudioModel(tiny_forecaster(store))


def test_undefined_cells_are_no_input(store):
    model = wrapped(store)
    x, coords = inputs(model, store)
    x[0, 0, 0, 2, 3] = torch.nan
    with pytest.raises(UserError, match="the initial state holds 1 values that are not finite"):
        model(x, coords)


def test_the_packages_own_workflow_runs_it(store):
    """Where earth2studio is installed: its protocol knows the model, its workflow writes the steps of our iterator."""
    base = pytest.importorskip("earth2studio.models.px.base")
    run = pytest.importorskip("earth2studio.run")
    io = pytest.importorskip("earth2studio.io")
    model = wrapped(store)
    assert isinstance(model, base.PrognosticModel)

    class Truth:
        """A data source: states of the store by time and variable."""

        def __call__(self, time, variable):
            latitude, longitude = model.input_coords()["lat"], model.input_coords()["lon"]
            rows = [int(np.flatnonzero(store.times == np.datetime64(when))[0]) for when in time]
            fields = np.stack([store.read(1, slice(row, row + 1))[0, :1, ::-1] for row in rows])
            return xr.DataArray(
                fields,
                {
                    "time": np.asarray(time),
                    "variable": list(variable),
                    "lat": latitude,
                    "lon": longitude,
                },
                dims=["time", "variable", "lat", "lon"],
            )

    found = run.deterministic(
        [store.times[5]], 4, model, Truth(), io.KVBackend(), device=torch.device("cpu")
    )
    (name,) = model.input_coords()["variable"]
    expected = [state for state, _ in islice(model.create_iterator(*inputs(model, store)), 5)]
    np.testing.assert_allclose(
        np.squeeze(found[name]), torch.cat(expected).squeeze().numpy(), rtol=1e-5
    )
