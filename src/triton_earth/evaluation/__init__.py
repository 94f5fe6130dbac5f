"""Judging: sums that can be added, metrics, spectra, intervals, horizons. Imports core, physics, data and rollout."""
