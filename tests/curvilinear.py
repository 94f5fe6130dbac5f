"""Curvilinear grids and fields on them for tests, with formulas of their own."""

import numpy as np
import xarray as xr

from tests.gridded import dataset


def tripolar(rows=40, cap=14, columns=72, *, halo=True, shift=0.0):
    """Latitudes and longitudes of an ORCA-like grid: Mercator-like to 60 N, then between two poles on that circle.

    In the stereographic plane of the cap, scaled to the unit disc, columns are circles through the poles w = ±1 and
    rows their orthogonals: w = (e^(s + it) − 1) / (e^(s + it) + 1), s = ln cot θ/2, t = ±π/2 (1 − q). With a halo the
    last row repeats the one before it backwards, and one column is repeated on each side, as NEMO writes them.

    Args:
        shift: Part of a column by which all places are moved along the rows.
    """
    theta = (np.arange(columns) + 0.5 + shift) * 2 * np.pi / columns
    height = 136 / rows
    latitude = [np.full(columns, -76 + height * (row + 0.5)) for row in range(rows)]
    longitude = [np.rad2deg(theta)] * rows
    radius = np.tan(np.deg2rad(15))
    s = -np.log(np.abs(np.tan(theta / 2)))
    for row in range(cap):
        t = np.where(theta < np.pi, 1, -1) * np.pi / 2 * (1 - (row + 0.5) / cap)
        w = (np.exp(s + 1j * t) - 1) / (np.exp(s + 1j * t) + 1)
        latitude.append(90 - 2 * np.rad2deg(np.arctan(np.abs(w) * radius)))
        longitude.append(np.rad2deg(np.angle(w)))
    lat, lon = np.array(latitude), np.mod(np.array(longitude) + 80, 360)
    if halo:
        lat, lon = (np.concatenate([one, one[-1:, ::-1]]) for one in (lat, lon))
        lat, lon = (np.concatenate([one[:, -1:], one, one[:, :1]], axis=1) for one in (lat, lon))
    return lat, lon


def rotated(latitude, longitude, *, pole=(39.25, -162.0)):
    """True latitudes and longitudes of those of a rotated pole (COSMO's formulas, in angles)."""
    phi, lam = np.deg2rad(np.meshgrid(latitude, longitude, indexing="ij"))
    tilt, around = np.deg2rad(pole[0]), np.deg2rad(pole[1])
    true = np.arcsin(
        np.clip(np.cos(phi) * np.cos(lam) * np.cos(tilt) + np.sin(phi) * np.sin(tilt), -1, 1)
    )
    x = -np.sin(tilt) * np.cos(lam) * np.cos(phi) + np.cos(tilt) * np.sin(phi)
    east = around - np.arctan2(np.sin(lam) * np.cos(phi), x) + np.pi * 0
    return np.rad2deg(true), np.mod(np.rad2deg(east) + 180, 360) - 180


def smooth(latitude, longitude):
    """A field of the largest scales."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return 2 + np.cos(phi) ** 2 * np.cos(2 * lam) + np.sin(phi)


def rotation(latitude, longitude):
    """Eastward and northward velocity of a rotation about an axis that is not that of the Earth."""
    axis = np.array([0.3, -0.5, 0.8])
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    place = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    east = np.stack([-np.sin(lam), np.cos(lam), 0 * lam], axis=-1)
    north = np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)], axis=-1)
    velocity = np.cross(axis, place)
    return (velocity * east).sum(axis=-1), (velocity * north).sum(axis=-1)


def along(before, after, eastward, northward):
    """Components along rows and columns, where rows lead from the places `before` to the places `after`."""
    middle = np.deg2rad(0.5 * (before[0] + after[0]))
    x = (np.mod(after[1] - before[1] + 180, 360) - 180) * np.cos(middle)
    y = after[0] - before[0]
    length = np.hypot(x, y)
    return (eastward * x + northward * y) / length, (-eastward * y + northward * x) / length


def on_mesh(latitude, longitude, fields, *, names=("nav_lat", "nav_lon"), times=40):
    """A data set of fields (name: (values [y, x], attributes)) that change a little in time."""
    days = dataset(times)["time"].values
    growth = 1 + 1e-3 * np.arange(times)[:, None, None]
    return xr.Dataset(
        {
            name: (("time_counter", "y", "x"), growth * values, attributes)
            for name, (values, attributes) in fields.items()
        },
        coords={
            "time_counter": ("time_counter", days),
            names[0]: (("y", "x"), latitude, {"units": "degrees_north"}),
            names[1]: (("y", "x"), longitude, {"units": "degrees_east"}),
        },
    )
