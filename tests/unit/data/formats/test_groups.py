"""Groups within files: found where there is one, named in the recipe, with the coordinates of the groups around."""

import zipfile

import numpy as np
import pytest
import xarray as xr

from tests.gridded import dataset, recipe_values, source, write
from triton_earth.core.errors import UserError
from triton_earth.data.inspection.source_checks import inspect_files
from triton_earth.data.preparation.gridded import prepare_gridded
from triton_earth.data.sources.config import GriddedData

ONLY = {"variables": ["2m_temperature"]}
EVERYTHING = slice(None)


def grouped(path, **groups):
    for number, (name, data) in enumerate(groups.items()):
        mode = "a" if number else "w"
        if path.suffix == ".nc":
            data.to_netcdf(path, group=name.replace("__", "/"), mode=mode)
        else:
            data.to_zarr(
                path, group=name.replace("__", "/"), mode=mode, zarr_format=3, consolidated=False
            )
    return path


@pytest.fixture(params=["a.nc", "a.zarr"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_the_only_group_with_fields_is_found(path):
    grouped(path, surface=dataset())
    np.testing.assert_array_equal(
        source(path, **ONLY).read(EVERYTHING)[:, 0], dataset()["t2m"].astype("f4")
    )
    found = inspect_files(str(path))
    assert not found.is_fatal
    assert found.facts["group"] == "surface"


def test_several_groups_are_to_be_named(path):
    grouped(path, surface=dataset(), levels__upper=dataset(seed=1))
    with pytest.raises(UserError) as caught:
        source(path, **ONLY)
    text = str(caught.value)
    assert text.startswith(f"{path}: the fields lie in the groups ")
    assert "levels/upper" in text
    assert text.endswith("Say which with data.group, one or a list.")
    chosen = source(path, group="levels/upper", **ONLY)
    assert chosen.files == [str(path)]
    np.testing.assert_array_equal(
        chosen.read(EVERYTHING)[:, 0], dataset(seed=1)["t2m"].astype("f4")
    )


def test_the_data_doctor_looks_at_every_group(path):
    bad = dataset()
    bad["flux"][3, 2, 2] = np.inf
    grouped(path, surface=dataset()[["t2m"]], fluxes=bad[["flux"]])
    found = inspect_files(str(path))
    assert found.facts["files"] == "2"
    assert [(each.kind, each.file) for each in found.findings if each.severity == "fatal"] == [
        ("infinite", f"{path}, group fluxes")
    ]


def test_variables_of_several_groups(path):
    grouped(path, surface=dataset()[["t2m"]], fluxes=dataset()[["flux"]])
    choice = ["2m_temperature", {"name": "flux", "role": "forcing"}]
    both = source(path, group=["surface", "fluxes"], variables=choice)
    assert both.variables.names == ["2m_temperature", "flux"]
    np.testing.assert_array_equal(both.read(EVERYTHING)[:, 1], dataset()["flux"].astype("f4"))


def test_a_group_that_is_not_there(path):
    grouped(path, surface=dataset())
    with pytest.raises(
        UserError, match=r"there is no group 'surfaces' with fields in it; did you mean 'surface'\?"
    ):
        source(path, group="surfaces", **ONLY)


def test_a_file_without_groups(tmp_path):
    write(tmp_path / "a.nc", dataset())
    with pytest.raises(
        UserError, match=r"data.group is 'surface', but the file has no groups\. Leave it out\."
    ):
        source(tmp_path / "a.nc", group="surface", **ONLY)


def test_coordinates_of_the_groups_around(path):
    """CF 2.7.1: a dimension's coordinate may stand in any group around the variable."""
    data = dataset()
    coordinates = xr.Dataset(coords=data.coords)
    if path.suffix == ".nc":
        coordinates.to_netcdf(path)
        data[["t2m"]].drop_vars(["time", "latitude", "longitude"]).to_netcdf(
            path, group="model/surface", mode="a"
        )
    else:
        coordinates.to_zarr(path, zarr_format=3, consolidated=False)
        bare = data[["t2m"]].drop_vars(["time", "latitude", "longitude"])
        bare.to_zarr(path, group="model/surface", mode="a", zarr_format=3, consolidated=False)
    opened = source(path, **ONLY)
    assert str(opened.times[0])[:10] == "2001-01-01"
    np.testing.assert_array_equal(opened.read(EVERYTHING)[:, 0], data["t2m"].astype("f4"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_zipped_zarr(tmp_path, zarr_format):
    dataset().to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=False)
    packed = tmp_path / "a.zarr.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((tmp_path / "a.zarr").rglob("*")):
            if file.is_file():
                archive.write(file, str(file.relative_to(tmp_path / "a.zarr")))
    assert not inspect_files(str(packed)).is_fatal
    np.testing.assert_array_equal(
        source(packed, **ONLY).read(EVERYTHING)[:, 0], dataset()["t2m"].astype("f4")
    )
    with zipfile.ZipFile(packed) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in kept.items():
            if not name.startswith("t2m/") or "json" in name or ".z" in name:
                archive.writestr(name, content)
    with pytest.raises(UserError, match="chunks of variable 't2m' are missing"):
        source(packed, **ONLY)


def test_an_icechunk_repository(tmp_path):
    icechunk = pytest.importorskip("icechunk")
    icechunk.set_logs_filter("error")
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repository"))
    session = icechunk.Repository.create(storage).writable_session("main")
    dataset().to_zarr(session.store, consolidated=False, zarr_format=3)
    session.commit("fields")
    assert not inspect_files(str(tmp_path / "repository")).is_fatal
    values = recipe_values(tmp_path / "repository", **ONLY)["data"]
    data = GriddedData.parse(values, "recipe")
    store = prepare_gridded(data, tmp_path / "out.zarr", {}, window=2)
    np.testing.assert_array_equal(store.read(0, EVERYTHING)[:, 0], dataset()["t2m"].astype("f4"))


def test_an_icechunk_repository_that_is_damaged(tmp_path):
    pytest.importorskip("icechunk")
    for name in ("snapshots", "refs"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"an Icechunk repository that cannot be read \(.*Fetch it again\."
    ):
        source(tmp_path / "repository", **ONLY)


def test_icechunk_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "icechunk", None)
    for name in ("snapshots", "refs"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"an Icechunk repository; .*pip install 'triton-earth\[icechunk\]'"
    ):
        source(tmp_path / "repository", **ONLY)
