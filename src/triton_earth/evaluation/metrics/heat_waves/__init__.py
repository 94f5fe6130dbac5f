"""Marine heat waves: the baseline, the events, the scores."""
