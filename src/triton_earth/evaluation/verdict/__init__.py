"""What scores mean: findings on each model, a table to quote, and both in words."""
