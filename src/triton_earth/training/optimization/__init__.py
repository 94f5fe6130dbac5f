"""How weights move: optimisers, schedules, curricula, moving averages, and what an explosion does."""
