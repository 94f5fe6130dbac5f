"""The data doctor on archives of trajectories."""

import numpy as np
import torch

from triton_earth.data.inspection.archive_checks import inspect_archive


def vorticity(trajectories=3, times=6):
    return np.random.default_rng(0).normal(size=(trajectories, times, 8, 8)).astype(np.float32)


def test_a_sound_archive(tmp_path):
    torch.save({"vorticity": torch.from_numpy(vorticity())}, tmp_path / "a.pt")
    found = inspect_archive(str(tmp_path / "a.pt"))
    assert found.findings == []
    assert found.facts["vorticity"].startswith("3 trajectories of 6 times, 8 x 8 cells. Prepare it")
    assert found.facts["vorticity"].endswith("and `key: vorticity`.")
    (row,) = found.variables
    np.testing.assert_allclose(row["std"], vorticity().std(), rtol=1e-6)
    np.save(tmp_path / "a.npy", vorticity())
    assert inspect_archive(str(tmp_path / "a.npy")).variables == [{**row, "variable": "array"}]


def test_places_in_an_archive(tmp_path):
    fields = vorticity()
    fields[1, 4, 2, 3] = np.nan
    np.save(tmp_path / "a.npy", fields)
    (finding,) = inspect_archive(str(tmp_path / "a.npy")).findings
    assert finding.kind == "holes"
    assert finding.message.endswith("first at trajectory 1, time 4, row 2, column 3.")
    assert inspect_archive(str(tmp_path / "a.npy"), times=2).findings == []  # the first and last


def test_what_is_no_archive(tmp_path):
    torch.save({"vorticity": torch.zeros(4, 5), "note": "x"}, tmp_path / "a.pt")
    found = inspect_archive(str(tmp_path / "a.pt"))
    assert found.kinds == ["no-trajectories"] * 2
    assert "found shape (4, 5)" in found.findings[0].message
    (tmp_path / "b.pt").write_bytes(b"no tensor")
    found = inspect_archive(str(tmp_path / "b.pt"))
    assert found.kinds == ["unreadable"]
    assert found.findings[0].remedy == (
        "It is damaged, or holds code, which is not run; fetch it again."
    )
