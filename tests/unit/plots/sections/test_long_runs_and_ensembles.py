import numpy as np
import pytest

from triton_earth.plots.sections.ensembles import ensemble_figure
from triton_earth.plots.sections.long_runs import long_run_curves, rates_table


@pytest.fixture
def drifting(make_scores, with_long_runs):
    return with_long_runs(make_scores(leads=40, turbulence=False))


def panel(figure, words):
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(words)]
    return found


def test_the_gap_to_the_truth_is_shaded(drifting):
    axes = panel(long_run_curves(drifting, "vorticity"), "Area mean (K)")
    gap = axes.collections[0].get_paths()[0].vertices
    truth = drifting["area_mean"].sel(source="truth", variable="vorticity").values
    triton = drifting["area_mean"].sel(source="triton", variable="vorticity").values
    assert gap[:, 1].min() == pytest.approx(truth.min())
    assert gap[:, 1].max() == pytest.approx(triton.max())
    assert axes.get_ylim()[0] < truth.min() < triton.max() < axes.get_ylim()[1]


def test_a_blow_up_does_not_flatten_the_truth(drifting):
    drifting["area_mean"].loc[{"source": "triton"}][:, 20:] = 1e9
    drifting["area_mean"].loc[{"source": "triton"}][:, 30:] = np.nan
    axes = panel(long_run_curves(drifting, "vorticity"), "Area mean")
    low, high = axes.get_ylim()
    assert high - low < 10


def test_every_quantile_is_drawn_and_named(drifting):
    axes = panel(long_run_curves(drifting, "vorticity"), "Quantile of the field")
    assert {text.get_text() for text in axes.texts} == {"0.1 %", "1 %", "99 %", "99.9 %"}
    assert len(axes.lines) == 8, "four of the truth, four of the model, none of persistence"


def test_without_a_climatology_there_is_no_departure(drifting):
    figure = long_run_curves(
        drifting.drop_vars(["seasonal_departure", "seasonal_departure_interval"]), "vorticity"
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert titles == ["Area mean (K)", "Variance (K²)", "Quantile of the field (K)"]


def test_the_table_has_every_rate_with_its_interval(drifting):
    drifting["error_doubling_time"].loc[{"forecast": "persistence"}] = np.inf
    table = rates_table(drifting)
    assert table.count("0.0100<small>0.00500 to 0.0200") == 7
    assert "∞" in table


def test_units_of_many_variables_are_not_listed_in_a_heading(make_scores, with_long_runs):
    scores = with_long_runs(make_scores(leads=4, variables=("t", "u"), turbulence=False))
    scores["drift_rate"].attrs["units"] = "K; m s-1"
    assert "Drift rate (units of the variable)" in rates_table(scores)


def test_an_ensemble(make_scores, with_ensemble):
    scores = with_ensemble(make_scores(leads=40, turbulence=False))
    figure = ensemble_figure(scores, "vorticity")
    ratio = panel(figure, "Spread divided by error")
    assert ratio.get_ylim()[0] == 0.0
    assert ratio.get_ylim()[1] >= 1.0
    bars = [axes for axes in figure.axes if axes.patches]
    assert len(bars) == 4
    assert [len(axes.patches) for axes in bars] == [9] * 4
    assert sum(bar.get_height() for bar in bars[0].patches) == pytest.approx(1.0)
