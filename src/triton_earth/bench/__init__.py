"""Benches: several variants of a recipe on one data set, with equal budgets, in one table."""
