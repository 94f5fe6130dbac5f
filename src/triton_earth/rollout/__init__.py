"""Time, once: the rollout and what consumes it into files."""
