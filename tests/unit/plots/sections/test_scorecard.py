import numpy as np
import pytest

from triton_earth.plots.sections.scores import scorecard


def test_percentages_and_dots(make_scores):
    scores = make_scores(leads=20, forecasts=("triton", "other", "persistence"))
    scores["mse"].loc[{"forecast": "other"}] = 1.25 * scores["mse"].sel(forecast="triton")
    interval = scores["mse_minus_persistence_interval"].copy()
    interval.loc[{"bound": "lower"}] = -1.0
    interval.loc[{"bound": "upper"}] = 1.0
    interval.loc[{"forecast": "other", "bound": "lower"}] = 0.5
    scores["mse_minus_triton_interval"] = interval
    axes = scorecard(scores, "triton").axes[0]
    np.testing.assert_allclose(axes.collections[0].get_array()[0], 25)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["other", "persistence"]
    (dots,) = axes.lines
    assert (dots.get_ydata() == 0).all()
    assert len(dots.get_xdata()) == 20


def test_variables_have_panels(make_scores):
    scores = make_scores(leads=1, variables=("vorticity", "salinity"))
    scores["mse_minus_triton_interval"] = scores["mse_minus_persistence_interval"]
    figure = scorecard(scores, "triton")
    titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
    assert titles == ["vorticity", "salinity"]
    figure.savefig("/dev/null", format="svg")


def test_a_blow_up_is_drawn(make_scores):
    scores = make_scores(leads=5)
    scores["mse_minus_triton_interval"] = scores["mse_minus_persistence_interval"]
    scores["mse"].loc[{"forecast": "persistence"}] = np.inf
    figure = scorecard(scores, "triton")
    figure.savefig("/dev/null", format="svg")
    assert (figure.axes[0].collections[0].get_array() >= 100).all()


def test_a_reference_without_differences_is_refused(scores):
    with pytest.raises(KeyError):
        scorecard(scores, "triton")
