"""Whether a forecast stays in its climate, and what may hold it there."""
