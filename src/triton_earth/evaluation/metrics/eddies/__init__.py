"""Ocean eddies: detection in flow and sea level, the scores."""
