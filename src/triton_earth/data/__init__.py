"""From sources to training stores, windows and batches."""
