"""Scores and an example in the format of evaluation, made from a few drifting vortices instead of a model."""

import json

import numpy as np
import xarray as xr

LONG_NAMES = {
    "mse": "mean squared error",
    "rmse": "root mean square error",
    "bias": "bias",
    "relative_l2": "relative L2 error",
    "correlation": "correlation",
}
UNITS = {"mse": "(s-1)2", "rmse": "s-1", "bias": "s-1", "relative_l2": "1", "correlation": "1"}
FORECASTS = ("triton", "persistence")
RATES = {"triton": 0.8, "persistence": 12.0}


def vortices(size: int, times: np.ndarray, speed: float = 1.0) -> np.ndarray:
    """Return a field (time, y, x) of vortices that drift at their own velocities through a periodic box."""
    random = np.random.default_rng(3)
    axis = np.arange(size) * 2 * np.pi / size
    field = np.zeros((len(times), size, size))
    for _ in range(24):
        x0, y0, u, v = random.uniform(-3, 3, 4)
        strength = random.choice([-1, 1]) * random.uniform(2, 6)
        width = random.uniform(0.15, 0.45)
        dx = np.angle(np.exp(1j * (axis[None] - x0 - speed * 0.3 * u * times[:, None])))
        dy = np.angle(np.exp(1j * (axis[None] - y0 - speed * 0.3 * v * times[:, None])))
        field += strength * np.exp(-(dy[:, :, None] ** 2 + dx[:, None, :] ** 2) / (2 * width**2))
    return field - field.mean(axis=(1, 2), keepdims=True)


def lead_coordinate(leads: int, calendar: bool, start: int = 1) -> xr.DataArray:
    steps = np.arange(start, leads + 1)
    if calendar:
        return xr.DataArray(
            (steps * 6).astype("timedelta64[h]").astype("timedelta64[ns]"), dims="lead_time"
        )
    return xr.DataArray(steps * 0.055, dims="lead_time", attrs={"units": "time units"})


def build_scores(
    leads: int = 99,
    variables: tuple[str, ...] = ("vorticity",),
    forecasts: tuple[str, ...] = FORECASTS,
    calendar: bool = False,
    turbulence: bool = True,
    cases: int = 16,
) -> xr.Dataset:
    """Return plausible scores: errors that saturate, spectra that fall off, intervals of ten per cent."""
    time = np.arange(1, leads + 1) * 0.055
    rate = np.array([RATES.get(name, 1.5) for name in forecasts])[:, None, None]
    relative = (
        1.35 * (1 - np.exp(-rate * 0.16 * time * (1 + time))) * np.ones((1, len(variables), 1))
    )
    curves = {
        "relative_l2": relative,
        "rmse": 4.7 * relative,
        "mse": (4.7 * relative) ** 2,
        "correlation": 1 - 0.5 * relative**2,
        "bias": 0.01 * np.sin(3 * time) * relative,
    }
    dims = ("forecast", "variable", "lead_time")
    if "persistence" in forecasts:
        held = curves["mse"][list(forecasts).index("persistence")]
        curves["mse_minus_persistence"] = curves["mse"] - held
    data: dict[str, xr.DataArray] = {}
    for name, values in curves.items():
        attrs = {
            "long_name": LONG_NAMES.get(name, name),
            "units": UNITS.get(name, "1"),
            "definition": f"Definition of {name}.",
        }
        data[name] = xr.DataArray(values, dims=dims, attrs=attrs)
        data[f"{name}_interval"] = _interval(data[name])
    per_forecast = {
        "stability_horizon": np.full(len(forecasts), np.nan),
        "stable_fraction": np.ones(len(forecasts)),
        "skill_horizon": np.where(np.array(forecasts) == "triton", max(leads // 2, 1), 1.0),
    }
    for name, values in per_forecast.items():
        attrs = {
            "long_name": f"{name} in time steps",
            "units": "1",
            "definition": f"Definition of {name}.",
        }
        data[name] = xr.DataArray(values, dims="forecast", attrs=attrs)
        data[f"{name}_interval"] = xr.concat([data[name]] * 2, dim="bound").transpose(
            "forecast", "bound"
        )
    data["stability_criterion"] = xr.DataArray(["none"] * len(forecasts), dims="forecast")
    data["initial_conditions"] = xr.DataArray(np.full(leads, cases), dims="lead_time")
    if turbulence:
        data.update(_turbulence(time, ("truth", *forecasts)))
    scores = xr.Dataset(data).assign_coords(
        forecast=list(forecasts),
        variable=list(variables),
        lead_time=lead_coordinate(leads, calendar),
        lead=("lead_time", np.arange(1, leads + 1)),
        bound=["lower", "upper"],
    )
    provenance = {
        "command": "triton-earth evaluate forecast.zarr store.zarr --out scores",
        "data_hash": "sha256:0f3a",
        "versions": {"triton_earth": "0.1.0", "torch": "2.6.0"},
        "config": {"model": {"name": "triton"}, "train": {"steps": 400}},
    }
    scores.attrs = {
        "provenance": json.dumps(provenance),
        "seed": 7,
        "interval": "95 % percentile bootstrap over initial conditions",
        "evaluated_leads": leads,
        "forecast_leads": leads,
    }
    return scores


def add_long_runs(scores: xr.Dataset) -> xr.Dataset:
    """Return the scores with means, variances, extremes and rates: the model drifts, the truth does not."""
    variables, leads = scores["variable"].values, scores.sizes["lead_time"]
    sources = ["truth", *scores["forecast"].values.tolist()]
    steps = np.arange(1, leads + 1) / leads
    drift = np.array([{"triton": 1.0}.get(name, 0.0) for name in sources])[:, None, None]
    mean = 280.0 + np.sin(3 * steps) + drift * steps + np.zeros((1, len(variables), 1))
    dims = ("source", "variable", "lead_time")
    data = {
        "area_mean": (dims, mean, {"long_name": "area mean", "units": "K"}),
        "seasonal_departure": (dims, mean - 280.0, {"long_name": "departure", "units": "K"}),
        "variance": (dims, 4.0 + mean - 280.0, {"long_name": "variance", "units": "K2"}),
    }
    for name in list(data):
        data[f"{name}_interval"] = (
            (*dims, "bound"),
            np.stack([data[name][1] - 0.1, data[name][1] + 0.1], axis=-1),
        )
    rates = np.array([[0.01] * len(variables)] * (len(sources) - 1))
    for name in ("drift_rate", "variance_drift_rate", "error_growth_rate", "error_doubling_time"):
        attrs = {"long_name": name.replace("_", " "), "units": "1", "definition": "Rate."}
        data[name] = (("forecast", "variable"), rates.copy(), attrs)
        data[f"{name}_interval"] = (
            ("forecast", "variable", "bound"),
            np.stack([rates / 2, 2 * rates], axis=-1),
        )
    chosen = np.unique(np.linspace(0, leads - 1, 12).round().astype(int))
    quantiles = np.array([0.001, 0.01, 0.99, 0.999])
    data["extreme"] = (
        ("source", "variable", "extreme_lead_time", "quantile"),
        mean[:, :, chosen, None] + 20 * (quantiles - 0.5),
        {"long_name": "quantile of the field", "units": "K"},
    )
    return scores.assign(data).assign_coords(
        source=sources,
        quantile=quantiles,
        extreme_lead_time=scores["lead_time"].values[chosen],
    )


def add_ensemble(scores: xr.Dataset, members: int = 8) -> xr.Dataset:
    """Return the scores with those of an ensemble that is too confident."""
    variables, leads = scores.sizes["variable"], scores.sizes["lead_time"]
    error = np.linspace(0.1, 2.0, leads) * np.ones((variables, 1))
    dims = ("variable", "lead_time")
    data = {}
    for name, values in (
        ("crps", error),
        ("ensemble_spread", 0.6 * error),
        ("spread_skill", 0.6 + 0 * error),
    ):
        data[name] = (dims, values, {"long_name": name.replace("_", " "), "units": "1"})
        data[f"{name}_interval"] = ((*dims, "bound"), np.stack([0.9 * values, 1.1 * values], -1))
    ranks = 1.0 + np.linspace(-1, 1, members + 1) ** 2
    data["rank_histogram"] = (
        (*dims, "rank"),
        np.broadcast_to(ranks / ranks.sum(), (variables, leads, members + 1)).copy(),
        {"long_name": "rank histogram", "units": "1"},
    )
    return scores.assign(data).assign_coords(rank=np.arange(members + 1))


def _interval(array: xr.DataArray) -> xr.DataArray:
    spread = 0.1 * abs(array)
    return xr.concat([array - spread, array + spread], dim="bound").transpose(..., "bound")


def _turbulence(time: np.ndarray, sources: tuple[str, ...]) -> dict[str, xr.DataArray]:
    wavenumber = np.arange(1, 46, dtype=np.float64)
    damping = np.array([{"truth": 0.0, "triton": 0.02}.get(name, -0.005) for name in sources])
    fall = np.exp(-0.1 * time)[None, :] * np.exp(-damping[:, None] * time)
    shape = wavenumber**0.5 / (1 + (wavenumber / 6) ** 3.2)
    enstrophy = (
        fall[:, :, None]
        * shape
        * np.exp(-damping[:, None, None] * wavenumber / 3 * time[None, :, None])
    )
    data = {
        "enstrophy_spectrum": xr.DataArray(enstrophy, dims=("source", "lead_time", "wavenumber")),
        "energy_spectrum": xr.DataArray(
            enstrophy / wavenumber**2, dims=("source", "lead_time", "wavenumber")
        ),
        "enstrophy": xr.DataArray(enstrophy.sum(-1), dims=("source", "lead_time")),
        "energy": xr.DataArray((enstrophy / wavenumber**2).sum(-1), dims=("source", "lead_time")),
        "small_scale_enstrophy": xr.DataArray(
            enstrophy[..., 15:32].sum(-1), dims=("source", "lead_time")
        ),
    }
    for name, array in list(data.items()):
        array.attrs = {
            "long_name": name.replace("_", " "),
            "units": "s-2",
            "definition": f"Definition of {name}.",
        }
        if not name.endswith("spectrum"):
            data[f"{name}_interval"] = _interval(array)
    coordinates = {"source": list(sources), "wavenumber": wavenumber}
    return {
        name: array.assign_coords({k: v for k, v in coordinates.items() if k in array.dims})
        for name, array in data.items()
    }


def build_example(
    leads: int = 99,
    size: int = 64,
    variables: tuple[str, ...] = ("vorticity",),
    calendar: bool = False,
    latlon: bool = False,
) -> xr.Dataset:
    """Return truth, forecast and error from lead 0 on."""
    coordinate = lead_coordinate(leads, calendar, start=0)
    time = np.arange(leads + 1) * 0.055
    truth, forecast = vortices(size, time), vortices(size, time, speed=0.85)
    fields = {"truth": truth, "forecast": forecast, "error": forecast - truth}
    y, x = ("latitude", "longitude") if latlon else ("y", "x")
    degrees = {y: np.linspace(20, 50, size), x: np.linspace(120, 150, size)}
    box = {y: np.arange(size) * 2 * np.pi / size, x: np.arange(size) * 2 * np.pi / size}
    attrs = {"units": "s-1"}
    return xr.Dataset(
        {
            name: (("variable", "lead_time", y, x), np.stack([values] * len(variables)), attrs)
            for name, values in fields.items()
        },
        coords={
            "variable": list(variables),
            "lead_time": coordinate,
            **(degrees if latlon else box),
        },
    )
