"""Scores of long runs against the training climate, each beside what the truth scores against itself."""
