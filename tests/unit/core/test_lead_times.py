import numpy as np
import pytest
import xarray as xr

from triton_earth.core.lead_times import lead_times


def axis(values, **attrs):
    return lead_times(xr.DataArray(values, dims="lead_time", attrs=attrs))


def hours(*values):
    return np.array(values, dtype="timedelta64[h]").astype("timedelta64[ns]")


def test_model_time_has_its_own_units():
    leads = axis([0.055, 0.11], units="1")
    assert leads.axis_title == "Lead time (time units)"
    assert leads.title(1) == "step 2 · 0.11 time units"
    assert leads.words(1.0) == "1 time unit"
    assert axis([0.5, 1.0], units="s").axis_title == "Lead time (s)"
    days = axis([1.0, 60.0], units="d")
    assert [days.title(0), days.title(1)] == ["day 1", "day 60"]


def test_calendar_time_in_the_unit_that_reads_best():
    assert axis(hours(6, 12)).units == "hours"
    days = axis(hours(24, 48, 72))
    assert days.at(0) == "1 day"
    assert days.at(2) == "3 days"


def test_lead_zero_is_step_zero():
    assert axis([0.0, 0.1, 0.2]).steps == (0, 1, 2)
    assert axis([0.1, 0.2]).steps == (1, 2)


def test_steps_come_from_the_coordinate_lead():
    coordinate = xr.DataArray([0.3, 0.6], dims="lead_time", coords={"lead": ("lead_time", [3, 6])})
    assert lead_times(coordinate).steps == (3, 6)


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(99, [1, 25, 50, 99]), (3, [1, 2, 3]), (1, [1]), (2, [1, 2]), (365, [1, 91, 182, 365])],
)
def test_leads_that_are_shown(count, chosen):
    leads = axis(np.arange(1, count + 1) * 0.5)
    assert [leads.steps[index] for index in leads.chosen()] == chosen


def test_leads_asked_for():
    leads = axis(np.arange(0, 11) * 0.5)
    assert leads.chosen((1, 5, 99)) == [1, 5]
    assert leads.chosen((99,)) == [10]


def test_steps_of_a_mean_month_are_months():
    month = np.timedelta64(2629746, "s")
    leads = axis((np.arange(1, 13) * month).astype("timedelta64[ns]"))
    assert leads.axis_title == "Lead time (months)"
    assert (leads.at(0), leads.at(11)) == ("1 month", "12 months")


def test_a_lead_has_one_wording():
    quarters = axis(hours(*range(6, 121, 6)))
    assert (quarters.title(3), quarters.brief(0)) == ("day 1", "day 0.25")
    assert (quarters.of_step(10.0), quarters.length(10.0)) == ("day 2.5", "2.5")
    assert axis(hours(24)).title(0) == "day 1"
    assert axis(hours(6)).title(0) == "hour 6"
    model = axis([0.055, 0.11])
    assert (model.brief(1), model.length(2.0)) == ("step 2", "2")
    assert (model.of_step(2.0), model.of_step(7.0)) == ("step 2 · 0.11 time units", "step 7")


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        (axis(hours(*range(24, 721, 24))), "30 daily leads"),
        (axis(hours(*range(6, 121, 6))), "20 6-hourly leads to 5 days"),
        (axis(hours(24, 120, 240)), "3 leads to 10 days"),
        (axis(hours(24)), "one lead of 1 day"),
        (axis(np.arange(1, 100) * 0.055), "99 leads to 5.445 time units"),
    ],
)
def test_leads_are_counted_in_a_few_words(leads, words):
    assert leads.summary == words
