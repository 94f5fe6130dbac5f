"""File formats: whether a file is whole, which groups it has, and what its attributes make of its numbers."""
