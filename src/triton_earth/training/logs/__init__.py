"""What a run tells while it goes on: log, meters, cost, and other people's loggers."""
