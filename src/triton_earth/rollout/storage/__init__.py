"""Forecasts as files: the store, its writer, restart files, and what a resume looks at again."""
