import dataclasses

import numpy as np
import pytest
import torch

from tests.builders import files_below, tiny_forecaster, wave_store, weather_store
from tests.crashes import Crash
from triton_earth.core.errors import UserError
from triton_earth.core.grid import PeriodicGrid
from triton_earth.data.store.training_store import TrainingStore, write_trajectory
from triton_earth.rollout.ensemble import EnsembleConfig
from triton_earth.rollout.rollout import rollout
from triton_earth.rollout.storage import writer
from triton_earth.rollout.storage.restart import Pace, Restart
from triton_earth.rollout.storage.writer import write_forecast

REQUEST = {
    "trajectories": [4, 5, 4],
    "starts": [0, 0, 2],
    "steps": 5,
    "batch_size": 2,
    "provenance": {"model": "triton", "model_hash": "a"},
}


def crash_after(monkeypatch, leads):
    """Let the writer write some leads, and then die."""
    original = writer.write_lead
    count = 0

    def dying(*arguments):
        nonlocal count
        if count == leads:
            raise Crash
        count += 1
        original(*arguments)

    monkeypatch.setattr(writer, "write_lead", dying)


def test_the_stored_forecast_is_the_rollout(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    stored = write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    np.testing.assert_allclose(stored.init_times, waves.times[[0, 0, 2]])
    for row in range(3):
        alone = slice(row, row + 1)
        initial = waves.windows(REQUEST["trajectories"][alone], REQUEST["starts"][alone], 1)
        with torch.no_grad():
            for lead, state in enumerate(rollout(forecaster, initial, None, 5)):
                np.testing.assert_array_equal(stored.read(alone, lead), state.data[:, 0].numpy())


@pytest.mark.parametrize("kind", ["waves", "weather"])
def test_the_bits_do_not_depend_on_the_batch_size(kind, request, tmp_path):
    store = request.getfixturevalue(kind)
    fields = []
    for size in (1, 2, 3, None):
        path = tmp_path / f"{size}.zarr"
        write_forecast(tiny_forecaster(store), store, path, **{**REQUEST, "batch_size": size})
        fields.append({name: data for name, data in files_below(path).items() if "/c/" in name})
    assert fields[0] == fields[1] == fields[2] == fields[3]
    assert len(fields[0]) > 5


def test_forcings_are_those_of_each_target_time(weather, tmp_path):
    forecaster = tiny_forecaster(weather)
    request = {**REQUEST, "trajectories": [4, 5], "starts": [2, 0], "steps": 3}
    stored = write_forecast(forecaster, weather, tmp_path / "a.zarr", **request)
    for row, (trajectory, start) in enumerate([(4, 2), (5, 0)]):
        forcings = [weather.windows([trajectory], [start + n], 1) for n in (1, 2, 3)]
        with torch.no_grad():
            states = rollout(forecaster, weather.windows([trajectory], [start], 1), forcings, 3)
            for lead, state in enumerate(states):
                found = stored.read(slice(row, row + 1), lead)
                np.testing.assert_array_equal(found, state.data[:, 0].numpy())


@pytest.mark.parametrize("history", [1, 2])
@pytest.mark.parametrize("leads", [1, 4, 7])
@pytest.mark.parametrize("kind", ["waves", "weather"])
def test_a_resumed_forecast_has_the_same_bytes(
    kind, leads, history, request, tmp_path, monkeypatch
):
    store = request.getfixturevalue(kind)
    forecaster = tiny_forecaster(store, history=history)
    monkeypatch.setattr(Pace, "due", lambda _: True)
    whole = tmp_path / "whole.zarr"
    write_forecast(forecaster, store, whole, **REQUEST)
    with monkeypatch.context() as patch:
        crash_after(patch, leads)
        with pytest.raises(Crash):
            write_forecast(forecaster, store, tmp_path / "cut.zarr", **REQUEST)
    assert not (tmp_path / "cut.zarr").exists()
    applications = []
    original = type(forecaster).__call__
    monkeypatch.setattr(
        type(forecaster),
        "__call__",
        lambda self, *inputs: applications.append(1) or original(self, *inputs),
    )
    write_forecast(forecaster, store, tmp_path / "cut.zarr", **REQUEST, resume=True)
    assert files_below(tmp_path / "cut.zarr") == files_below(whole)
    # Batches of two and of one row; what was written is not computed again, but for a part of a block.
    rows = [2] * 5 + [1] * 5
    assert len(applications) <= sum(rows[max(0, leads - history + 1) :]) / history + 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.zarr", "whole.zarr"]


def test_a_crash_between_folder_and_progress_file_starts_again(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    (tmp_path / "a.zarr.partial").mkdir()
    stored = write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, resume=True)
    assert np.isfinite(stored.read(slice(None), 4)).all()


def test_resuming_a_complete_forecast_changes_nothing(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    before = files_below(tmp_path)
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, resume=True)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"provenance": {"model_hash": "b"}}, "model_hash"),
        ({"steps": 6}, "steps"),
        ({"batch_size": 3}, "batch_size"),
        ({"starts": [0, 1, 2]}, "starts"),
        ({"trajectories": [5, 5, 4]}, "trajectories"),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_another_request_cannot_resume(waves, tmp_path, monkeypatch, change, name, complete):
    forecaster = tiny_forecaster(waves)
    if complete:
        write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    else:
        with monkeypatch.context() as patch:
            crash_after(patch, 2)
            with pytest.raises(Crash):
                write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    before = files_below(tmp_path)
    with pytest.raises(
        UserError, match=f"there is another: (it has [0-9]+ {name},|{name} (is|differs))"
    ):
        write_forecast(forecaster, waves, tmp_path / "a.zarr", **{**REQUEST, **change}, resume=True)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 7}, "this forecast with 5 steps, you ask for 7. A forecast keeps its length."),
        ({"steps": 7, "starts": [0, 0, 3]}, "Choose another path, or add --overwrite"),
        ({"steps": 3}, "Choose another path, or add --overwrite"),
        ({}, "Choose another path, or add --overwrite"),
    ],
)
def test_how_to_have_more_steps_is_said_where_the_shorter_forecast_is(
    waves, tmp_path, change, said
):
    write_forecast(tiny_forecaster(waves), waves, tmp_path / "a.zarr", **REQUEST)
    with pytest.raises(UserError) as caught:
        write_forecast(tiny_forecaster(waves), waves, tmp_path / "a.zarr", **{**REQUEST, **change})
    assert f"{tmp_path / 'a.zarr'} exists already" in str(caught.value)
    assert said in str(caught.value)


def test_another_store_cannot_resume(waves, tmp_path, monkeypatch):
    other = wave_store(tmp_path / "other.zarr", times=13)
    forecaster = tiny_forecaster(waves)
    with monkeypatch.context() as patch:
        crash_after(patch, 2)
        with pytest.raises(Crash):
            write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST)
    with pytest.raises(UserError, match="the forecast there is another: store_hash differs"):
        write_forecast(forecaster, other, tmp_path / "a.zarr", **REQUEST, resume=True)


def crashed(forecaster, store, out, monkeypatch, leads=3, **request):
    """An unfinished forecast with a restart file after each step."""
    with monkeypatch.context() as patch:
        patch.setattr(Pace, "due", lambda _: True)
        crash_after(patch, leads)
        with pytest.raises(Crash):
            write_forecast(forecaster, store, out, **REQUEST, **request)
    return out.with_name(out.name + ".partial")


def cut_off(path):
    path.write_text("{")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def lower_the_step(path):
    content = path.read_bytes()
    changed = content.replace(rb"\"step\": 3", rb"\"step\": 2")
    assert changed != content
    path.write_bytes(changed)


@pytest.mark.parametrize("damage", [cut_off, flip, lower_the_step])
def test_a_damaged_restart_file_is_not_gone_on_from(damage, waves, tmp_path, monkeypatch, caplog):
    forecaster = tiny_forecaster(waves)
    write_forecast(forecaster, waves, tmp_path / "whole.zarr", **REQUEST)
    partial = crashed(forecaster, waves, tmp_path / "a.zarr", monkeypatch)
    assert (Restart.read(partial).batch, Restart.read(partial).step) == (0, 3)
    damage(partial / "restart.safetensors")
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, resume=True)
    assert "restart file is damaged. The forecast is made again from its beginning." in caplog.text
    assert files_below(tmp_path / "a.zarr") == files_below(tmp_path / "whole.zarr")


def lose(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [lose, empty, flip, cut_off])
@pytest.mark.parametrize("members", [1, 3])
def test_values_that_are_lost_or_damaged_are_made_again(
    damage, members, waves, tmp_path, monkeypatch, caplog
):
    forecaster, how = tiny_forecaster(waves), {"ensemble": EnsembleConfig(members=members)}
    write_forecast(forecaster, waves, tmp_path / "whole.zarr", **REQUEST, **how)
    partial = crashed(forecaster, waves, tmp_path / "a.zarr", monkeypatch, leads=8, **how)
    assert Restart.read(partial).batch == 1
    chunks = sorted(path for path in (partial / "vorticity" / "c").rglob("*") if path.is_file())
    damage(chunks[1])
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, **how, resume=True)
    assert "are lost or damaged; going on from batch 0 in place of 1" in caplog.text
    assert files_below(tmp_path / "a.zarr") == files_below(tmp_path / "whole.zarr")


@pytest.mark.parametrize(
    "name",
    [
        "lead_time/c/0",
        "valid_time/c/0/0",
        "init_time/zarr.json",
        "zarr.json",
        "vorticity/zarr.json",
    ],
)
@pytest.mark.parametrize("damage", [lose, flip])
def test_a_description_that_is_damaged_is_made_again(
    damage, name, waves, tmp_path, monkeypatch, caplog
):
    forecaster = tiny_forecaster(waves)
    write_forecast(forecaster, waves, tmp_path / "whole.zarr", **REQUEST)
    partial = crashed(forecaster, waves, tmp_path / "a.zarr", monkeypatch)
    damage(partial / name)
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, resume=True)
    assert "its description is damaged and is made again" in caplog.text
    assert files_below(tmp_path / "a.zarr") == files_below(tmp_path / "whole.zarr")


def test_what_zarr_left_behind_when_it_was_killed_goes(waves, tmp_path, monkeypatch):
    forecaster = tiny_forecaster(waves)
    write_forecast(forecaster, waves, tmp_path / "whole.zarr", **REQUEST)
    partial = crashed(forecaster, waves, tmp_path / "a.zarr", monkeypatch)
    (partial / "vorticity" / "c" / "0" / "0" / "0" / f"0.{'0f' * 16}.partial").write_text("half")
    write_forecast(forecaster, waves, tmp_path / "a.zarr", **REQUEST, resume=True)
    assert files_below(tmp_path / "a.zarr") == files_below(tmp_path / "whole.zarr")


# --- refusals that leave nothing behind


def refusal(forecaster, store, folder, **change):
    before = files_below(folder)
    with pytest.raises(UserError) as caught:
        write_forecast(forecaster, store, folder / "new" / "a.zarr", **{**REQUEST, **change})
    assert files_below(folder) == before
    return str(caught.value)


def test_no_steps_and_no_batch_are_refused(waves, tmp_path):
    forecaster = tiny_forecaster(waves)
    assert "needs at least one step; found 0." in refusal(forecaster, waves, tmp_path, steps=0)
    assert "needs at least one initial condition; found 0." in refusal(
        forecaster, waves, tmp_path, batch_size=0
    )


def test_a_store_that_does_not_fit_is_refused(waves, weather, tmp_path):
    text = refusal(tiny_forecaster(weather), waves, tmp_path)
    assert "needs variables ['temperature', 'sunshine'], which are not there" in text
    forecaster = tiny_forecaster(waves)
    forecaster.grid = PeriodicGrid(16, 16)
    assert "the grid is periodic box 8 x 8" in refusal(forecaster, waves, tmp_path)


@pytest.mark.parametrize("number", [4, 5])
def test_an_initial_state_with_nan_is_refused(waves, tmp_path, number):
    store = wave_store(tmp_path / "nan.zarr")
    fields = store.read(number, slice(None))
    fields[0, 0, 3, 2] = np.nan
    write_trajectory(store.path, number, fields)
    text = refusal(tiny_forecaster(waves), TrainingStore.open(store.path), tmp_path)
    assert "the initial state holds 1 values that are not finite" in text
    assert "'vorticity' at time 0, cell (3, 2)" in text


def test_forcings_that_end_before_the_forecast_are_refused(weather, tmp_path):
    text = refusal(tiny_forecaster(weather), weather, tmp_path, steps=8)
    assert (
        "forcings end 7 steps after the last initial time, but a forecast of 8 steps needs 8."
        in text
    )
    write_forecast(
        tiny_forecaster(weather), weather, tmp_path / "a.zarr", **{**REQUEST, "steps": 7}
    )


def test_forcings_across_a_time_without_a_state_are_refused(weather, tmp_path):
    store = TrainingStore.open(weather.path)
    store.recorded = np.arange(10) != 5
    plain = {**REQUEST, "starts": [0, 0, 0]}
    text = refusal(tiny_forecaster(weather), store, tmp_path, **{**plain, "steps": 5})
    assert "the forecast needs forcings at 2000-01-02T06" in text
    assert "a time without a state. Start it after that, shorten it, or give other" in text
    write_forecast(tiny_forecaster(weather), store, tmp_path / "a.zarr", **{**plain, "steps": 4})


def test_forcings_of_a_block_that_reaches_beyond_the_store_are_refused(weather, tmp_path):
    # Five leads in blocks of two take three applications: six target times.
    request = {"starts": [0, 0, 3], "steps": 5}
    assert int(weather.times.size) == 10
    text = refusal(tiny_forecaster(weather, history=2), weather, tmp_path, **request)
    assert (
        "forcings end 5 steps after the last initial time, but a forecast of 5 steps needs 6."
        in text
    )


def test_a_forcing_with_nan_is_refused(weather, tmp_path):
    forecaster = tiny_forecaster(weather)
    store = weather_store(tmp_path / "nan.zarr")
    fields = store.read(5, slice(None))
    fields[3, 1, 0, 0] = np.nan
    write_trajectory(store.path, 5, fields)
    store = TrainingStore.open(store.path)
    with pytest.raises(UserError, match="the forcing holds 1 values that are not finite"):
        write_forecast(forecaster, store, tmp_path / "a.zarr", **REQUEST)


def test_a_forecast_may_go_beyond_the_end_of_its_store(waves, tmp_path):
    stored = write_forecast(
        tiny_forecaster(waves), waves, tmp_path / "a.zarr", **{**REQUEST, "steps": 30}
    )
    assert len(stored.lead_times) == 30


def test_variables_that_are_not_predicted_are_not_stored(weather, tmp_path):
    stored = write_forecast(tiny_forecaster(weather), weather, tmp_path / "a.zarr", **REQUEST)
    assert stored.variables.names == ["temperature"]
    assert dataclasses.asdict(stored.variables.channels[0])["units"] == "K"


def test_the_pace_is_told_in_simulated_years(weather, waves, tmp_path, caplog):
    with caplog.at_level("INFO", "triton_earth"):
        write_forecast(tiny_forecaster(weather), weather, tmp_path / "a.zarr", **REQUEST)
    (line,) = [one for one in caplog.messages if "simulated years per day" in one]
    assert float(line.split()[1]) > 0
    caplog.clear()
    write_forecast(tiny_forecaster(waves), waves, tmp_path / "b.zarr", **REQUEST)
    assert not [one for one in caplog.messages if "simulated years" in one]
