"""How far scores can tell forecasts from the climatology: up to which lead, and for which variables."""

import numpy as np
import xarray as xr

TELLS_MORE = 0.98
"""Part of the error of the climatology below which a forecast tells more than it."""

RELATIVE = 0.5
"""Standard deviation over root mean square of the truth below which its mean is most of it."""

FLATTERS = 0.5
"""Pattern correlation of the climatology above which that of a forecast says little."""


def predictable(scores: xr.Dataset) -> int:
    """Return at how many leads, from the first on, anything still tells more about the truth than its climatology.

    A lead counts as long as the root mean square error of some forecast is at least 2 % below climatology's, averaged
    over variables; where there is no climatology, all count.
    """
    names = [str(name) for name in scores["forecast"].values]
    if "climatology" not in names or "rmse" not in scores:
        return scores.sizes["lead_time"]
    rmse = scores["rmse"].transpose("forecast", "variable", "lead_time")
    others = rmse.sel(forecast=[name for name in names if name != "climatology"]).values
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (others / rmse.sel(forecast="climatology").values).mean(axis=1)
        better = np.any(ratio < TELLS_MORE, axis=0)
    lost = np.flatnonzero(~better)
    return max(1, int(lost[0])) if lost.size else scores.sizes["lead_time"]


def is_relative(scores: xr.Dataset, variable: str) -> bool:
    """Return whether errors relative to the size of the truth tell anything of a variable.

    Of a temperature in K they do not: the truth is 280 K large, whatever varies in it. They do where the standard
    deviation of the truth is at least half of its root mean square, as the errors relative to both tell.
    """
    if not {"relative_l2", "vrmse"} <= set(scores):
        return True
    of_size, of_deviation = (
        scores[name].sel(variable=variable).values for name in ("relative_l2", "vrmse")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        part = of_size / of_deviation
    known = part[np.isfinite(part)]
    return not known.size or bool(np.median(known) >= RELATIVE)


def flattered_by_climatology(scores: xr.Dataset) -> list[str]:
    """Return the variables whose pattern correlation says little, as that of their climatology is above 0.5 already.

    Their mean gradient is known without a forecast; departures from it are what can be told apart.
    """
    names = [str(name) for name in scores["forecast"].values]
    if "climatology" not in names or not {"acc", "correlation"} <= set(scores):
        return []
    known = scores["correlation"].sel(forecast="climatology").mean("lead_time")
    return [str(name) for name in scores["variable"].values[(known > FLATTERS).values]]
