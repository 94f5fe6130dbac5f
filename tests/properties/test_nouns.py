"""Round trips of what goes to disk and back: durations, configurations, grids, states."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_earth.core.config import apply_overrides, to_yaml
from triton_earth.core.grid import LatLonGrid, PeriodicGrid, grid_from_dict
from triton_earth.core.state import State
from triton_earth.core.time import decode_duration, encode_duration, same_duration, uniform_step
from triton_earth.core.variables import Role, Variable, Variables
from triton_earth.data.preparation.trajectories import SimulationData
from triton_earth.training.config import TrainConfig

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
positive = st.floats(1e-6, 1e6, allow_nan=False)


def through_json(values):
    return json.loads(json.dumps(values, allow_nan=False))


@settings(derandomize=True, deadline=None)
@given(unit=st.sampled_from(sorted(UNITS)), count=st.integers(1, 10**9))
def test_calendar_durations_survive_json_exactly(unit, count):
    count = min(count, (2**63 - 1) // UNITS[unit])
    step = np.timedelta64(count, unit)
    again = decode_duration(through_json(encode_duration(step)))
    assert again == step
    assert same_duration(again, step)


@settings(derandomize=True, deadline=None)
@given(count=st.integers(2**53, 2**62))
def test_durations_beyond_the_digits_of_a_float_survive_json_exactly(count):
    step = np.timedelta64(count, "ns")
    assert decode_duration(through_json(encode_duration(step))) == step


@settings(derandomize=True, deadline=None)
@given(step=positive)
def test_model_time_survives_json_exactly(step):
    assert decode_duration(through_json(encode_duration(step))) == step


@settings(derandomize=True, deadline=None)
@given(step=positive, start=st.floats(-100, 100), times=st.integers(2, 50))
def test_the_step_of_an_even_axis_is_found(step, start, times):
    axis = start * step + step * np.arange(times)
    assert uniform_step(axis) == pytest.approx(step, rel=1e-9)


@settings(derandomize=True, deadline=None)
@given(
    steps=st.integers(1, 10**6),
    learning_rate=st.floats(1e-8, 1.0),
    ema_decay=st.floats(0, 0.999999),
    device=st.sampled_from(["auto", "cpu", "cuda"]),
)
def test_a_configuration_survives_yaml(steps, learning_rate, ema_decay, device, tmp_path_factory):
    import yaml

    config = TrainConfig(
        steps=steps, learning_rate=learning_rate, ema_decay=ema_decay, device=device
    )
    assert TrainConfig.parse(yaml.safe_load(to_yaml(config)), "config.yaml") == config


@settings(derandomize=True, deadline=None)
@given(
    reynolds=st.floats(1.0, 1e6),
    grid=st.integers(4, 64),
    splits=st.tuples(*[st.integers(1, 9)] * 3),
)
def test_a_configuration_with_a_union_survives_yaml(reynolds, grid, splits):
    import yaml

    values = {
        "source": {
            "kind": "decaying_turbulence",
            "reynolds": reynolds,
            "grid": grid,
            "simulation_grid": 2 * grid,
        },
        "splits": dict(zip(("train", "valid", "test"), splits, strict=True)),
    }
    config = SimulationData.parse(values, "recipe")
    assert SimulationData.parse(yaml.safe_load(to_yaml(config)), "config.yaml") == config


keys = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3)


@settings(derandomize=True, deadline=None)
@given(path=keys, value=st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False)))
def test_an_override_is_read_back_where_it_was_put(path, value):
    import yaml

    text = yaml.safe_dump(value).splitlines()[0]
    node = apply_overrides({"z": 1}, [f"{'.'.join(path)}={text}"])
    assert node.pop("z") == 1
    for key in path:
        assert list(node) == [key]
        node = node[key]
    assert node == value


@settings(derandomize=True, deadline=None)
@given(
    ny=st.integers(1, 500),
    nx=st.integers(1, 500),
    length_y=positive,
    length_x=positive,
)
def test_periodic_grids_survive_json(ny, nx, length_y, length_x):
    grid = PeriodicGrid(ny, nx, length_y, length_x)
    assert grid_from_dict(through_json(grid.to_dict())) == grid


ascending = st.lists(st.floats(-89, 89), min_size=2, max_size=20, unique_by=lambda v: round(v, 3))


@settings(derandomize=True, deadline=None)
@given(latitude=ascending, longitude=ascending)
def test_latlon_grids_survive_json_and_have_areas_of_mean_one(latitude, longitude):
    grid = LatLonGrid(tuple(sorted(latitude)), tuple(sorted(longitude)))
    assert grid_from_dict(through_json(grid.to_dict())) == grid
    assert grid.cell_area_weights.mean() == pytest.approx(1, rel=1e-9)
    assert (grid.cell_area_weights > 0).all()


names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(names=names, data=st.data())
def test_variables_survive_json_and_are_selected_by_name(names, data):
    variables = Variables(
        tuple(
            Variable(
                name,
                data.draw(st.text(max_size=5)),
                level=data.draw(st.none() | st.floats(0, 1e4)),
                role=data.draw(st.sampled_from(list(Role))),
            )
            for name in names
        )
    )
    assert Variables.from_list(through_json(variables.to_list())) == variables
    order = data.draw(st.permutations(names))
    assert variables.select(order).names == order
    assert variables.select(order).select(names) == variables


@settings(derandomize=True, deadline=None, max_examples=30)
@given(before=st.integers(1, 5), after=st.integers(1, 5), seed=st.integers(0, 10))
def test_append_and_last_undo_each_other(before, after, seed):
    from tests.builders import random_state

    from triton_earth.core.variables import VORTICITY

    state = random_state(
        PeriodicGrid(2, 3), Variables((VORTICITY,)), times=before + after, seed=seed
    )
    first, second = state.at(slice(0, before)), state.last(after)
    joined: State = first.append(second)
    assert torch.equal(joined.data, state.data)
    assert np.array_equal(joined.valid_times, state.valid_times)
