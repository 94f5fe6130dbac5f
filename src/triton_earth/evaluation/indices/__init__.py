"""Climate indices as scores: a number for each field, whose forecasts are held against the truth lead by lead."""
