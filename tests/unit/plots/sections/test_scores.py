import numpy as np
import pytest

from triton_earth.plots.sections.scores import SCORES, score_curves
from triton_earth.plots.tables import score_table


def line(axes, name):
    (found,) = [line for line in axes.lines if line.get_label() == name]
    return found


def test_one_panel_per_score_with_every_forecast(scores):
    axes = score_curves(scores, "vorticity").axes
    names = [name for name in SCORES if name in scores]
    drawn = axes[: len(names)]
    assert [a.get_title(loc="left") for a in drawn] == [
        "Root mean square error (s⁻¹)",
        "Relative L2 error",
        "Correlation",
        "Mean squared error (s⁻²)",
        "Bias (s⁻¹)",
    ]
    for panel, name in zip(drawn, names, strict=True):
        assert panel.get_xlabel() == "Lead time (time units)"
        for forecast in ("triton", "persistence"):
            curve = line(panel, forecast)
            np.testing.assert_allclose(curve.get_xdata(), scores["lead_time"])
            np.testing.assert_allclose(
                curve.get_ydata(), scores[name].sel(forecast=forecast, variable="vorticity")
            )
    legend = axes[len(names)].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["triton", "persistence"]


def test_intervals_are_shaded(scores):
    panel = score_curves(scores, "vorticity").axes[0]
    (shading, _) = panel.collections
    vertices = shading.get_paths()[0].vertices
    expected = scores["rmse_interval"].sel(forecast="triton", variable="vorticity")
    assert vertices[:, 1].max() == pytest.approx(float(expected.max()))


def test_a_missing_interval_is_no_shading(scores):
    panel = score_curves(scores.drop_vars("rmse_interval"), "vorticity").axes[0]
    assert not panel.collections


def test_a_blow_up_leaves_the_others_readable(scores):
    scores["rmse"].loc[{"forecast": "triton"}][:, 50:] = 1e30
    scores["rmse"].loc[{"forecast": "triton"}][:, 80:] = np.inf
    figure = score_curves(scores, "vorticity")
    persistence = float(scores["rmse"].sel(forecast="persistence").max())
    assert figure.axes[0].get_ylim()[1] < 4 * persistence
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "X"]
    (cross,) = crosses
    assert cross.get_xdata() == pytest.approx(float(scores["lead_time"][79]))


def test_nothing_finite_at_all(scores):
    for name in SCORES:
        if name in scores:
            scores[name][:] = np.nan
    figure = score_curves(scores, "vorticity")
    figure.savefig("/dev/null", format="svg")
    assert np.isnan(line(figure.axes[0], "triton").get_ydata()).all()


def test_one_lead_is_a_dot_with_a_bar(make_scores):
    panel = score_curves(make_scores(leads=1), "vorticity").axes[0]
    assert line(panel, "triton").get_marker() == "o"
    assert len(panel.collections) == 2


def test_calendar_leads(make_scores):
    panel = score_curves(make_scores(leads=20, calendar=True), "vorticity").axes[0]
    assert panel.get_xlabel() == "Lead time (days)"
    assert line(panel, "triton").get_xdata()[3] == 1.0


def test_scores_are_left_as_they_are(scores):
    before = scores.copy(deep=True)
    score_curves(scores, "vorticity")
    assert scores.identical(before)


def test_unknown_variable(scores):
    with pytest.raises(KeyError):
        score_curves(scores, "salinity")


def test_an_empty_panel_says_why(make_scores):
    scores = make_scores(leads=4, turbulence=False)
    scores["ssim"] = scores["correlation"] * np.nan
    scores["acc"] = scores["correlation"] * np.nan
    figure = score_curves(scores, "vorticity")
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words == ["no values", "no values: no window of 11 x 11 cells\nholds scored cells only"]


def test_errors_relative_to_the_size_of_kelvin_have_no_panel(scores):
    scores["vrmse"] = (20 * scores["relative_l2"]).assign_attrs(long_name="VRMSE")
    titles = [axes.get_title(loc="left") for axes in score_curves(scores, "vorticity").axes]
    assert "Relative L2 error" not in titles
    assert "Relative L2" not in score_table(scores, "vorticity")
