"""What `evaluate` and `compare` take, and what is told about the rollout that they judge."""
