"""Spectra of forecasts and truth, and the scales that forecasts get right."""
