"""Forecasts and truths that were not made by this package, as the evaluation wants them."""
