"""Scores of fields: what is kept of them while they pass, and what follows from it."""
