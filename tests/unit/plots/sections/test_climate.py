"""The section on the climate of long runs: what is drawn and what the tables say."""

import numpy as np
import xarray as xr

from triton_earth.evaluation.climate.records import STATISTICS
from triton_earth.evaluation.climate.stability import FAILURES
from triton_earth.plots.sections.climate import climate_curves, climate_sections


def scores():
    generator = np.random.default_rng(0)
    shape = (2, 3)
    failure = np.zeros((*shape, len(FAILURES)), bool)
    failure[1, :2, 1] = True
    words = {"long_name": "departure", "units": "K"}
    return xr.Dataset(
        {
            "climate_ratio": (
                ("model", "init", "climate_statistic", "variable"),
                np.full((*shape, len(STATISTICS), 1), 1.25),
            ),
            "climate_failure": (("model", "init", "failure"), failure),
            "climate_skill": ("model", [0.95, 0.5]),
            "climate_skill_worst": ("model", [0.9, 0.25]),
            "climate_departure": (
                ("model", "init", "climate_window", "variable"),
                generator.normal(size=(*shape, 4, 1)),
                words,
            ),
            "climate_variance_ratio": (
                ("model", "init", "climate_quarter", "variable"),
                generator.uniform(0.8, 1.2, (*shape, 2, 1)),
                words,
            ),
        },
        coords={
            "model": ["triton", "unet"],
            "variable": ["temperature"],
            "failure": list(FAILURES),
            "climate_statistic": list(STATISTICS),
            "climate_window": [30, 60, 90, 120],
            "climate_quarter": [90, 180],
        },
    )


def test_every_run_and_the_mean_of_each_model_are_drawn():
    figure = climate_curves(scores(), "temperature")
    departure, variance = figure.axes
    assert len(departure.lines) == 2 * (3 + 1) + 1
    assert len(variance.lines) == 2 * (3 + 1) + 1
    np.testing.assert_allclose(
        departure.lines[3].get_ydata(), scores()["climate_departure"][0, :, :, 0].mean("init")
    )
    assert figure.legends[0].get_texts()[0].get_text() == "triton"


def test_the_section_counts_failures_and_shows_ratios_with_the_worst_run():
    (section,) = climate_sections(scores(), {})
    text = str(section.body)
    assert section.title == "Climate"
    for words in (
        "3 of 3",
        "1 of 3",
        "0.95",
        "0.25",
        "1.25, worst 1.25",
        "bias map",
        "season lost",
    ):
        assert words in text, words


def test_without_climate_scores_there_is_no_section():
    assert climate_sections(xr.Dataset({"rmse": ("lead_time", [1.0])}), {}) == []
