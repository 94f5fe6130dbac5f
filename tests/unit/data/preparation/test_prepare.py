import json
import logging

import numpy as np
import pytest

from tests.builders import files_below
from tests.crashes import Crash
from triton_earth.core.errors import UserError
from triton_earth.data.preparation import trajectories as prepare
from triton_earth.data.preparation.trajectories import SimulationData, Splits, prepare_store
from triton_earth.data.store.training_store import write_trajectory
from triton_earth.physics.solvers.mcwilliams import DecayingTurbulence

DATA = SimulationData(
    source=DecayingTurbulence(
        reynolds=100.0,
        grid=8,
        simulation_grid=16,
        time_step=0.05,
        warm_up=0.1,
        snapshots=4,
        interval=0.1,
    ),
    splits=Splits(train=3, valid=1, test=1),
    batch_size=2,
)
ORIGIN = {"made": "in a test"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return prepare_store(DATA, tmp_path_factory.mktemp("whole") / "store.zarr", ORIGIN)


@pytest.fixture
def crash(monkeypatch):
    """Let the next preparation die before it writes trajectory number n."""

    def prepare_until(number, out):
        with monkeypatch.context() as patch:

            def dying(path, trajectory, fields):
                if trajectory == number:
                    raise Crash
                return write_trajectory(path, trajectory, fields)

            patch.setattr(prepare, "write_trajectory", dying)
            with pytest.raises(Crash):
                prepare_store(DATA, out, ORIGIN)

    return prepare_until


def test_a_refused_first_trajectory_leaves_nothing(tmp_path):
    unstable = DATA.model_copy(
        update={"source": DATA.source.model_copy(update={"time_step": 1e12, "interval": 50.0})}
    )
    with pytest.raises(UserError, match="unstable"):
        prepare_store(unstable, tmp_path / "store.zarr", ORIGIN)
    assert files_below(tmp_path) == {}


def test_a_packed_store_holds_the_same(whole, tmp_path):
    packed = prepare_store(
        DATA.model_copy(update={"compression": "lz4"}), tmp_path / "store.zarr", ORIGIN
    )
    assert packed.content_hash == whole.content_hash
    np.testing.assert_array_equal(packed.read(2, slice(None)), whole.read(2, slice(None)))
    names = [[codec["name"] for codec in inner_codecs(store.path)] for store in (whole, packed)]
    assert names == [["bytes", "crc32c"], ["bytes", "blosc", "crc32c"]]


def inner_codecs(path):
    layout = json.loads((path / "state" / "zarr.json").read_text())
    return layout["codecs"][0]["configuration"]["codecs"]


def test_the_store_holds_the_simulation(whole):
    assert whole.split[:, 0].tolist() == ["train", "train", "train", "valid", "test"]
    assert whole.grid.shape == (8, 8)
    assert whole.variables.names == ["vorticity"]
    np.testing.assert_allclose(whole.times, DATA.source.snapshot_times)
    for numbers in ([0, 1], [2, 3], [4]):
        simulated = DATA.source.trajectories(numbers).numpy()
        for number, fields in zip(numbers, simulated, strict=True):
            np.testing.assert_array_equal(whole.read(number, slice(None))[:, 0], fields)


def test_the_store_says_how_it_was_made(whole):
    assert whole.provenance["made"] == "in a test"
    assert whole.provenance["data"] == DATA.model_dump(mode="json", exclude={"kind"})
    assert "k_max" in whole.provenance["resolution"]
    assert sorted(path.name for path in whole.path.parent.iterdir()) == ["store.zarr"]
    assert not (whole.path / "progress.json").exists()


@pytest.mark.parametrize("number", [0, 1, 3, 4])
def test_a_resumed_store_has_the_same_bytes(whole, tmp_path, crash, number):
    out = tmp_path / "store.zarr"
    crash(number, out)
    assert not out.exists()
    resumed = prepare_store(DATA, out, ORIGIN, resume=True)
    assert resumed.content_hash == whole.content_hash
    assert files_below(out) == files_below(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store.zarr"]


def test_what_is_there_is_not_simulated_again(tmp_path, crash, monkeypatch):
    out = tmp_path / "store.zarr"
    crash(4, out)
    simulated = []
    original = DecayingTurbulence.trajectories
    monkeypatch.setattr(
        DecayingTurbulence,
        "trajectories",
        lambda self, numbers, **options: (
            simulated.append(numbers) or original(self, numbers, **options)
        ),
    )
    prepare_store(DATA, out, ORIGIN, resume=True)
    assert simulated == [[4]]


@pytest.mark.parametrize("damage", ["truncate", "remove", "change"])
def test_a_damaged_trajectory_is_made_again(whole, tmp_path, crash, damage, caplog):
    out = tmp_path / "store.zarr"
    crash(4, out)
    partial = tmp_path / "store.zarr.partial"
    if damage == "change":
        write_trajectory(partial, 1, np.ones((4, 1, 8, 8), np.float32))
    else:
        (shard,) = (file for file in (partial / "state" / "c" / "1").rglob("*") if file.is_file())
        if damage == "remove":
            shard.unlink()
        else:
            shard.write_bytes(shard.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING, logger="triton_earth"):
        resumed = prepare_store(DATA, out, ORIGIN, resume=True)
    assert caplog.messages == [f"{partial}: trajectory 1 is damaged and is made again."]
    assert resumed.content_hash == whole.content_hash


def test_a_crash_before_the_first_trajectory_starts_again(whole, tmp_path):
    (tmp_path / "store.zarr.partial").mkdir()
    resumed = prepare_store(DATA, tmp_path / "store.zarr", ORIGIN, resume=True)
    assert resumed.content_hash == whole.content_hash


def test_resuming_a_complete_store_changes_nothing(whole):
    before = files_below(whole.path)
    assert prepare_store(DATA, whole.path, ORIGIN, resume=True).content_hash == whole.content_hash
    assert files_below(whole.path) == before


# --- refusals


def other_recipe():
    source = DATA.source.model_copy(update={"seed": 9})
    return DATA.model_copy(update={"source": source})


def test_a_complete_store_of_another_recipe_is_refused(whole):
    before = files_below(whole.path)
    with pytest.raises(
        UserError, match="the store there is of another recipe, or of files that have changed since"
    ):
        prepare_store(other_recipe(), whole.path, ORIGIN, resume=True)
    assert files_below(whole.path) == before


def test_an_unfinished_store_of_another_recipe_is_refused(tmp_path, crash):
    out = tmp_path / "store.zarr"
    crash(2, out)
    before = files_below(tmp_path)
    with pytest.raises(UserError, match="the store there is of another recipe"):
        prepare_store(other_recipe(), out, ORIGIN, resume=True)
    assert files_below(tmp_path) == before


def test_an_existing_or_unfinished_store_is_refused(whole, tmp_path, crash):
    before = files_below(whole.path)
    with pytest.raises(UserError, match="exists already"):
        prepare_store(DATA, whole.path, ORIGIN)
    assert files_below(whole.path) == before
    crash(2, tmp_path / "store.zarr")
    with pytest.raises(UserError, match="is an unfinished output of an earlier run"):
        prepare_store(DATA, tmp_path / "store.zarr", ORIGIN)


def test_overwrite_starts_again(whole, tmp_path, crash):
    out = tmp_path / "store.zarr"
    crash(4, out)
    again = prepare_store(DATA, out, ORIGIN, overwrite=True)
    assert files_below(again.path) == files_below(whole.path)
    other = prepare_store(other_recipe(), out, ORIGIN, overwrite=True)
    assert other.content_hash != whole.content_hash
    assert [path.name for path in tmp_path.iterdir()] == ["store.zarr"]


def test_a_damaged_progress_file_is_refused(tmp_path, crash):
    out = tmp_path / "store.zarr"
    crash(2, out)
    path = tmp_path / "store.zarr.partial" / "progress.json"
    assert sorted(json.loads(path.read_text())["hashes"]) == ["0", "1"]
    path.write_text("{")
    with pytest.raises(UserError, match="the unfinished training store is damaged"):
        prepare_store(DATA, out, ORIGIN, resume=True)


def test_a_single_snapshot_is_refused_before_anything_is_made(tmp_path):
    source = DATA.source.model_copy(update={"snapshots": 1})
    with pytest.raises(UserError, match="at least two"):
        prepare_store(
            DATA.model_copy(update={"source": source}), tmp_path / "new" / "store.zarr", ORIGIN
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_split_needs_a_trajectory(split):
    values = {"train": 1, "valid": 1, "test": 1, split: 0}
    with pytest.raises(UserError, match=f"key '{split}': Input should be greater than or equal"):
        Splits.parse(values, "splits")
