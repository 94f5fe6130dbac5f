"""Eddies in a velocity field: cores where rotation outweighs strain (Okubo-Weiss)."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import ndimage

THRESHOLD = 0.2
"""Core: W < −0.2 σ_W (Isern-Fontanet, García-Ladona and Font 2003, J. Atmos. Oceanic Technol. 20, 772)."""

Field = Float[np.ndarray, "y x"]


@dataclass(frozen=True)
class Eddy:
    """One eddy core.

    Attributes:
        y: Row of its centre, weighted by −W; not a whole number.
        x: Column of its centre; of a core across the seam counted on beyond the last column.
        cells: Cells of the core.
        area: Area of the core, in squared units of length.
        radius: Radius √(area / π) of the circle of that area.
        vorticity: Mean vorticity of the core; its sign is the sense of rotation.
        rows: Row of each of its cells.
        columns: Column of each of its cells, counted on across the seam, so that neighbours are 1 apart.
    """

    y: float
    x: float
    cells: int
    area: float
    radius: float
    vorticity: float
    rows: Int[np.ndarray, " cell"] = field(compare=False, repr=False)
    columns: Int[np.ndarray, " cell"] = field(compare=False, repr=False)


def okubo_weiss(
    velocity_x: Field,
    velocity_y: Field,
    dy: float,
    dx: float | Float64[np.ndarray, " y"],
    *,
    periodic: bool = False,
) -> tuple[Float64[np.ndarray, "y x"], Float64[np.ndarray, "y x"]]:
    """Return the Okubo-Weiss parameter and the vorticity.

        W = s_n² + s_s² − ω²,    s_n = ∂u/∂x − ∂v/∂y,  s_s = ∂v/∂x + ∂u/∂y,  ω = ∂v/∂x − ∂u/∂y

    with central differences, one-sided at the borders (Okubo 1970, Deep-Sea Res. 17, 445; Weiss 1991, Physica D 48,
    273). Next to a missing value it is missing.

    Args:
        velocity_x: u [y, x] in m/s.
        velocity_y: v [y, x] in m/s.
        dy: Distance of rows in m.
        dx: Distance of columns in m; one for each row on a latitude-longitude grid.
        periodic: Whether the last column is beside the first.

    Returns:
        W in s⁻² and ω in s⁻¹.
    """
    width = np.broadcast_to(np.asarray(dx, dtype=np.float64), (velocity_x.shape[0],))[:, None]
    u, v = velocity_x.astype(np.float64), velocity_y.astype(np.float64)
    u_y, u_x = np.gradient(u, dy, axis=0), _gradient_x(u, periodic) / width
    v_y, v_x = np.gradient(v, dy, axis=0), _gradient_x(v, periodic) / width
    vorticity = v_x - u_y
    return (u_x - v_y) ** 2 + (v_x + u_y) ** 2 - vorticity**2, vorticity


def detect_eddies(
    velocity_x: Field,
    velocity_y: Field,
    dy: float,
    dx: float | Float64[np.ndarray, " y"],
    fewest_cells: int = 8,
    *,
    periodic: bool = False,
) -> list[Eddy]:
    """Return the eddy cores of a velocity field, largest first.

    A core is a connected region (by sides) with W < −0.2 σ_W and vorticity of one sign; σ_W is the standard deviation
    of W over the cells that have one.

    Args:
        velocity_x: u [y, x] in m/s.
        velocity_y: v [y, x] in m/s.
        dy: Distance of rows in m.
        dx: Distance of columns in m, one or one for each row.
        fewest_cells: Cells that a core must have.
        periodic: Whether the last column is beside the first, so that a core may lie on both sides of the seam.
    """
    parameter, vorticity = okubo_weiss(velocity_x, velocity_y, dy, dx, periodic=periodic)
    known = parameter[np.isfinite(parameter)]
    if known.size == 0:
        return []
    with np.errstate(invalid="ignore"):
        core = parameter < -THRESHOLD * known.std()
        labels = connected_regions(core & (vorticity > 0), periodic=periodic)
        negative = connected_regions(core & (vorticity < 0), periodic=periodic)
    labels = np.where(negative > 0, negative + labels.max(initial=0), labels)
    area = dy * np.broadcast_to(np.asarray(dx, dtype=np.float64), (len(labels),))
    found = []
    for cells in _members(labels):
        if len(cells) < fewest_cells:
            continue
        rows, columns = np.unravel_index(cells, labels.shape)
        strength = -parameter[rows, columns]
        size = float(area[rows].sum())
        unwrapped = _unwrapped(columns, labels.shape[1]) if periodic else columns
        found.append(
            Eddy(
                y=float(np.average(rows, weights=strength)),
                x=float(np.average(unwrapped, weights=strength)),
                cells=len(rows),
                area=size,
                radius=float(np.sqrt(size / np.pi)),
                vorticity=float(vorticity[rows, columns].mean()),
                rows=rows,
                columns=unwrapped,
            )
        )
    return sorted(found, key=lambda eddy: -eddy.area)


def connected_regions(
    mask: Bool[np.ndarray, "y x"], *, periodic: bool = False
) -> Int[np.ndarray, "y x"]:
    """Number the regions of true cells that touch by their sides, 1, 2, …; 0 elsewhere.

    Args:
        mask: The cells.
        periodic: Whether the last column is beside the first.
    """
    labels, _ = ndimage.label(mask)
    if not periodic:
        return np.asarray(labels)
    for row in np.flatnonzero(mask[:, 0] & mask[:, -1]):
        low, high = sorted((int(labels[row, 0]), int(labels[row, -1])))
        labels[labels == high] = low
    numbers, dense = np.unique(labels, return_inverse=True)
    return dense.reshape(mask.shape) + int(numbers[0] > 0)


def _members(labels: Int[np.ndarray, "y x"]) -> list[Int[np.ndarray, " cell"]]:
    """Return the flat positions of the cells of each number, all found in one sort."""
    flat = labels.ravel()
    inside = np.flatnonzero(flat)
    if not inside.size:
        return []
    ordered = inside[np.argsort(flat[inside], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(flat[ordered])) + 1)


def _gradient_x(field: Float64[np.ndarray, "y x"], periodic: bool) -> Float64[np.ndarray, "y x"]:
    """Return central differences along a row, one-sided at borders."""
    if not periodic:
        return np.asarray(np.gradient(field, axis=1))
    return np.asarray(np.gradient(np.pad(field, ((0, 0), (1, 1)), mode="wrap"), axis=1)[:, 1:-1])


def _unwrapped(columns: Int[np.ndarray, " cell"], count: int) -> Int[np.ndarray, " cell"]:
    """Return columns counted on across the seam: those before the widest gap of a core come after its others."""
    present = np.unique(columns)
    if present[0] > 0 or present[-1] < count - 1:
        return columns
    gap = int(np.diff(present).argmax()) if len(present) > 1 else 0
    if len(present) == count:  # all around the globe
        return columns
    return np.where(columns <= present[gap], columns + count, columns)
