"""Losses, optimisation, the training loop and its state on disk."""
