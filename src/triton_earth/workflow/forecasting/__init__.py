"""What `forecast` takes: model, initial times, and whether they fit each other."""
