"""The indices by name: region, variable and source of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from triton_earth.core.errors import UserError, nearest
from triton_earth.core.region import Region

ALL = "all"
"""What stands for every index that fits."""

MOST_GLOBAL = Region(-60.0, 60.0, 0.0, 360.0, "60S to 60N")
"""Where the global mean is taken that some indices are relative to: the sea without ice."""

NORTH_PACIFIC = Region(20.0, 70.0, 110.0, 260.0, "North Pacific")
CENTRAL_NORTH_PACIFIC = Region(30.0, 45.0, 160.0, 210.0, "central North Pacific")
"""Where sea surface temperature is below normal when the Pacific decadal oscillation is positive."""

NORTH_ATLANTIC_SECTOR = Region(15.0, 75.0, 300.0, 360.0, "North Atlantic")

Kind = Literal["mean", "pattern", "jet"]


@dataclass(frozen=True)
class Definition:
    """What an index is, before it knows any data.

    Attributes:
        name: What options and score files call it.
        long_name: In words.
        kind: Area mean of anomalies, amplitude of their leading pattern, or latitude of the strongest wind.
        region: Where.
        words: How it is made.
        source: Who defined it.
        minus_global: Whether the mean over `MOST_GLOBAL` is taken out.
    """

    name: str
    long_name: str
    kind: Kind
    region: Region
    words: str
    source: str
    minus_global: bool = False


def _nino(name: str, long_name: str, region: Region) -> Definition:
    words = "area mean of the anomalies of sea surface temperature"
    return Definition(
        name,
        long_name,
        "mean",
        region,
        words,
        "Trenberth (1997), Bull. Am. Meteorol. Soc. 78, 2771",
    )


_ATLANTIC = Region(0.0, 60.0, 280.0, 360.0, "North Atlantic")
_TRENBERTH_SHEA = "Trenberth and Shea (2006), Geophys. Res. Lett. 33, L12704"

DEFINITIONS = {
    one.name: one
    for one in (
        _nino("nino34", "Nino 3.4", Region(-5.0, 5.0, 190.0, 240.0)),
        _nino("nino3", "Nino 3", Region(-5.0, 5.0, 210.0, 270.0)),
        _nino("nino4", "Nino 4", Region(-5.0, 5.0, 160.0, 210.0)),
        _nino("nino12", "Nino 1+2", Region(-10.0, 0.0, 270.0, 280.0)),
        Definition(
            "amo",
            "Atlantic multidecadal oscillation",
            "mean",
            _ATLANTIC,
            "area mean of the anomalies of sea surface temperature, not smoothed in time",
            _TRENBERTH_SHEA,
        ),
        Definition(
            "amo_minus_global",
            "Atlantic multidecadal oscillation less the global mean",
            "mean",
            _ATLANTIC,
            "area mean of the anomalies of sea surface temperature less their mean from 60S to 60N, not smoothed in "
            "time",
            _TRENBERTH_SHEA,
            minus_global=True,
        ),
        Definition(
            "pdo",
            "Pacific decadal oscillation",
            "pattern",
            NORTH_PACIFIC,
            "amplitude of the first empirical orthogonal function of the anomalies of sea surface temperature less "
            "their mean from 60S to 60N, in standard deviations over the training split; positive where the central "
            "North Pacific (30N to 45N, 160E to 150W) is cold",
            "Mantua et al. (1997), Bull. Am. Meteorol. Soc. 78, 1069",
            minus_global=True,
        ),
        Definition(
            "jet_latitude",
            "latitude of the North Atlantic jet",
            "jet",
            NORTH_ATLANTIC_SECTOR,
            "latitude of the largest zonal mean of the eastward wind (mean over the levels from 700 to 925 hPa that "
            "are there), by a parabola through it and its neighbours, not smoothed in time",
            "Woollings, Hannachi and Hoskins (2010), Q. J. R. Meteorol. Soc. 136, 856",
        ),
    )
}
"""The indices by name."""


def parse_names(asked: Sequence[str]) -> list[str]:
    """Return the names of indices that were asked for, each once; every name for ``all``.

    Raises:
        UserError: if an index is unknown, or none is named.
    """
    names = [name.strip() for name in asked]
    if ALL in names:
        return list(DEFINITIONS)
    for name in names:
        if name not in DEFINITIONS:
            raise UserError(
                f"--indices: '{name}' is no index; {nearest(name, [ALL, *DEFINITIONS])}"
            )
    if not names:
        raise UserError(f"--indices: expected names of indices or {ALL}, found none.")
    return list(dict.fromkeys(names))
