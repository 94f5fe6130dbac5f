"""The report of a training run, from logs whose values are known."""

import html
import json

import numpy as np
import pytest
import xarray as xr

from triton_earth.plots.training_curves import (
    lead_losses,
    log_curves,
    rollout_errors,
    rollout_variances,
)
from triton_earth.plots.training_report import write_training_report

FORECASTS = ["rmse", "persistence_rmse", "log_variance_ratio", "log_small_scale_ratio"]
STEPS = np.arange(20, 101, 20)


def logs(rmse=0.1):
    nothing = np.nan
    validated = [nothing, 0.4, nothing, nothing, 0.2]
    dimensions = ("validated_step", "validation_lead", "variable")
    coordinates = {
        "step": STEPS, "lead": [1, 2], "variable": ["temperature", "<salt>"],
        "validated_step": [40, 100], "validation_lead": [1, 5],
    }  # fmt: skip
    return xr.Dataset(
        {
            "loss": ("step", [1.0, 0.5, 0.2, 0.1, 0.05]),
            "learning_rate": ("step", [1e-3, 8e-4, 6e-4, 3e-4, 0.0]),
            "gradient_norm": ("step", [2.0, 1.0, 1.0, 0.5, 0.5]),
            "samples_per_second": ("step", [5.0] * 5),
            "validation_mse": ("step", validated),
            "persistence_mse": ("step", [nothing, 0.8, nothing, nothing, 0.8]),
            "lead_loss": (("step", "lead", "variable"), np.full((5, 2, 2), 0.3)),
            "rmse": (dimensions, np.full((2, 2, 2), rmse)),
            "persistence_rmse": (dimensions, np.full((2, 2, 2), 0.5)),
            "log_variance_ratio": (dimensions, np.full((2, 2, 2), np.log(0.5))),
            "log_small_scale_ratio": (dimensions, np.full((2, 2, 2), np.log(3.0))),
        },
        coords=coordinates,
        attrs={
            "selected_by": "validation_mse", "selected_score": 0.2,
            "provenance": json.dumps({"seed": 7}),
        },
    )  # fmt: skip


def test_the_page_says_what_was_reached(tmp_path):
    write_training_report(logs(), tmp_path / "report.html", "A <run>")
    text = (tmp_path / "report.html").read_text()
    assert "<h1>A &lt;run&gt;</h1>" in text
    assert "Kept are the weights of step 100, with the lowest validation_mse: 0.200." in text
    assert (
        '<li class="good">After the last step the squared error of one step ahead is 0.250 times'
        in text
    )
    assert "Validation forecasts to leads 1, 5 are better than persistence at all of them." in text
    assert "&lt;salt&gt;" in text
    assert "<salt>" not in text
    assert (
        "At lead 5 they have 0.500 times the truth's variance, and 3.00 times that of its"
        in html.unescape(text)
    )
    assert text.count("<img") == 5
    assert "<code>7</code>" in text


def test_what_is_worse_than_persistence_or_not_finite_is_said(tmp_path):
    broken = logs(rmse=np.inf).assign_attrs(selected_by="validation_mse", selected_score=None)
    write_training_report(broken, tmp_path / "report.html", "run")
    text = (tmp_path / "report.html").read_text()
    assert "with the lowest validation_mse: not finite." in text
    assert "are better than persistence at none of these leads." in text


def test_without_validation_forecasts_there_is_no_such_section(tmp_path):
    alone = logs().drop_vars(FORECASTS)
    write_training_report(alone, tmp_path / "report.html", "run")
    text = (tmp_path / "report.html").read_text()
    assert "Validation forecasts" not in text
    assert text.count("<img") == 2


def test_figures_show_the_values_given():
    one = logs()
    course = log_curves(one).axes
    np.testing.assert_array_equal(course[0].get_lines()[0].get_ydata(), one["loss"])
    np.testing.assert_array_equal(course[1].get_lines()[0].get_xdata(), [40, 100])
    assert course[0].get_yscale() == "log"
    assert course[1].get_yscale() == "linear"
    labels = [line.get_label() for line in lead_losses(one, ["temperature"]).axes[0].get_lines()]
    assert labels == ["lead 1", "lead 2"]
    errors = rollout_errors(one, ["temperature"]).axes[0].get_lines()
    assert [line.get_label() for line in errors] == ["step 40", "step 100", "persistence"]
    assert errors[0].get_ydata() == pytest.approx([0.1, 0.1])
    ratios = rollout_variances(one, "log_variance_ratio", ["temperature"]).axes[0]
    assert ratios.get_lines()[0].get_ydata() == pytest.approx([np.log(0.5)] * 2)
    assert ratios.get_yscale() == "linear"


def test_logs_without_a_row_are_said_to_be_lost(tmp_path):
    empty = logs().isel(step=[], validated_step=[], variable=[]).drop_vars(FORECASTS)
    write_training_report(empty, tmp_path / "report.html", "A run")
    text = (tmp_path / "report.html").read_text()
    assert "The logs hold no validation: their rows are lost." in text
