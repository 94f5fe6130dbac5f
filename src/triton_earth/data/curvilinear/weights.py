"""Weights from a curvilinear mesh onto latitudes times longitudes: overlaps of cells, or bilinear interpolation.

Geometry is in planes: around the equator longitude against the sine of latitude (equal areas), towards the poles the
azimuthal equal-area projection, in which a cell that holds the pole is a cell like any other. Polygons are intersected
by shapely, weighted sums taken by scipy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from triton_earth.core.errors import UserError
from triton_earth.core.grid import LatLonGrid
from triton_earth.data.curvilinear.mesh import Mesh, unit_vectors
from triton_earth.data.sources.places.regrid import latitude_borders, longitude_borders

CAP = 60.0
"""Latitude beyond which the plane around the pole is used."""
_MARGIN = 15.0
"""Degrees of latitude that cells of the mesh may reach beyond."""
_BLOCK = 50_000
"""Cells of the mesh whose polygons are in memory at a time."""
_ARC = np.deg2rad(0.5)
"""Longest straight piece of a circle of latitude around a pole."""

Plane = Literal["equator", "north", "south"]


@dataclass(frozen=True, eq=False)
class MeshRegrid:
    """Weighted sums that turn fields on a mesh into fields on latitudes times longitudes.

        target_k = Σ_i W_ki m_i x_i / Σ_i W_ki m_i,      m = 1 where x has a value, else 0

    A target cell has a value where at least half of its weight falls on cells that have one.

    Attributes:
        target: Grid of the result.
        weights: W, scipy sparse matrix [target cell, mesh cell]; rows sum to the part of the target cell that the mesh
            covers.
        method: How they were made, in words.
    """

    target: LatLonGrid
    weights: Any
    method: str

    def __call__(
        self, fields: Float[np.ndarray, "*batch y x"]
    ) -> Float64[np.ndarray, "*batch target_y target_x"]:
        """Return the fields on the target grid; NaN where less than half of a cell's weight is on values."""
        batch = fields.shape[:-2]
        result = np.empty((int(np.prod(batch)), self.weights.shape[0]))
        for number, one in enumerate(fields.reshape(len(result), -1)):
            there = np.isfinite(one)
            sums = self.weights @ np.where(there, one, 0.0)
            covered = self.weights @ there.astype(np.float64)
            result[number] = np.where(
                covered >= 0.5 - 1e-9, sums / np.maximum(covered, 1e-300), np.nan
            )
        return result.reshape(*batch, *self.target.shape)


def mesh_regrid(
    mesh: Mesh, target: LatLonGrid, method: Literal["conservative", "bilinear"]
) -> MeshRegrid:
    """Return the weights from a mesh onto a grid.

    Args:
        mesh: Cells of the files.
        target: Cells wanted.
        method: ``conservative``, first-order averages by the areas that cells share, or ``bilinear`` between the four
            centres around each target cell.

    Raises:
        UserError: if scipy or shapely is not installed, or there are many more target than mesh cells to average.

    Source: Jones (1999), Monthly Weather Review 127, 2204-2210, first order.
    """
    shapely, sparse = _packages()
    if method == "conservative":
        rows, columns = target.shape
        size = max(180 / rows, 360 / columns) if target.is_global_in_longitude else None
        if size is not None and size < 0.5 * mesh.spacing:
            raise UserError(
                f"data.grid: cells of {size:.3g} degrees are much smaller than the {mesh.spacing:.3g} of the files; "
                "averaging only makes a grid coarser. Take fewer, or `method: bilinear`."
            )
        entries = list(_overlaps(mesh, target, shapely))
    else:
        entries = list(_interpolation(mesh, target, shapely))
    parts = [np.concatenate([entry[part] for entry in entries]) for part in range(3)]
    shape = (int(np.prod(target.shape)), mesh.latitude.size)
    weights = sparse.csr_matrix((parts[2], (parts[0], parts[1])), shape=shape)
    words = {
        "conservative": "conservative averages (shared areas of cells)",
        "bilinear": "bilinear interpolation",
    }
    return MeshRegrid(
        target, weights, f"{words[method]} from {mesh.shape[0]} x {mesh.shape[1]} curvilinear cells"
    )


def _packages() -> tuple[Any, Any]:
    try:
        import shapely
        from scipy import sparse
    except ImportError as error:
        raise UserError(
            "data.grid: reading a curvilinear grid needs the packages scipy and shapely. Install them (pip install "
            "'triton-earth[curvilinear]')."
        ) from error
    return shapely, sparse


def _planes(target: LatLonGrid) -> Iterator[tuple[Plane, Int64[np.ndarray, " row"]]]:
    """Yield each plane and the rows of the target that are in it."""
    for plane, inside in (
        ("south", target.y < -CAP),
        ("equator", np.abs(target.y) <= CAP),
        ("north", target.y > CAP),
    ):
        rows = np.flatnonzero(inside)
        if rows.size:
            yield plane, rows  # type: ignore[misc]


def _near(mesh: Mesh, plane: Plane) -> Bool[np.ndarray, "y x"]:
    """Return the cells of a mesh that may reach into a plane."""
    latitude = mesh.latitude
    with np.errstate(invalid="ignore"):
        if plane == "north":
            return latitude > CAP - _MARGIN
        if plane == "south":
            return latitude < -CAP + _MARGIN
        return np.abs(latitude) < CAP + _MARGIN


def _around_pole(
    points: Float64[np.ndarray, "*shape 3"], plane: Plane
) -> Float64[np.ndarray, "*shape 2"]:
    """Project unit vectors onto the equal-area plane around a pole: (x, y) √(2 / (1 ± z))."""
    sign = 1.0 if plane == "north" else -1.0
    stretch = np.sqrt(2 / np.maximum(1 + sign * points[..., 2], 1e-12))
    return np.stack([points[..., 0] * stretch, points[..., 1] * stretch], axis=-1)


def _along_equator(
    points: Float64[np.ndarray, "cell corner 3"],
    middle: Float64[np.ndarray, " cell"],
    *,
    equal_area: bool,
) -> Float64[np.ndarray, "cell corner 2"]:
    """Return (longitude, sine of latitude or latitude) in radians, the longitudes near those of the cells' middles."""
    longitude = np.arctan2(points[..., 1], points[..., 0])
    near = middle[:, None] + np.mod(longitude - middle[:, None] + np.pi, 2 * np.pi) - np.pi
    height = np.clip(points[..., 2], -1, 1)
    return np.stack([near, height if equal_area else np.arcsin(height)], axis=-1)


def _overlaps(
    mesh: Mesh, target: LatLonGrid, shapely: Any
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (target cell, mesh cell, part of the target cell that both share)."""
    south_north, west_east = latitude_borders(target.y), longitude_borders(target)
    columns = target.shape[1]
    for plane, rows in _planes(target):
        cells = [
            _target_cell(south_north[row : row + 2], west_east[column : column + 2], plane)
            for row in rows
            for column in range(columns)
        ]
        wanted = np.array([shapely.Polygon(cell) for cell in cells])
        areas = shapely.area(wanted)
        tree = shapely.STRtree(wanted)
        sound = mesh.is_first & _near(mesh, plane)
        numbers = np.flatnonzero(sound & np.isfinite(mesh.cell_corners).all(axis=(2, 3)))
        for first in range(0, len(numbers), _BLOCK):
            block = numbers[first : first + _BLOCK]
            for outlines in _outlines(mesh, block, plane, west_east):
                shapes = shapely.polygons(outlines)
                crossed = ~shapely.is_valid(shapes)
                shapes[crossed] = shapely.convex_hull(shapes[crossed])
                one, other = tree.query(shapes, predicate="intersects")
                shared = shapely.area(shapely.intersection(shapes[one], wanted[other]))
                used = shared > 1e-9 * areas[other]
                one, other, shared = one[used], other[used], shared[used]
                yield rows[0] * columns + other, block[one], shared / areas[other]


def _target_cell(
    borders: Float64[np.ndarray, " 2"], sides: Float64[np.ndarray, " 2"], plane: Plane
) -> Float64[np.ndarray, "corner 2"]:
    """Return the outline of a cell between two circles of latitude and two meridians."""
    if plane == "equator":
        (south, north), (west, east) = np.sin(np.deg2rad(borders)), np.deg2rad(sides)
        return np.array([[west, south], [east, south], [east, north], [west, north]])
    pieces = max(2, int(np.ceil(np.deg2rad(sides[1] - sides[0]) / _ARC)))
    along = np.linspace(sides[0], sides[1], pieces + 1)
    outline = [
        unit_vectors(np.full_like(along, borders[0]), along),
        unit_vectors(np.full_like(along, borders[1]), along[::-1]),
    ]
    return _around_pole(np.concatenate(outline), plane)


def _outlines(
    mesh: Mesh,
    numbers: Int64[np.ndarray, " cell"],
    plane: Plane,
    west_east: Float64[np.ndarray, " border"],
) -> Iterator[Float64[np.ndarray, "cell 4 2"]]:
    """Yield the outlines of cells of a mesh; around the equator in each turn of longitude that the target may need."""
    corners = mesh.cell_corners.reshape(-1, 4, 3)[numbers]
    if plane != "equator":
        yield _around_pole(corners, plane)
        return
    middle = np.deg2rad(mesh.longitude.ravel()[numbers])
    outlines = _along_equator(corners, middle, equal_area=True)
    yield from _turns(outlines, west_east)


def _turns(
    outlines: Float64[np.ndarray, "cell 4 2"], west_east: Float64[np.ndarray, " border"]
) -> Iterator[Float64[np.ndarray, "cell 4 2"]]:
    """Yield outlines moved by whole turns of longitude, as long as one of them lies within the target."""
    west, east = np.deg2rad(west_east[0]), np.deg2rad(west_east[-1])
    turn = 2 * np.pi
    lowest, highest = outlines[..., 0].min(), outlines[..., 0].max()
    for number in range(
        int(np.floor((west - highest) / turn)), int(np.ceil((east - lowest) / turn)) + 1
    ):
        yield outlines + np.array([number * turn, 0.0])


def _interpolation(
    mesh: Mesh, target: LatLonGrid, shapely: Any
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (target cell, mesh cell, weight) of the four centres around each target cell's centre."""
    around = mesh.numbers_around
    corners = np.stack(
        [around[:-1, :-1], around[:-1, 1:], around[1:, 1:], around[1:, :-1]], axis=-1
    ).reshape(-1, 4)
    points = mesh.points.reshape(-1, 3)
    near_equator = _near(mesh, "equator").ravel()
    columns = target.shape[1]
    for plane, rows in _planes(target):
        latitude, longitude = np.meshgrid(target.y[rows], target.x, indexing="ij")
        if plane == "equator":
            place = np.deg2rad(np.stack([longitude.ravel(), latitude.ravel()], axis=-1))
        else:
            place = _around_pole(unit_vectors(latitude.ravel(), longitude.ravel()), plane)
        tree = shapely.STRtree(shapely.points(place))
        inside = near_equator if plane == "equator" else _near(mesh, plane).ravel()
        quadrangles = np.flatnonzero(
            inside[corners].all(axis=1) & np.isfinite(points[corners]).all(axis=(1, 2))
        )
        done = np.zeros(len(place), dtype=bool)
        for first in range(0, len(quadrangles), _BLOCK):
            block = corners[quadrangles[first : first + _BLOCK]]
            for outlines in _quadrangles(mesh, block, plane, longitude_borders(target)):
                shapes = shapely.polygons(outlines)
                shapes = (
                    shapes
                    if not len(shapes)
                    else np.where(shapely.is_valid(shapes), shapes, shapely.Polygon())
                )
                one, other = tree.query(shapes, predicate="intersects")
                new = ~done[other]
                one, other = one[new], other[new]
                other, chosen = np.unique(other, return_index=True)
                one = one[chosen]
                done[other] = True
                weights = _bilinear(outlines[one], place[other])
                number = np.repeat(rows[0] * columns + other, 4)
                yield number, block[one].ravel(), weights.ravel()


def _quadrangles(
    mesh: Mesh,
    numbers: Int64[np.ndarray, "quadrangle 4"],
    plane: Plane,
    west_east: Float64[np.ndarray, " border"],
) -> Iterator[Float64[np.ndarray, "quadrangle 4 2"]]:
    """Yield the outlines of quadrangles of centres."""
    corners = mesh.points.reshape(-1, 3)[numbers]
    if plane != "equator":
        yield _around_pole(corners, plane)
        return
    middle = np.deg2rad(mesh.longitude.ravel()[numbers[:, 0]])
    yield from _turns(_along_equator(corners, middle, equal_area=False), west_east)


def _bilinear(
    corners: Float64[np.ndarray, "point 4 2"], points: Float64[np.ndarray, "point 2"]
) -> Float64[np.ndarray, "point 4"]:
    """Return the weights of the corners A, B, C, D of quadrangles at points P inside.

    P = A + a (B − A) + b (D − A) + a b (A − B + C − D) is solved for a and b by Newton's method; the weights are
    (1 − a)(1 − b), a (1 − b), a b and (1 − a) b.
    """
    start, first, second = (
        corners[:, 0],
        corners[:, 1] - corners[:, 0],
        corners[:, 3] - corners[:, 0],
    )
    twist = corners[:, 0] - corners[:, 1] + corners[:, 2] - corners[:, 3]
    a, b = np.full(len(points), 0.5), np.full(len(points), 0.5)
    for _ in range(12):
        off = start + a[:, None] * first + b[:, None] * second + (a * b)[:, None] * twist - points
        by_a, by_b = first + b[:, None] * twist, second + a[:, None] * twist
        determinant = by_a[:, 0] * by_b[:, 1] - by_a[:, 1] * by_b[:, 0]
        determinant = np.where(np.abs(determinant) < 1e-300, np.inf, determinant)
        a = a - (off[:, 0] * by_b[:, 1] - off[:, 1] * by_b[:, 0]) / determinant
        b = b - (by_a[:, 0] * off[:, 1] - by_a[:, 1] * off[:, 0]) / determinant
    a, b = np.clip(a, 0.0, 1.0), np.clip(b, 0.0, 1.0)
    return np.stack([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b], axis=1)
