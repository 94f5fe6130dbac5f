"""Onto the grid of the store: each variable from the cells of its files, vectors turned to east and north."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.finding import advice
from triton_earth.data.curvilinear.mesh import Mesh
from triton_earth.data.curvilinear.vectors import Turned, turned_components
from triton_earth.data.curvilinear.weights import MeshRegrid, mesh_regrid
from triton_earth.data.curvilinear.weights_file import weights_from_file
from triton_earth.data.sources.channels import Channels
from triton_earth.data.sources.config import GriddedData
from triton_earth.data.sources.file_fields import FileFields, on_the_cells_of
from triton_earth.data.sources.places.regrid import (
    Regrid,
    bilinear,
    conservative,
    equal_angle_box,
    equal_angle_grid,
)

Maps = Float[np.ndarray, "time y x"]
TargetMaps = Float[np.ndarray, "time target_y target_x"]

POLAR = 60.0
"""Degrees of latitude beyond which files around the whole circle are of the globe, if without its caps."""


@dataclass(frozen=True)
class OntoGrid:
    """Puts fields onto the grid of the store.

    Attributes:
        grid: That grid.
        native: Cells that all variables have in the files, on which others can be computed; None where some are on
            curvilinear or different grids, and others are computed on `grid`.
        regrids: How each channel gets onto it; None for one that lies on it.
        turned: Components that are made of two along the axes of a curvilinear grid.
        meshes: Mesh of each channel that is on one.
    """

    grid: LatLonGrid
    native: LatLonGrid | None
    regrids: Mapping[str, Regrid | MeshRegrid | None]
    turned: Mapping[str, Turned]
    meshes: Mapping[str, Mesh]

    @property
    def computing_grid(self) -> LatLonGrid:
        """Cells on which variables are computed of others."""
        return self.native or self.grid

    @property
    def method(self) -> str | None:
        """How fields of curvilinear grids are put onto it, in words; None where there are none."""
        words = [one.method for one in self.regrids.values() if isinstance(one, MeshRegrid)]
        if not words:
            return None
        turned = (
            f"; turned to east and north: {', '.join(sorted(self.turned))}" if self.turned else ""
        )
        return "; ".join(dict.fromkeys(words)) + turned

    def needed(self, names: Iterable[str]) -> set[str]:
        """Return the named channels and those that they are made of."""
        found = set(names)
        for name in list(found):
            if name in self.turned:
                found |= {self.turned[name].along_rows, self.turned[name].along_columns}
        return found

    def leaves(self, name: str) -> bool:
        """Return whether a channel comes onto the grid as it is."""
        parts = {
            one for turn in self.turned.values() for one in (turn.along_rows, turn.along_columns)
        }
        regrid = self.regrids.get(name, self._common)
        return regrid is None and name not in self.turned and name not in parts

    def put(self, name: str, native: Mapping[str, Maps]) -> TargetMaps:
        """Return a channel on the grid.

        A component to the east is R(u cos α) − R(v sin α), one to the north R(u sin α) + R(v cos α), where R regrids
        from the places of u or of v: staggered components are turned where they are.

        Args:
            name: Which.
            native: Fields of the files by channel.
        """
        if name not in self.turned:
            return self.onto(name, native[name])
        turn = self.turned[name]
        along_rows, along_columns = turn.along_rows, turn.along_columns
        u, v = native[along_rows], native[along_columns]
        at_u, at_v = self.meshes[along_rows].angle, self.meshes[along_columns].angle
        if turn.is_east:
            return self.onto(along_rows, u * np.cos(at_u)) - self.onto(
                along_columns, v * np.sin(at_v)
            )
        return self.onto(along_rows, u * np.sin(at_u)) + self.onto(along_columns, v * np.cos(at_v))

    def onto(self, name: str, fields: Maps) -> TargetMaps:
        """Return fields that lie on the cells of a channel on the grid."""
        regrid = self.regrids.get(name, self._common)
        return fields if regrid is None else regrid(fields)

    @property
    def _common(self) -> Regrid | MeshRegrid | None:
        return next(iter(self.regrids.values())) if self.native is not None else None


def onto_grid(
    variables: list[tuple[str, Channels, list[FileFields]]], data: GriddedData, source: str
) -> OntoGrid:
    """Work out how variables get onto the grid of the store.

    Args:
        variables: Of each its name in the recipe, its channels, and its fields in files.
        data: What the recipe says.
        source: What messages call the files.

    Raises:
        UserError: if files of a variable have different cells, or variables have and there is no `data.grid`; if a
            curvilinear grid is to be taken as it is; if nobody says where a vector on one points.
    """
    for _, _, files in variables:
        for one in files[1:]:
            on_the_cells_of(files[0], one)
    first = variables[0][2][0]
    meshes = [files[0] for _, _, files in variables if files[0].mesh is not None]
    if data.weights is not None and len(meshes) < len(variables):
        raise UserError(
            f"data.weights: {first.source} lies on latitudes times longitudes; expected a curvilinear grid. Leave out "
            "data.weights, or files that are not on one."
        )
    if data.grid is None and data.weights is None:
        if meshes:
            raise _curvilinear(meshes[0])
        for _, _, files in variables[1:]:
            on_the_cells_of(first, files[0])
        names = [variable.name for _, channels, _ in variables for variable in channels.variables]
        return OntoGrid(first.grid, first.grid, dict.fromkeys(names), {}, {})
    target = None if data.grid is None or data.weights is not None else _target(first, data)
    made: dict[object, Regrid | MeshRegrid] = {}
    regrids: dict[str, Regrid | MeshRegrid | None] = {}
    for _, channels, files in variables:
        mesh = files[0].mesh
        key: object = files[0].grid if mesh is None else id(mesh)
        if key not in made:
            made[key] = _regrid(files[0], target, data)
        regrids.update({variable.name: made[key] for variable in channels.variables})
    of_mesh = {
        variable.name: files[0].mesh
        for _, channels, files in variables
        for variable in channels.variables
        if files[0].mesh is not None
    }
    on_meshes = {
        name: (
            [channels for key, channels, _ in variables if key == name],
            files[0].dataset[each.source_name],
        )
        for name, each, files in variables
        if files[0].mesh is not None
    }
    turned = turned_components(on_meshes, data.rotate, source)
    common = first.grid if len(made) == 1 and not meshes else None
    return OntoGrid(next(iter(made.values())).target, common, regrids, turned, of_mesh)


def _target(first: FileFields, data: GriddedData) -> LatLonGrid:
    """Return the grid that a recipe asks for."""
    assert data.grid is not None
    rows, columns = data.grid.latitudes, data.grid.longitudes
    if first.mesh is None:
        return _globe_or_area(first.grid, data.region is None, rows, columns)
    return equal_angle_box(*first.mesh.area(data.region), rows, columns)


def _regrid(
    fields: FileFields, target: LatLonGrid | None, data: GriddedData
) -> Regrid | MeshRegrid:
    """Return the regridding: weights of a file, or weights as `data.grid` asks for."""
    if data.weights is not None:
        assert fields.mesh is not None
        return weights_from_file(data.weights, fields.mesh, data.grid)
    assert target is not None
    assert data.grid is not None
    if fields.mesh is not None:
        return mesh_regrid(fields.mesh, target, data.grid.method)
    make = conservative if data.grid.method == "conservative" else bilinear
    return make(fields.grid, target)


def _curvilinear(fields: FileFields) -> UserError:
    """Return the refusal of fields on a curvilinear grid, as they are."""
    mesh = fields.mesh
    assert mesh is not None
    rows, columns = mesh.shape
    beside = ""
    if fields.nominal is not None:
        beside = (
            f", although axes of one dimension lie beside them, which are nominal: up to {fields.nominal:.3g} degrees "
            "off (data.region can choose a part where they are not)"
        )
    return UserError(
        f"{fields.source}: its places '{mesh.name}' are those of a curvilinear grid of {rows} x {columns} "
        f"cells{beside}. {advice(mesh)}"
    )


def _globe_or_area(source: LatLonGrid, everywhere: bool, rows: int, columns: int) -> LatLonGrid:
    """Return the target grid: pole to pole where files of the globe leave out a polar cap, else their area."""
    reaches = source.y[0] < -POLAR and source.y[-1] > POLAR
    if everywhere and source.is_global_in_longitude and reaches:
        return equal_angle_box(-90.0, 90.0, None, rows, columns)
    return equal_angle_grid(source, rows, columns)
