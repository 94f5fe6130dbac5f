import pickle
import sys
import types

import numpy as np
import pytest
import torch

from triton_earth.core.errors import UserError
from triton_earth.data.preparation.archive import ArchiveData, prepare_archive

SPLITS = {"train": 3, "valid": 1, "test": 1}
FIELDS = np.random.default_rng(0).normal(size=(6, 4, 8, 8)).astype(np.float32)


def prepared(path, out, *, resume=False, **changes):
    values = {"kind": "trajectories", "path": str(path), "interval": 0.05, "splits": SPLITS,
              "batch_size": 2, **changes}  # fmt: skip
    return prepare_archive(ArchiveData.parse(values, "recipe"), out, {}, resume=resume)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "McWilliams2d.pt"
    torch.save({"vorticity": torch.from_numpy(FIELDS)}, path)
    return path


def holds_the_fields(store):
    assert store.split[:, 0].tolist() == ["train"] * 3 + ["valid", "test"]
    np.testing.assert_allclose(store.times, 0.05 * np.arange(4))
    assert store.variables.names == ["vorticity"]
    assert store.grid.padding == ("periodic", "periodic")
    for number in range(5):
        np.testing.assert_array_equal(store.read(number, slice(None))[:, 0], FIELDS[number])


def test_a_pt_file(archive, tmp_path):
    store = prepared(archive, tmp_path / "a.zarr")
    holds_the_fields(store)
    assert prepared(archive, tmp_path / "b.zarr").content_hash == store.content_hash
    assert prepared(archive, tmp_path / "a.zarr", resume=True).content_hash == store.content_hash


def test_a_bare_tensor_and_a_numpy_file(tmp_path):
    torch.save(torch.from_numpy(FIELDS), tmp_path / "bare.pt")
    holds_the_fields(prepared(tmp_path / "bare.pt", tmp_path / "a.zarr"))
    np.save(tmp_path / "a.npy", FIELDS.astype(np.float64))
    holds_the_fields(prepared(tmp_path / "a.npy", tmp_path / "b.zarr"))


def test_a_file_on_the_hub(archive, tmp_path, monkeypatch):
    asked = {}
    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = lambda **what: asked.update(what) or str(archive)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    path = "hf:scaomath/navier-stokes-dataset/McWilliams2d.pt"
    holds_the_fields(prepared(path, tmp_path / "a.zarr"))
    assert asked == {
        "repo_id": "scaomath/navier-stokes-dataset",
        "filename": "McWilliams2d.pt",
        "repo_type": "dataset",
    }

    def unreachable(**what):
        raise ConnectionError("no route to host")

    hub.hf_hub_download = unreachable
    with pytest.raises(UserError, match=r"cannot be fetched \(no route to host\)"):
        prepared(path, tmp_path / "b.zarr")


# --- refusals


class Code:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    torch.save({"vorticity": Code()}, path)
    with pytest.raises(UserError, match="or holds code, which is not run"):
        prepared(path, tmp_path / "a.zarr")
    path.write_bytes(pickle.dumps({"vorticity": Code()}))
    with pytest.raises(UserError, match="cannot be read as an archive of tensors"):
        prepared(path, tmp_path / "a.zarr")
    np.save(tmp_path / "evil.npy", np.array([Code()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an archive of tensors"):
        prepared(tmp_path / "evil.npy", tmp_path / "a.zarr")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "a.zarr").exists()


def test_what_does_not_fit_is_refused(archive, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    out = tmp_path / "a.zarr"
    with pytest.raises(UserError, match=r"there is no 'omega'; found \['vorticity'\]"):
        prepared(archive, out, key="omega")
    with pytest.raises(UserError, match="need 11 trajectories, but the file has 6"):
        prepared(archive, out, splits={"train": 9, "valid": 1, "test": 1})
    with pytest.raises(UserError, match="there is no such file"):
        prepared(tmp_path / "no.pt", out)
    with pytest.raises(UserError, match="expected hf:OWNER/DATASET/FILE"):
        prepared("hf:owner/dataset", out)
    with pytest.raises(UserError, match="needs the package huggingface_hub"):
        prepared("hf:owner/dataset/file.pt", out)
    np.save(tmp_path / "flat.npy", FIELDS[0])
    with pytest.raises(UserError, match=r"expected an array \[trajectory, time, y, x\]"):
        prepared(tmp_path / "flat.npy", out)
    np.save(tmp_path / "short.npy", FIELDS[:, :1])
    with pytest.raises(UserError, match="at least two times; found 1"):
        prepared(tmp_path / "short.npy", out)
    (tmp_path / "a.txt").write_text("no")
    with pytest.raises(UserError, match=r"ends in \.pt or \.npy"):
        prepared(tmp_path / "a.txt", out)
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(UserError, match="cannot be read as an archive of tensors"):
        prepared(archive, out)
    assert not out.exists()


def test_a_value_that_is_not_finite_is_named(tmp_path):
    fields = FIELDS.copy()
    fields[3, 2, 5, 6] = np.nan
    np.save(tmp_path / "a.npy", fields)
    with pytest.raises(UserError, match=r"trajectory 3 is not finite at time 2, cell \(5, 6\)"):
        prepared(tmp_path / "a.npy", tmp_path / "a.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
