"""Meshes: places of the cells of a curvilinear grid, their corners and the directions of its axes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from triton_earth.data.sources.config import Region

_SAME_PLACE = 0.3
"""Distance, in cells, at which a cell that goes on across a seam is the one found on its other side."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A curvilinear grid: tripolar, rotated, projected.

    Attributes:
        name: What the files call its coordinates.
        latitude: Cell centres in degrees north, NaN where the files give no place.
        longitude: Cell centres in degrees east.
        corners: Unit vectors of the four corners of each cell in order around it, where the files give them.
    """

    name: str
    latitude: Float64[np.ndarray, "y x"]
    longitude: Float64[np.ndarray, "y x"]
    corners: Float64[np.ndarray, "y x 4 3"] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along (y, x)."""
        rows, columns = self.latitude.shape
        return rows, columns

    @cached_property
    def points(self) -> Float64[np.ndarray, "y x 3"]:
        """Unit vectors of the cell centres."""
        return unit_vectors(self.latitude, self.longitude)

    @cached_property
    def is_periodic(self) -> bool:
        """Whether the first column comes after the last one."""
        last, before = self.points[:, -1], self.points[:, -2]
        return _close(self.points[:, 0], 2 * last - before, last - before)

    @cached_property
    def is_folded(self) -> bool:
        """Whether the last row, run through backwards, comes after itself, as at the seam of a tripolar grid."""
        last, before = self.points[-1], self.points[-2]
        return _close(last[::-1], 2 * last - before, last - before)

    @cached_property
    def cell_corners(self) -> Float64[np.ndarray, "y x 4 3"]:
        """Unit vectors of the corners of each cell: those of the files, or the means of the four cells around them."""
        if self.corners is not None:
            return self.corners
        padded = self._padded()
        around = np.stack([padded[:-1, :-1], padded[:-1, 1:], padded[1:, 1:], padded[1:, :-1]])
        there = np.isfinite(around).all(axis=-1, keepdims=True)
        sums = np.where(there, around, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            between = sums / np.linalg.norm(sums, axis=-1, keepdims=True)
        return np.stack(
            [between[:-1, :-1], between[:-1, 1:], between[1:, 1:], between[1:, :-1]], axis=2
        )

    @cached_property
    def is_first(self) -> Bool[np.ndarray, "y x"]:
        """Cells that have a place and repeat no other one, as those do that overlap at a seam.

        Of several at one place the one farthest from the border is the first: its corners are known from all sides.
        """
        flat = self.points.reshape(-1, 3)
        there = np.flatnonzero(np.isfinite(flat).all(axis=1))
        rows, columns = (np.minimum(np.arange(size), np.arange(size)[::-1]) for size in self.shape)
        inwards = np.minimum(rows[:, None], columns).ravel()
        there = there[np.argsort(-inwards[there], kind="stable")]
        _, first = np.unique(np.round(flat[there], 7), axis=0, return_index=True)
        chosen = np.zeros(len(flat), dtype=bool)
        chosen[there[first]] = True
        return chosen.reshape(self.shape)

    @cached_property
    def numbers_around(self) -> Int64[np.ndarray, "row column"]:
        """Numbers of the cells, with those beyond a seam repeated, so that each four neighbours are a quadrangle."""
        numbers = np.arange(self.latitude.size).reshape(self.shape)
        if self.is_folded:
            numbers = np.concatenate([numbers, numbers[-1:, ::-1]])
        if self.is_periodic:
            numbers = np.concatenate([numbers, numbers[:, :1]], axis=1)
        return numbers

    @cached_property
    def angle(self) -> Float64[np.ndarray, "y x"]:
        """Angle α in radians from east to the direction in which columns count, anticlockwise.

        With t the difference of the neighbouring centres along a row, tan α = t·n / t·e, where e and n point east and
        north. A vector (u, v) along the axes of the grid is (u cos α − v sin α, u sin α + v cos α) to east and north.
        """
        columns = self.points
        if self.is_periodic:
            columns = np.concatenate([columns[:, -1:], columns, columns[:, :1]], axis=1)
            along = columns[:, 2:] - columns[:, :-2]
        else:
            along = np.gradient(columns, axis=1)
        latitude, longitude = np.deg2rad(self.latitude), np.deg2rad(self.longitude)
        east = np.stack([-np.sin(longitude), np.cos(longitude), np.zeros_like(longitude)], axis=-1)
        north = np.stack(
            [
                -np.sin(latitude) * np.cos(longitude),
                -np.sin(latitude) * np.sin(longitude),
                np.cos(latitude),
            ],
            axis=-1,
        )
        return np.arctan2((along * north).sum(axis=-1), (along * east).sum(axis=-1))

    @cached_property
    def spacing(self) -> float:
        """Usual distance of neighbouring centres in degrees."""
        steps = [
            np.linalg.norm(np.diff(self.points, axis=axis), axis=-1).ravel() for axis in (0, 1)
        ]
        lengths = np.concatenate(steps)
        return float(np.rad2deg(np.median(lengths[np.isfinite(lengths) & (lengths > 0)])))

    def is_like(self, other: "Mesh") -> bool:
        """Return whether another mesh has the same cells."""
        return self.shape == other.shape and bool(
            np.allclose(self.points, other.points, atol=2e-6, equal_nan=True)
        )

    def area(self, region: Region | None) -> tuple[float, float, tuple[float, float] | None]:
        """Return the southern and northern border, and western and eastern ones, None around the globe.

        Args:
            region: What the recipe asks for, or None.
        """
        there = np.isfinite(self.latitude)
        corners = self.cell_corners[there]
        corners = corners[np.isfinite(corners).all(axis=(1, 2))].reshape(-1, 3)
        latitude = np.rad2deg(np.arcsin(np.clip(corners[:, 2], -1, 1)))
        south, north = float(latitude.min()), float(latitude.max())
        around = np.sort(np.mod(self.longitude[there], 360))
        gaps = np.diff(np.concatenate([around, around[:1] + 360]))
        widest = int(gaps.argmax())
        borders: tuple[float, float] | None = None
        if gaps[widest] > 5 * self.spacing + 5:
            half = 0.5 * self.spacing
            west = float(around[(widest + 1) % len(around)])
            borders = (west - half, west + float(360 - gaps[widest]) + half)
        else:
            # A mesh around the globe that comes near a pole holds it.
            south = -90.0 if south < -90 + 3 * self.spacing else south
            north = 90.0 if north > 90 - 3 * self.spacing else north
        if region is not None:
            south, north = max(south, region.latitude[0]), min(north, region.latitude[1])
            if region.longitude is not None:
                west, east = region.longitude
                width = (east - west) % 360 or 360.0
                borders = None if width == 360.0 else (west, west + width)
        return south, north, borders

    def _padded(self) -> Float64[np.ndarray, "row column 3"]:
        """Return the centres with one more on every side: those beyond a seam, or extrapolated ones."""
        points = self.points
        below = 2 * points[:1] - points[1:2]
        above = points[-1:, ::-1] if self.is_folded else 2 * points[-1:] - points[-2:-1]
        points = np.concatenate([below, points, above])
        if self.is_periodic:
            return np.concatenate([points[:, -1:], points, points[:, :1]], axis=1)
        west, east = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
        return np.concatenate([west, points, east], axis=1)


def unit_vectors(
    latitude: Float64[np.ndarray, "*shape"], longitude: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape 3"]:
    """Return unit vectors to places in degrees."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def _close(
    found: Float64[np.ndarray, "cell 3"],
    expected: Float64[np.ndarray, "cell 3"],
    step: Float64[np.ndarray, "cell 3"],
) -> bool:
    """Whether most places found are those expected, to a part of a step that is not nought."""
    apart, length = np.linalg.norm(found - expected, axis=-1), np.linalg.norm(step, axis=-1)
    there = np.isfinite(apart) & (length > 0)
    if not there.any():
        return False
    return bool(np.median(apart[there] / length[there]) < _SAME_PLACE)
