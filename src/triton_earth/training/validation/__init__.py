"""Which weights are best: scores on the validation split, variance that is kept, the climate."""
