"""What runs: progress, tasks here or on a cluster, threads, and what this machine has."""
