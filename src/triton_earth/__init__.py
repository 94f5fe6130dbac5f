"""Triton Earth: trains, runs and judges AI forecasts of the Earth system over very long rollouts."""

__version__ = "0.1.0"
