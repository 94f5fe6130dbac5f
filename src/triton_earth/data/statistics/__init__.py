"""What is fitted on the training split: normaliser, climatology, damping."""
