"""Whole or absent: who may write an output, how it gets its name, and seals that show damage."""
