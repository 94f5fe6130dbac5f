"""Training in several processes: who has which part of a batch, and weights that are shared out."""
