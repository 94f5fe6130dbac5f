"""Figures and the report: xarray in, matplotlib out. Nothing here computes a score."""

from triton_earth.plots.report import write_report as write_report
