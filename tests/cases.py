"""What an evaluation keeps of forecasts, without its scores."""

from triton_earth.evaluation.aggregator import Case
from triton_earth.evaluation.alignment import align
from triton_earth.evaluation.baselines import fit_baselines
from triton_earth.evaluation.streaming import stream


def case_of(models, truth, **options) -> Case:
    """The case of forecasts with the same initial conditions, variables and leads."""
    alignment = align(models[0], truth)
    baselines = fit_baselines(models[0], truth, alignment)
    names = [f"model {number}" for number in range(len(models))]
    return Case(tuple(models), truth, alignment, baselines, (*names, *baselines.names), **options)


def kept_of(forecast, truth, *begin):
    """What some aggregators have kept, one of each."""
    case = case_of([forecast], truth)
    aggregators = [one(case) for one in begin]
    stream(case, aggregators)
    return aggregators
